"""MoCo v3: tell an image's own key from the others of the batch; a momentum encoder makes the keys."""

from typing import Annotated, Literal

import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View
from ssl_bench.losses import cross_entropy, normalize
from ssl_bench.methods._schedules import cosine_to_one
from ssl_bench.methods._target import OnlineTarget, follow
from ssl_bench.nets import core as net
from ssl_bench.nets.heads import LastNorm
from ssl_bench.nets.heads import projector as make_projector
from ssl_bench.settings.signature import POSITIVE, UNIT

VERSION = 1


def moco_v3(
  encoder: net.Net,
  steps: float,
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
  end: LastNorm = 'none' if heads == 'resnet' else 'plain'
  projector = make_projector(*[hidden] * (depth - 1), out, last_norm='plain')
  predictor = make_projector(hidden, out, last_norm=end, last_bias=False)
  pair = OnlineTarget(encoder, projector, predictor)

  def contrast(q, k):
    logits = jnp.matmul(normalize(q), normalize(k).T, precision='highest') / temperature
    return 2 * temperature * cross_entropy(logits, jnp.arange(len(q))).mean()

  def loss(state, views, key):
    (q_a, q_b), (k_a, k_b), stats, memory = pair.see(state, views, key)
    value = contrast(q_a, k_b) + contrast(q_b, k_a)
    return value, Aux(stats, memory, {'loss/contrastive': value})

  def update(state):
    return follow(state, 'target', cosine_to_one(ema_decay, state.step, steps))

  views = {'a': View('unlabeled', 'strong'), 'b': View('unlabeled', 'strong')}
  return Method(views, pair.init, loss, encode=pair.encode, update=update)
