"""MoCo v3: predict which of the batch's keys, seen by a slower copy of yourself, is your own; no queue."""

from typing import Annotated, Literal

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View, moving_average
from ssl_bench.losses import cross_entropy, normalize
from ssl_bench.nets import core as net
from ssl_bench.settings.signature import POSITIVE, UNIT

VERSION = 1


def moco_v3(
  encoder,
  steps,
  *,
  temperature: Annotated[float, POSITIVE] = 0.2,
  ema_decay: Annotated[float, UNIT] = 0.99,
  heads: Literal['resnet', 'vit'] = 'resnet',
  hidden: Annotated[int, POSITIVE] = 512,
  out: Annotated[int, POSITIVE] = 128,
) -> Method:
  """Chen, Xie and He, "An Empirical Study of Training Self-Supervised Vision Transformers" (2021).

  Objective (eq. 1 and algorithm 1): ctr(q_a, k_b) + ctr(q_b, k_a), with ctr = 2τ times the mean cross-entropy
  of the batch's N × N similarities q·k / τ, each query's own key being right.  q comes from encoder,
  projector and predictor, k from the moving average of encoder and projector, held constant; both have unit
  length.

  Args:
    temperature: τ (the ViT recipe of the authors' code: 0.2).
    ema_decay: of the key network at the start (0.99); at step t it is
      1 − (1 − ema_decay)(cos(πt/T) + 1)/2, as in the authors' runs with `--moco-m-cos`.
    heads: 'resnet': projector of two layers, no BatchNorm after the predictor's last; 'vit': projector of
      three, and one there; all linear layers without bias, BatchNorm without scale and bias after the
      projector's last (the authors' code).
    hidden: width of the hidden layers of projector and predictor (section 4: 4,096).
    out: width of the projection (section 4: 256).

  Evaluated: the query network's encoder, not the key network's.
  BatchNorm: every view has its own pass and moments over the whole batch; the key network keeps running
  moments of its own.
  The authors move the key network before they compute a step's keys; here it moves after the optimizer, with
  the next step's decay: the same sequence, since it starts as a copy.
  Deviations: the default widths are for small nets; a ViT's patch embedding is trained, not frozen
  (section 4.2), unless the encoder freezes it.
  """
  depth = 2 if heads == 'resnet' else 3
  branch = net.chain(
    encoder=encoder, projector=net.projector(*[hidden] * (depth - 1), out, last_norm='plain')
  )
  end: net.LastNorm = 'none' if heads == 'resnet' else 'plain'
  predictor = net.projector(hidden, out, last_norm=end, last_bias=False)

  def init(key, views):
    params, stats = branch.init(jax.random.fold_in(key, 0), views['a']['image'])
    z = jnp.zeros((len(views['a']['image']), out))
    params['predictor'], stats['predictor'] = predictor.init(jax.random.fold_in(key, 1), z)
    return params, stats, {'target': target_of(params, stats)}

  def target_of(params, stats):
    keep = ('encoder', 'projector')
    return {k: params[k] for k in keep}, {k: stats[k] for k in keep}

  def query(params, stats, image, key):
    """The prediction, of unit length, and the moments after this pass."""
    seen, new = branch.apply(*target_of(params, stats), image, train=True, key=key)
    q, last = predictor.apply(params['predictor'], stats['predictor'], seen['projector'], train=True)
    return normalize(q), {**new, 'predictor': last}

  def contrast(q, k):
    logits = jnp.matmul(q, normalize(k).T, precision='highest') / temperature
    return 2 * temperature * cross_entropy(logits, jnp.arange(len(q))).mean()

  def loss(state, views, key):
    a, b = views['a']['image'], views['b']['image']
    keys = [jax.random.fold_in(key, i) for i in range(4)]
    q_a, stats = query(state.params, state.stats, a, keys[0])
    q_b, stats = query(state.params, stats, b, keys[1])
    params, moments = state.memory['target']
    k_a, moments = branch.apply(params, moments, a, train=True, key=keys[2])
    k_b, moments = branch.apply(params, moments, b, train=True, key=keys[3])
    value = contrast(q_a, k_b['projector']) + contrast(q_b, k_a['projector'])
    return value, Aux(stats, {'target': (params, moments)}, {'loss/contrastive': value})

  def update(state):
    decay = 1 - (1 - ema_decay) * (jnp.cos(jnp.pi * jnp.minimum(state.step / steps, 1)) + 1) / 2
    params, moments = state.memory['target']
    new, _ = target_of(state.params, state.stats)
    return state._replace(memory={'target': (moving_average(params, new, decay), moments)})

  views = {'a': View('unlabeled', 'strong'), 'b': View('unlabeled', 'strong')}
  read = net.read(branch, lambda state: target_of(state.params, state.stats), head=None)
  return Method(views, init, loss, update=update, **read)
