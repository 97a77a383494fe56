"""DeFixMatch: FixMatch without its bias, by what the unlabeled term is on the labeled images."""

from typing import Annotated

import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View, believe, concatenate
from ssl_bench.losses import cross_entropy
from ssl_bench.methods.pseudo_labels._weak_to_strong import VIEWS, Logits, report
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import UNIT, Range

VERSION = 1


def defixmatch(
  encoder: net.Net,
  classes: int,
  *,
  threshold: Annotated[float, UNIT] = 0.95,
  weight: Annotated[float, Range(0)] = 1.0,
) -> Method:
  """Schmutz, Humbert and Mattei, "Don't fear the unlabelled: safe semi-supervised learning …" (2023).

  FixMatch's unlabeled term, less the same term of the labeled images, taken as if they had no labels: the
  expectation of the whole is that of the labeled term alone.

  Objective (the authors' code, models/fixmatch/fixmatch.py): mean (H(y, p(w(x))) + H(y, p(s(x)))) / 2 +
  weight · (mean h(u) − mean h(x)) with h(·) = 1[max q ≥ threshold] H(argmax q, p(s(·))), where q = p(w(·)) is
  held constant.  The means of h are over all images, kept or not.

  Args:
    threshold: confidence in [0, 1] from which a pseudo-label is used (the authors' code: 0.95).
    weight: of the unlabeled term and of what is subtracted (the authors' code: 1).

  Evaluated: the network; under `with_ema` its average.
  One forward pass sees all four views together, so BatchNorm's moments are shared, as in the authors' code.
  Deviations: none in the objective; weight decay, schedule and views belong to the config.
  The whole has no lower bound: where the pseudo-label of a labeled image is right, the cross-entropy of its
  strong view counts 1/2 − weight times.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))

  def init(key, views):
    return *model.init(key, views['labeled']['image']), ()

  def loss(state, views, key):
    w_x, s_x, w_u, s_u = (views[v]['image'] for v in ('labeled', 'labeled_strong', 'weak', 'strong'))
    images = concatenate([w_x, s_x, w_u, s_u])
    out, stats = model.apply(state.params, state.stats, images, train=True, key=key)
    n, m = len(w_x), len(w_u)
    on_w, on_s, weak, strong = jnp.split(out['head'], [n, 2 * n, 2 * n + m])
    belief, as_unlabeled = believe(weak, views['weak']), believe(on_w, {})
    mask = (belief.confidence >= threshold) & belief.keep
    kept = as_unlabeled.confidence >= threshold
    label = views['labeled']['label']
    labeled = (cross_entropy(on_w, label).mean() + cross_entropy(on_s, label).mean()) / 2
    unlabeled = weight * jnp.where(mask, cross_entropy(strong, belief.label), 0).mean()
    subtracted = -weight * jnp.where(kept, cross_entropy(on_s, as_unlabeled.label), 0).mean()
    on = Logits(on_w, weak, strong)
    value, metrics, pseudo = report(on, views, belief, mask, labeled, unlabeled)
    return value + subtracted, Aux(stats, (), metrics | {'loss/debiasing': subtracted}, pseudo)

  views = {**VIEWS, 'labeled_strong': View('labeled', 'strong')}
  encode, predict = net.output(model, 'encoder'), net.output(model, 'head')
  return Method(views, init, loss, encode=encode, predict=predict, believes='weak')
