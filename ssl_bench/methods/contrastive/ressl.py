"""ReSSL: be like the images in a queue as much as a momentum encoder finds a weak view to be."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View
from ssl_bench.losses import entropy, normalize, soft_cross_entropy
from ssl_bench.methods._queue import push
from ssl_bench.methods._target import follow
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT

VERSION = 1


def ressl(
  encoder: net.Net,
  *,
  temperature: Annotated[float, POSITIVE] = 0.1,
  teacher_temperature: Annotated[float, POSITIVE] = 0.04,
  ema_decay: Annotated[float, UNIT] = 0.99,
  queue: Annotated[int, POSITIVE] = 4096,
  hidden: Annotated[int, POSITIVE] = 512,
  out: Annotated[int, POSITIVE] = 128,
) -> Method:
  """Zheng et al., "ReSSL: Relational Self-Supervised Learning with Weak Augmentation" (2021).

  Objective (the authors' code): −Σ_j p_j log q_j, the mean over images, where q = softmax(z·Q / τ_s) is of
  the student's projection z of a strong view, p = softmax(k·Q / τ_t) of the teacher's projection k of a weak
  view, held constant, and Q are the teacher's projections of earlier batches; all of unit length.

  Memory: the teacher, a moving average of the trained network; and the queue Q, which starts with random
  directions, and which a step's own k enter after the loss.

  Args:
    temperature: τ_s (the authors' code: 0.1).
    teacher_temperature: τ_t, lower than τ_s, so that the target is sharper (the authors' code: 0.04).
    ema_decay: of the teacher (the authors' code: 0.999; solo-learn's CIFAR-10 script: from 0.99 to 1).
    queue: number of earlier projections (the authors' code: 131,072), of any size: the oldest leave.
    hidden: width of the projector's hidden layer (the authors' code: 4,096).
    out: width of the projection (the authors' code: 512).

  Evaluated: the trained network's encoder, not the teacher's.
  Heads: linear, ReLU, linear, no BatchNorm (the authors' code).
  BatchNorm: every pass has its own moments; the teacher keeps running moments of its own.
  The teacher sees the policy `weak`, by the authors a crop and a flip, of the student's scales, without
  distortion of color; so a config has to say, where its `weak` is a shift by some pixels.
  Deviations: the teacher moves after the step, in the authors' code before its own pass; no shuffling of the
  teacher's images, which BatchNorm on each device asks for.  The default widths and queue are for small nets.
  """
  model = net.chain(encoder=encoder, projector=heads.projector(hidden, out, norm='none'))

  def init(key, views):
    params, stats = model.init(jax.random.fold_in(key, 0), views['strong']['image'])
    rows = normalize(jax.random.normal(jax.random.fold_in(key, 1), (queue, out)))
    return params, stats, {'teacher': (params, stats), 'queue': rows}

  def loss(state, views, key):
    keys = [jax.random.fold_in(key, i) for i in range(2)]
    strong, weak, rows = views['strong']['image'], views['weak']['image'], state.memory['queue']
    seen, stats = model.apply(state.params, state.stats, strong, train=True, key=keys[0])
    params, moments = state.memory['teacher']
    taught, moments = model.apply(params, moments, weak, train=True, key=keys[1])
    z, k = normalize(seen['projector']), normalize(taught['projector'])
    scores, targets = (jnp.matmul(x, rows.T, precision='highest') for x in (z, k))
    target = jax.nn.softmax(targets / teacher_temperature)
    value = soft_cross_entropy(scores / temperature, target).mean()
    memory = {'teacher': (params, moments), 'queue': push(rows, k)}
    metrics = {'loss/relation': value, 'teacher_entropy': entropy(target).mean()}
    return value, Aux(stats, memory, metrics)

  def update(state):
    return follow(state, 'teacher', ema_decay)

  views = {'strong': View('unlabeled', 'strong'), 'weak': View('unlabeled', 'weak')}
  return Method(views, init, loss, update=update, encode=net.output(model, 'encoder'))
