"""BYOL: predict what a slower copy of yourself sees in another view; no negatives."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View, moving_average
from ssl_bench.losses import cosine_distance
from ssl_bench.nets import core as net
from ssl_bench.settings.signature import POSITIVE, UNIT

VERSION = 1


def byol(
  encoder,
  steps,
  *,
  ema_decay: Annotated[float, UNIT] = 0.99,
  hidden: Annotated[int, POSITIVE] = 512,
  out: Annotated[int, POSITIVE] = 128,
) -> Method:
  """Grill et al., "Bootstrap Your Own Latent" (2020).

  Objective (eq. 2): ‖q̂(z_a) − ẑ'_b‖² + ‖q̂(z_b) − ẑ'_a‖², the mean over images; hats are unit length,
  z' comes from the target network and is held constant.  The two directions are summed, not averaged.

  Args:
    ema_decay: of the target at the start (τ_base); at step t it is 1 − (1 − τ_base)(cos(πt/T) + 1)/2
      (section 3.2 and appendix; 0.99 at 300 epochs, 0.996 at 1,000).
    hidden: width of the hidden layers of projector and predictor (4,096 in the paper).
    out: width of the projection (256 in the paper).

  Evaluated: the online encoder's features, not the target's (section 3.2).
  Heads: linear, BatchNorm, ReLU, linear without bias, as in the authors' code.
  BatchNorm: every view has its own pass and its own moments, as in the authors' code; the target
  keeps running moments of its own.
  Deviations: t counts the steps taken, so the target first moves with the decay of t = 1, where the authors'
  code counts from 0; the target starts as a copy of the online network (the authors' code draws it anew and
  notes that it makes no difference); the default widths are for small nets; both views come from one
  policy, where the paper blurs and solarizes the second differently (appendix B).
  """
  branch = net.chain(encoder=encoder, projector=net.projector(hidden, out, last_bias=False))
  predictor = net.projector(hidden, out, last_bias=False)

  def init(key, views):
    params, stats = branch.init(jax.random.fold_in(key, 0), views['a']['image'])
    z = jnp.zeros((len(views['a']['image']), out))
    params['predictor'], stats['predictor'] = predictor.init(jax.random.fold_in(key, 1), z)
    return params, stats, {'target': target_of(params, stats)}

  def target_of(params, stats):
    keep = ('encoder', 'projector')
    return {k: params[k] for k in keep}, {k: stats[k] for k in keep}

  def online(params, stats, image, key):
    """The prediction, and the moments after this pass."""
    seen, new = branch.apply(*target_of(params, stats), image, train=True, key=key)
    q, last = predictor.apply(params['predictor'], stats['predictor'], seen['projector'], train=True)
    return q, {**new, 'predictor': last}

  def loss(state, views, key):
    a, b = views['a']['image'], views['b']['image']
    keys = [jax.random.fold_in(key, i) for i in range(4)]
    q_a, stats = online(state.params, state.stats, a, keys[0])
    q_b, stats = online(state.params, stats, b, keys[1])
    params, moments = state.memory['target']
    z_a, moments = branch.apply(params, moments, a, train=True, key=keys[2])
    z_b, moments = branch.apply(params, moments, b, train=True, key=keys[3])
    value = (cosine_distance(q_a, z_b['projector']) + cosine_distance(q_b, z_a['projector'])).mean()
    return value, Aux(stats, {'target': (params, moments)}, {'loss/prediction': value})

  def update(state):
    decay = 1 - (1 - ema_decay) * (jnp.cos(jnp.pi * jnp.minimum(state.step / steps, 1)) + 1) / 2
    params, moments = state.memory['target']
    new, _ = target_of(state.params, state.stats)
    return state._replace(memory={'target': (moving_average(params, new, decay), moments)})

  views = {'a': View('unlabeled', 'strong'), 'b': View('unlabeled', 'strong')}
  read = net.read(branch, lambda state: target_of(state.params, state.stats), head=None)
  return Method(views, init, loss, update=update, **read)
