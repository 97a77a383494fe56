"""DenseCL: MoCo v2, and the same for every place of the feature map and the place that is most like it."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View
from ssl_bench.losses import cross_entropy, normalize
from ssl_bench.methods._queue import push
from ssl_bench.methods._target import follow
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT, BadSetting

VERSION = 1


def densecl(
  encoder: net.Net,
  *,
  temperature: Annotated[float, POSITIVE] = 0.2,
  weight: Annotated[float, UNIT] = 0.5,
  ema_decay: Annotated[float, UNIT] = 0.999,
  queue: Annotated[int, POSITIVE] = 4096,
  splits: Annotated[int, POSITIVE] = 8,
  hidden: Annotated[int, POSITIVE] = 512,
  out: Annotated[int, POSITIVE] = 128,
) -> Method:
  """Wang et al., "Dense Contrastive Learning for Self-Supervised Visual Pre-Training" (2021), on MoCo v2.

  Objective: (1 − λ) L_q + λ L_r.  L_q is MoCo's: −log exp(q·k₊/τ) / (exp(q·k₊/τ) + Σ_i exp(q·k_i/τ)), the
  mean over images.  L_r is the same of each place's query r, the mean over images and places: its positive is
  the key, in the other view of the image, of the place whose encoder features are most like its own by their
  cosine, and its negatives are the mean keys of earlier images.  All are of unit length; keys are held
  constant.

  Memory: the key network, and two queues of K keys: of images, and of the means over places.

  Args:
    temperature: τ (the authors' configs: 0.2).
    weight: λ, of the dense term (the authors' code: 0.5).
    ema_decay: of the key network, the same at every step (the authors' configs: 0.999).
    queue: number of older keys in each queue (K; the authors' code: 65,536).
    splits: groups of the batch, each with BatchNorm moments of its own, as in `moco`; they divide the batch.
    hidden: width of both projectors' hidden layer (the authors' code: 2,048).
    out: width of both projections (the authors' code: 128).

  Evaluated: the query network's encoder.
  Heads: linear, ReLU, linear, no BatchNorm; the dense one at each place by itself, that is by 1x1
  convolutions.  The means that enter the queue are of projections before they get unit length.
  BatchNorm: queries are grouped as neighbors in the batch and keys are dealt out, as in `moco`.
  The encoder must tell the features of places: `convnet`, `resnet`, `wide_resnet`, `vit`, `resnet1d`.
  Deviations: dealing in place of a random shuffle of the keys, as in `moco`; the key network moves after the
  step, not before it; the default widths and queues are for small nets and sets.
  """
  read, head = heads.token_reader(encoder, 'densecl'), heads.projector(hidden, out, norm='none')

  def init(key, views):
    images = views['a']['image']
    if len(images) % splits:
      raise BadSetting(
        f'densecl: splits {splits} must divide the {len(images)} unlabeled images of a step; '
        'choose another splits or batch.'
      )
    params, stats = net.init_each(key, encoder=(encoder, images))
    seen, _ = encoder.apply(params['encoder'], stats['encoder'], images, tokens=True, train=False)
    features, places = read(seen)
    more, more_stats = net.init_each(key, projector=(head, features), dense=(head, places))
    params, stats = params | more, stats | more_stats
    keys = normalize(jax.random.normal(jax.random.fold_in(key, 1), (2, queue, out)))
    return params, stats, {'target': (params, stats), 'queue': keys[0], 'dense': keys[1]}

  def see(params, stats, images, key, axis):
    """Projections of images [n, out] and of places [n, P, out], features of places, and moments after.

    The encoder sees groups along `axis`: neighbors (0), or dealt out (1).
    """
    groups = images.reshape(*((splits, -1) if axis == 0 else (-1, splits)), *images.shape[1:])
    own = params['encoder'], stats['encoder']
    one = lambda x, key: encoder.apply(*own, x, tokens=True, train=True, key=key)
    seen, new = jax.vmap(one, (axis, 0), (axis, 0))(groups, jax.random.split(key, splits))
    features, places = read(seen.reshape(len(images), *seen.shape[2:]))
    project = lambda part, x: head.apply(params[part], stats[part], x, train=True)[0]
    moments = {**stats, 'encoder': jax.tree.map(lambda m: m.mean(0), new)}
    return (project('projector', features), project('dense', places), places), moments

  def contrast(queries, keys, others):
    """The mean over rows of MoCo's loss: [..., out] twice, and [K, out]."""
    positive = (queries * keys).sum(-1, keepdims=True)
    negative = jnp.matmul(queries, others.T, precision='highest')
    logits = (jnp.concatenate([positive, negative], -1) / temperature).reshape(-1, 1 + queue)
    return cross_entropy(logits, jnp.zeros(len(logits), 'int32')).mean()

  def loss(state, views, key):
    params, moments = state.memory['target']
    a, stats = see(state.params, state.stats, views['a']['image'], jax.random.fold_in(key, 0), 0)
    b, moments = see(params, moments, views['b']['image'], jax.random.fold_in(key, 1), 1)
    (q, r, own), (k, t, other) = a, b
    alike = jnp.einsum('npd,nmd->npm', normalize(own), normalize(other), precision='highest')
    match = jnp.take_along_axis(normalize(t), alike.argmax(-1)[..., None], 1)
    k, mean = normalize(k), normalize(t.mean(1))
    terms = {
      'loss/contrastive': (1 - weight) * contrast(normalize(q), k, state.memory['queue']),
      'loss/dense': weight * contrast(normalize(r), match, state.memory['dense']),
    }
    queues = {'queue': push(state.memory['queue'], k), 'dense': push(state.memory['dense'], mean)}
    memory = {'target': (params, moments), **queues}
    return sum(terms.values()), Aux(stats, memory, terms)

  def update(state):
    return follow(state, 'target', ema_decay)

  def encode(state, images):
    return encoder.apply(state.params['encoder'], state.stats['encoder'], images, train=False)[0]

  views = {'a': View('unlabeled', 'strong'), 'b': View('unlabeled', 'strong')}
  return Method(views, init, loss, update=update, encode=encode, kinds=('image', 'audio', 'series'))
