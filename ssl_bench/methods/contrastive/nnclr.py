"""NNCLR: SimCLR's loss, with each image's nearest neighbor in a queue in the place of the image itself."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method
from ssl_bench.losses import cross_entropy, normalize
from ssl_bench.methods._queue import push
from ssl_bench.methods._views import see_each, strong_views
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE

VERSION = 1


def nnclr(
  encoder: net.Net,
  *,
  temperature: Annotated[float, POSITIVE] = 0.1,
  queue: Annotated[int, POSITIVE] = 4096,
  layers: Annotated[int, POSITIVE] = 3,
  hidden: Annotated[int, POSITIVE] = 512,
  out: Annotated[int, POSITIVE] = 128,
  predictor: Annotated[int, POSITIVE] = 512,
) -> Method:
  """Dwibedi et al., "With a Little Help from My Friends: Nearest-Neighbor Contrastive Learning of Visual
  Representations" (2021).

  Objective (after solo-learn's code; the authors published none): ½ L(NN(z_a), p_b) + ½ L(NN(z_b), p_a), the
  mean over images, where L(n, p)_i = −log exp(n_i·p_i/τ) / Σ_k exp(n_i·p_k/τ) over the batch, z is the
  projection, p the prediction from it, both of unit length, and NN(z) the nearest row of the queue.  The
  neighbors are held constant: the gradient flows through p only.

  Memory: the queue of the projections z_a of earlier batches.  It starts with random directions; a step's
  own z_a enter it after the loss, those of view b never do (as in solo-learn's code).

  Args:
    temperature: τ (solo-learn's loss: 0.1; its CIFAR-10 script: 0.2).
    queue: number of earlier projections (solo-learn: 65,536), of any size: the oldest leave.
    layers: of the projector (solo-learn: 3; lightly's CIFAR-10 benchmark: 2).
    hidden: width of the projector's hidden layers (solo-learn: 2,048).
    out: width of the projection and of the prediction (solo-learn: 256).
    predictor: width of the predictor's hidden layer (solo-learn: 4,096).

  Evaluated: the encoder's features, before the projector.
  Heads: every layer of the projector has BatchNorm, the last one without a bias, which would get no gradient
  here: the predictor's BatchNorm removes it.  The predictor's output has none (solo-learn's code).
  BatchNorm: every view has its own pass.
  Negatives are the other predictions of the batch only.  lightly gives neighbors and predictions
  to NT-Xent, which also takes other neighbors for negatives.
  Deviations: the default widths and queue are for small nets and sets.
  """
  head = heads.projector(*[hidden] * (layers - 1), out, last_norm='scale')
  model = net.chain(encoder=encoder, projector=head, predictor=heads.projector(predictor, out))

  def init(key, views):
    params, stats = model.init(jax.random.fold_in(key, 0), views['a']['image'])
    rows = normalize(jax.random.normal(jax.random.fold_in(key, 1), (queue, out)))
    return params, stats, {'queue': rows}

  def loss(state, views, key):
    support = state.memory['queue']
    seen, stats = see_each(model, state, views, key)
    z, p = ([normalize(view[name]) for view in seen] for name in ('projector', 'predictor'))

    def contrast(z, p):
      """L(NN(z), p) of one direction."""
      nearest = support[jnp.matmul(z, support.T, precision='highest').argmax(-1)]
      logits = jnp.matmul(nearest, p.T, precision='highest') / temperature
      return cross_entropy(logits, jnp.arange(len(p))).mean()

    value = (contrast(z[0], p[1]) + contrast(z[1], p[0])) / 2
    memory = {'queue': push(support, jax.lax.stop_gradient(z[0]))}
    return value, Aux(stats, memory, {'loss/contrastive': value})

  return Method(strong_views(2), init, loss, encode=net.output(model, 'encoder'))
