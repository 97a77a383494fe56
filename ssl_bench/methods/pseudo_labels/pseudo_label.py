"""Pseudo-Label: a confident prediction on an image becomes its label."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, PseudoLabels, View, believe
from ssl_bench.losses import cross_entropy
from ssl_bench.methods._schedules import linear_ramp
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import ADDED, POSITIVE, UNIT, Range, Static

VERSION = 1


def pseudo_label(
  encoder: net.Net,
  classes: int,
  steps: float,
  *,
  threshold: Annotated[float, UNIT] = 0.95,
  weight: Annotated[float, Range(0)] = 1.0,
  ramp: Annotated[float, POSITIVE] = 0.4,
  start: Annotated[Static, Range(0, 1, below=True), ADDED] = 0.0,
) -> Method:
  """Lee, "Pseudo-Label: The Simple and Efficient Semi-Supervised Learning Method" (2013).

  Objective (eq. 15): mean H(y, p(w(x))) + α(t) · mean 1[max q ≥ threshold] H(argmax q, p(w(u))),
  where q = p(w(u)), held constant, comes from the same view and the same pass.

  Args:
    threshold: confidence in [0, 1] from which a pseudo-label is used (FixMatch's code: 0.95).
    weight: of the unlabeled term at the end of the ramp (FixMatch's code: 1).
    ramp: the part of training over which α grows linearly from 0 (TorchSSL's configs: 0.4).
    start: the part of training before which α is 0 (eq. 16: T1).

  Evaluated: the network; under `with_ema` its average.
  Two passes: BatchNorm's running moments come from the labeled one only (FixMatch's code); the mean
  is over all unlabeled images, kept or not.
  Deviations: Lee uses every pseudo-label (threshold 0) and α up to 3 after a start at 0; the
  threshold is that of Oliver et al. (2018) and of every later table.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))

  def init(key, views):
    return *model.init(key, views['labeled']['image']), ()

  def loss(state, views, key):
    x, u = views['labeled']['image'], views['unlabeled']['image']
    on_x, stats = model.apply(state.params, state.stats, x, train=True, key=jax.random.fold_in(key, 0))
    on_u, _ = model.apply(state.params, state.stats, u, train=True, key=jax.random.fold_in(key, 1))
    target, confidence, keep, probs = believe(on_u['head'], views['unlabeled'])
    mask = (confidence >= threshold) & keep
    alpha = weight * linear_ramp(jnp.maximum(state.step.astype('float32') - start * steps, 0), ramp * steps)
    labeled = cross_entropy(on_x['head'], views['labeled']['label']).mean()
    unlabeled = alpha * jnp.where(mask, cross_entropy(on_u['head'], target), 0).mean()
    metrics = {'loss/supervised': labeled, 'loss/unsupervised': unlabeled}
    pseudo = PseudoLabels(views['unlabeled']['index'], target, confidence, mask, probs)
    return labeled + unlabeled, Aux(stats, (), metrics, pseudo)

  views = {'labeled': View('labeled', 'weak'), 'unlabeled': View('unlabeled', 'weak')}
  encode, predict = net.output(model, 'encoder'), net.output(model, 'head')
  return Method(views, init, loss, encode=encode, predict=predict, believes='unlabeled')
