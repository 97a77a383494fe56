"""MoCo v2: tell an image's own key from a queue of older keys; a momentum encoder makes the keys."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import APART, Aux, Method, View
from ssl_bench.losses import cross_entropy, normalize
from ssl_bench.methods._queue import push
from ssl_bench.methods._target import follow
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT, BadSetting

VERSION = 1


def moco(
  encoder: net.Net,
  *,
  temperature: Annotated[float, POSITIVE] = 0.2,
  ema_decay: Annotated[float, UNIT] = 0.999,
  queue: Annotated[int, POSITIVE] = 4096,
  splits: Annotated[int, POSITIVE] = 8,
  hidden: Annotated[int, POSITIVE] = 512,
  out: Annotated[int, POSITIVE] = 128,
) -> Method:
  """He et al., "Momentum Contrast for Unsupervised Visual Representation Learning" (2019), with the head and
  temperature of Chen et al., "Improved Baselines with Momentum Contrastive Learning" (2020): MoCo v2.

  Objective (eq. 1): −log exp(q·k₊/τ) / (exp(q·k₊/τ) + Σ_i exp(q·k_i/τ)), the mean over images: q from one
  view, k₊ from the other by the key network, k_i those of earlier batches in the queue; all of unit length,
  keys held constant.

  Args:
    temperature: τ (v2, table 2: 0.2; v1: 0.07).
    ema_decay: of the key network, the same at every step (m, section 3.3: 0.999).
    queue: number of older keys (K, v1: 65,536 on ImageNet), of any size: the oldest leave.
    splits: groups of the batch, each with BatchNorm moments of its own, as many as the published runs had
      devices (section 4: 8); they divide the batch.  1: global moments, by which a query can tell its key.
    hidden: width of the projector's hidden layer (v2: 2,048).
    out: width of the projection (section 4: 128).

  Evaluated: the query network's encoder, not the key network's.
  Heads: linear, ReLU, linear, no BatchNorm (v2, section 3).
  BatchNorm (section 3.3): queries are grouped as neighbors in the batch and keys are dealt out, so that a
  key's group is not its query's; running moments are the mean over groups, and the key network keeps its own.
  The queue starts with random directions, as in the authors' code; a step's own keys enter it after the loss.
  Deviations: dealing in place of a random shuffle of the keys: batches are random already, and so fewer
  images meet twice.  The default widths and queue are for small nets and sets.
  """
  model = net.chain(encoder=encoder, projector=heads.projector(hidden, out, norm='none'))

  def init(key, views):
    images = views['a']['image']
    if len(images) % splits:
      raise BadSetting(
        f'moco: splits {splits} must divide the {len(images)} unlabeled images of a step; '
        'choose another splits or batch.'
      )
    params, stats = model.init(jax.random.fold_in(key, 0), images)
    keys = normalize(jax.random.normal(jax.random.fold_in(key, 1), (queue, out)))
    return params, stats, {'target': (params, stats), 'queue': keys}

  def project(params, stats, images, key, axis):
    """Unit projections, and moments, in groups along `axis`: neighbors (0), or dealt out (1)."""
    groups = images.reshape(*((splits, -1) if axis == 0 else (-1, splits)), *images.shape[1:])
    one = lambda x, key: model.apply(params, stats, x, train=True, key=key)
    seen, new = jax.vmap(one, (axis, 0), (axis, 0))(groups, jax.random.split(key, splits))
    return normalize(seen['projector'].reshape(-1, out)), jax.tree.map(lambda m: m.mean(0), new)

  def loss(state, views, key):
    keys = [jax.random.fold_in(key, i) for i in range(2)]
    params, moments = state.memory['target']
    q, stats = project(state.params, state.stats, views['a']['image'], keys[0], 0)
    k, moments = project(params, moments, views['b']['image'], keys[1], 1)
    positive = (q * k).sum(-1, keepdims=True)
    negative = jnp.matmul(q, state.memory['queue'].T, precision='highest')
    logits = jnp.concatenate([positive, negative], 1) / temperature
    value = cross_entropy(logits, jnp.zeros(len(q), 'int32')).mean()
    memory = {'target': (params, moments), 'queue': push(state.memory['queue'], k)}
    return value, Aux(stats, memory, {'loss/contrastive': value})

  def update(state):
    return follow(state, 'target', ema_decay)

  views = {'a': View('unlabeled', 'strong'), 'b': View('unlabeled', 'strong')}
  return Method(views, init, loss, update=update, encode=net.output(model, 'encoder'), kinds=APART)
