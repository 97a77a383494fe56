"""SoftMatch: every pseudo-label counts, by a truncated Gaussian weight of its confidence."""

from typing import Annotated

import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, believe, moving_average
from ssl_bench.losses import cross_entropy
from ssl_bench.methods.pseudo_labels._weak_to_strong import VIEWS, report, see
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT, Range

VERSION = 1
FLOOR = 1e-6  # added to both marginals (the authors' code)
LEAST = 1e-12  # of the variance, which is 0 where all confidences are alike


def softmatch(
  encoder: net.Net,
  classes: int,
  *,
  decay: Annotated[float, UNIT] = 0.999,
  weight: Annotated[float, Range(0)] = 1.0,
  narrowing: Annotated[float, POSITIVE] = 2.0,
) -> Method:
  """Chen et al., "SoftMatch: Addressing the Quantity-Quality Trade-off in Semi-supervised Learning" (2023).

  FixMatch with a weight in place of a threshold: 1 from the mean confidence on, and falling below it like a
  Gaussian of the confidences' own variance.

  Objective (the authors' code, USB, softmatch): mean H(y, p(w(x))) + weight · mean λ H(argmax q, p(s(u))),
  with q = p(w(u)) and λ held constant.  The second mean is over all unlabeled images.

  Weights: λ = exp(−min(c − μ, 0)² / (2 σ² / narrowing²)), where c = max normalize(q · (1/classes) / p̃) is the
  confidence after uniform alignment, which changes weights but no pseudo-label.

  Memory: p̃, the moving average of the mean of q over a batch, and μ and σ², those of the mean and of the
  unbiased variance of c.  They begin with 1/classes, 1/classes and 1, and are brought up to date with the
  batch before it is used.

  Args:
    decay: of the three moving averages (USB: 0.999).
    weight: of the unlabeled term (USB: 1).
    narrowing: by which the weights' deviation is smaller than σ (USB: n_sigma, 2).

  Evaluated: the network; under `with_ema` its average.
  One forward pass sees labeled, weak and strong images together, so BatchNorm's moments are shared.
  Deviations: p̃ begins uniform, where USB's code begins with the mean of the first batch.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))

  def init(key, views):
    filled = lambda shape, value: jnp.full(shape, value, 'float32')
    memory = {
      'beliefs': filled(classes, 1 / classes),
      'mean': filled((), 1 / classes),
      'variance': filled((), 1),
    }
    return *model.init(key, views['labeled']['image']), memory

  def loss(state, views, key):
    on, stats = see(model, state, views, key)
    belief = believe(on.weak, views['weak'])
    beliefs = moving_average(state.memory['beliefs'], belief.probs.mean(0), decay)
    aligned = belief.probs * ((1 / classes + FLOOR) / (beliefs + FLOOR))[None]
    confidence = aligned.max(-1) / aligned.sum(-1)
    n = len(confidence)
    seen = {'mean': confidence.mean(), 'variance': confidence.var() * (n / max(n - 1, 1))}
    memory = moving_average({k: state.memory[k] for k in seen}, seen, decay)
    below = jnp.square(jnp.minimum(confidence - memory['mean'], 0))
    share = jnp.exp(-below * narrowing**2 / (2 * jnp.maximum(memory['variance'], LEAST)))
    share = jnp.where(belief.keep, share, 0)
    labeled = cross_entropy(on.labeled, views['labeled']['label']).mean()
    unlabeled = weight * (share * cross_entropy(on.strong, belief.label)).mean()
    value, metrics, pseudo = report(on, views, belief, share, labeled, unlabeled)
    metrics |= {'mean': memory['mean'], 'variance': memory['variance']}
    return value, Aux(stats, {'beliefs': beliefs, **memory}, metrics, pseudo)

  encode, predict = net.output(model, 'encoder'), net.output(model, 'head')
  return Method(VIEWS, init, loss, encode=encode, predict=predict, believes='weak')
