"""Dash: pseudo-labels whose loss is below a threshold that falls from the labeled images' training loss."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, believe, moving_average
from ssl_bench.losses import cross_entropy, soft_cross_entropy
from ssl_bench.methods.pseudo_labels._weak_to_strong import VIEWS, corrected, report, see
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT, Range

VERSION = 1


def dash(
  encoder: net.Net,
  classes: int,
  steps: float,
  *,
  gamma: Annotated[float, Range(1, above=True)] = 1.27,
  factor: Annotated[float, POSITIVE] = 1.0001,
  floor: Annotated[float, Range(0)] = 0.05,
  temperature: Annotated[float, POSITIVE] = 0.5,
  weight: Annotated[float, Range(0)] = 1.0,
  warmup: Annotated[float, Range(0, 1, below=True)] = 0.001953125,
  interval: Annotated[float, POSITIVE] = 0.009765625,
  decay: Annotated[float, UNIT] = 0.9,
) -> Method:
  """Xu et al., "Dash: Semi-Supervised Learning with Dynamic Thresholding" (2021).

  FixMatch whose pseudo-labels are selected by their own loss, under a threshold that falls during training.

  Objective (after USB's code, dash): mean H(y, p(w(x))) + weight · mean 1[H(t, q) ≤ ρ] H(t, p(s(u))), with
  q = p(w(u)) and the target t held constant: t ∝ q^(1/temperature), and argmax q from when ρ = floor on.
  The second mean is over all unlabeled images, and is left out during the warm-up.

  Threshold: ρ = max(factor · gamma^(−k) · ρ̂, floor), where k counts the intervals that are over since the
  warm-up and ρ̂ is the labeled images' training loss at the warm-up's end.

  Memory: ρ̂, the moving average of a batch's mean H(y, p(w(x))) during the warm-up, log classes at the start.

  Args:
    gamma: by which the threshold falls in each interval (USB: 1.27).
    factor: of ρ̂ (USB: C, 1.0001).
    floor: of the threshold (USB: rho_min, 0.05, which is a confidence of 0.95).
    temperature: of the sharpening, while targets are soft (USB: 0.5).
    weight: of the unlabeled term (USB: 1).
    warmup: the part of training with labels only (USB: 2,048 steps beside 2^20).
    interval: the part of training after which the threshold falls again (USB: 10,240 of 2^20 steps).
    decay: of the moving average.

  Evaluated: the network; under `with_ema` its average.
  One forward pass sees labeled, weak and strong images together, so BatchNorm's moments are shared, and the
  unlabeled images' have a part in them during the warm-up, too.
  Deviations: ρ̂ is a moving average over batches of the augmented labeled images, not one loss over all of
  them; USB takes the loss on the test images.  The warm-up is a part of training, where USB adds it.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))

  def init(key, views):
    memory = {'loss': jnp.log(jnp.full((), classes, 'float32'))}
    return *model.init(key, views['labeled']['image']), memory

  def loss(state, views, key):
    on, stats = see(model, state, views, key)
    belief = believe(on.weak, views['weak'])
    labeled = cross_entropy(on.labeled, views['labeled']['label']).mean()
    since = state.step.astype('float32') - jnp.round(warmup * steps)
    seen = moving_average(state.memory['loss'], jax.lax.stop_gradient(labeled), decay)
    begun = jnp.where(since < 0, seen, state.memory['loss'])
    falls = jnp.floor((jnp.maximum(since, 0) + 0.5) / (interval * steps))  # ends fall between steps
    limit = jnp.maximum(factor * gamma**-falls * begun, floor)

    held = corrected(on.weak, views['weak'])
    hard = jax.nn.one_hot(belief.label, classes)
    target = jnp.where(limit == floor, hard, jax.nn.softmax(held / temperature))
    mask = (soft_cross_entropy(held, target) <= limit) & (since >= 0) & belief.keep
    unlabeled = weight * jnp.where(mask, soft_cross_entropy(on.strong, target), 0).mean()
    value, metrics, pseudo = report(on, views, belief, mask, labeled, unlabeled)
    return value, Aux(stats, {'loss': begun}, metrics | {'threshold': limit}, pseudo)

  encode, predict = net.output(model, 'encoder'), net.output(model, 'head')
  return Method(VIEWS, init, loss, encode=encode, predict=predict, believes='weak')
