"""FixMatch: trust the confident, on hard views of the same image."""

from typing import Annotated

import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, PseudoLabels, View, believe
from ssl_bench.losses import cross_entropy
from ssl_bench.nets import core as net
from ssl_bench.settings.signature import UNIT, Range

VERSION = 1


def fixmatch(
  encoder,
  classes,
  *,
  threshold: Annotated[float, UNIT] = 0.95,
  weight: Annotated[float, Range(0)] = 1.0,
) -> Method:
  """Sohn et al., "FixMatch: Simplifying Semi-Supervised Learning with Consistency and Confidence" (2020).

  The prediction on a weakly augmented image, where confident, is the label of its strongly
  augmented version.

  Objective (eq. 3 and 4): mean H(y, p(w(x))) + weight · mean 1[max q ≥ threshold] H(argmax q, p(s(u))),
  with q = p(w(u)) held constant.  The second mean is over all unlabeled images, kept or not.

  Args:
    threshold: confidence in [0, 1] from which a pseudo-label is used (τ, table 4: 0.95).
    weight: of the unlabeled term (λ_u, table 4: 1).

  Evaluated: the network; under `with_ema` its average, as in the paper.
  One forward pass sees labeled, weak and strong images together, so BatchNorm's moments are shared
  (google-research/fixmatch, which says so deliberately in issue 20).
  Deviations: none in the objective; weight decay, schedule and views belong to the config.
  """
  model = net.chain(encoder=encoder, head=net.linear(classes))

  def init(key, views):
    return *model.init(key, views['labeled']['image']), ()

  def loss(state, views, key):
    x, w, s = (views[v]['image'] for v in ('labeled', 'weak', 'strong'))
    out, stats = model.apply(state.params, state.stats, jnp.concatenate([x, w, s]), train=True, key=key)
    on_x, on_w, on_s = jnp.split(out['head'], [len(x), len(x) + len(w)])
    target, confidence, keep, probs = believe(on_w, views['weak'])
    mask = (confidence >= threshold) & keep
    labeled = cross_entropy(on_x, views['labeled']['label']).mean()
    unlabeled = weight * jnp.where(mask, cross_entropy(on_s, target), 0).mean()
    metrics = {
      'loss/supervised': labeled,
      'loss/unsupervised': unlabeled,
      'agreement': (on_s.argmax(-1) == target).mean(),
    }
    pseudo = PseudoLabels(views['weak']['index'], target, confidence, mask, probs)
    return labeled + unlabeled, Aux(stats, (), metrics, pseudo)

  views = {
    'labeled': View('labeled', 'weak'),
    'weak': View('unlabeled', 'weak'),
    'strong': View('unlabeled', 'strong'),
  }
  return Method(views, init, loss, **net.read(model), believes='weak')
