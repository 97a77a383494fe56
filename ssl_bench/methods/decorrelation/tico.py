"""TiCo: two views should agree, where the moving covariance of all projections is small."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, moving_average
from ssl_bench.losses import normalize
from ssl_bench.methods._schedules import cosine_to_one
from ssl_bench.methods._target import follow
from ssl_bench.methods._views import strong_views
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT, Range

VERSION = 1


def tico(
  encoder: net.Net,
  steps: float,
  *,
  weight: Annotated[float, Range(0)] = 8.0,
  decay: Annotated[float, UNIT] = 0.9,
  ema_decay: Annotated[float, UNIT] = 0.99,
  hidden: Annotated[int, POSITIVE] = 512,
  out: Annotated[int, POSITIVE] = 128,
) -> Method:
  """Zhu et al., "TiCo: Transformation Invariance and Covariance Contrast for Self-Supervised Visual
  Representation Learning" (2022).

  Objective: 1 − mean_i z_i·k_i + weight · mean_i z_iᵀ C z_i, for projections z of one view by the trained
  network and k of the other by its moving average, both of unit length, k held constant.

  Memory: C [out, out], the moving second moment: C ← decay · C + (1 − decay) · mean_i z_i z_iᵀ, from zero.
  The batch enters C before the loss, and C is held constant.  And the target network, encoder and projector.

  Args:
    weight: of the covariance contrast (ρ; the paper recommends 8, as sayannag/TiCo-pytorch quotes it).
    decay: of C (β, lightly's loss: 0.9).
    ema_decay: of the target network at the start; 1 at the end, along a cosine (lightly's benchmark: 0.99).
    hidden: width of the projector's hidden layer (lightly's head: 4,096).
    out: width of the projection (lightly's head: 256).

  Evaluated: the trained network's encoder, not the target's.
  Heads: linear, BatchNorm, ReLU, linear without bias (lightly's head).
  BatchNorm: every pass has its own moments; the target keeps running moments of its own.
  The first argument of lightly's loss, whose covariance is taken, is the trained network's projection.  Its
  ImageNet benchmark gives it the average's, so that the covariance contrast has no gradient there.
  Deviations: the moving average starts from zero, as in public code, so the contrast is weak in the first
  1/(1 − decay) steps.  Through the batch's own share of C the gradient flows in sayannag's code; it does not
  here, nor in lightly's.  The target moves after the step, in lightly's code before it.
  """
  model = net.chain(encoder=encoder, projector=heads.projector(hidden, out, last_bias=False))

  def init(key, views):
    params, stats = model.init(key, views['a']['image'])
    return params, stats, {'target': (params, stats), 'covariance': jnp.zeros((out, out))}

  def loss(state, views, key):
    keys = [jax.random.fold_in(key, i) for i in range(2)]
    seen, stats = model.apply(state.params, state.stats, views['a']['image'], train=True, key=keys[0])
    params, moments = state.memory['target']
    kept, moments = model.apply(params, moments, views['b']['image'], train=True, key=keys[1])
    z, k = normalize(seen['projector']), normalize(kept['projector'])
    constant = jax.lax.stop_gradient(z)
    second = jnp.matmul(constant.T, constant, precision='highest') / len(z)
    covariance = moving_average(state.memory['covariance'], second, decay)
    terms = {
      'loss/invariance': 1 - (z * k).sum(-1).mean(),
      'loss/covariance': weight * (jnp.matmul(z, covariance, precision='highest') * z).sum(-1).mean(),
    }
    memory = {'target': (params, moments), 'covariance': covariance}
    return sum(terms.values()), Aux(stats, memory, terms)

  def update(state):
    return follow(state, 'target', cosine_to_one(ema_decay, state.step, steps))

  return Method(strong_views(2), init, loss, update=update, encode=net.output(model, 'encoder'))
