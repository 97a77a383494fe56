"""NPID: every image is a class of its own, whose weight vector is a memory of its embedding."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View, moving_average
from ssl_bench.losses import cross_entropy, normalize
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT

VERSION = 1


def npid(
  encoder: net.Net,
  examples: int,
  *,
  temperature: Annotated[float, POSITIVE] = 0.07,
  decay: Annotated[float, UNIT] = 0.5,
  out: Annotated[int, POSITIVE] = 128,
) -> Method:
  """Wu et al., "Unsupervised Feature Learning via Non-Parametric Instance Discrimination" (2018).

  Objective (the authors' code with `--nce-k 0`): −log exp(v_i·f_i/τ) / Σ_j exp(v_j·f_i/τ), the mean over the
  images i of the batch, where f_i is the embedding of image i and the sum is over the memories v_j of all N
  images of the unlabeled set.  All are of unit length; memories are held constant.

  Memory: v_j of each of the N images, random directions at the start.  After the loss, that of an image of
  the batch becomes decay · v + (1 − decay) · f, of unit length again.

  Args:
    temperature: τ (the authors' code: 0.07; for CIFAR-10 0.1).
    decay: of the memories (the authors' code: nce-m, 0.5).
    out: size of the embedding (the authors' code: low-dim, 128).

  Evaluated: the encoder's features, before the embedding.
  The embedding is one linear layer on the features.
  Deviations: the whole softmax in every step, which the authors' code offers, where the paper estimates it
  from drawn memories (noise-contrastive estimation), so that its cost grows with N; no proximal term, as in
  that code.
  """
  model = net.chain(encoder=encoder, embedding=heads.linear(out))

  def init(key, views):
    params, stats = model.init(jax.random.fold_in(key, 0), views['image']['image'])
    memory = normalize(jax.random.normal(jax.random.fold_in(key, 1), (examples, out)))
    return params, stats, {'embeddings': memory}

  def loss(state, views, key):
    view, memory = views['image'], state.memory['embeddings']
    output, stats = model.apply(state.params, state.stats, view['image'], train=True, key=key)
    embedding = normalize(output['embedding'])
    scores = jnp.matmul(embedding, memory.T, precision='highest') / temperature
    value = cross_entropy(scores, view['index']).mean()
    new = moving_average(memory[view['index']], jax.lax.stop_gradient(embedding), decay)
    memory = {'embeddings': memory.at[view['index']].set(normalize(new))}
    return value, Aux(stats, memory, {'loss/instance': value})

  views = {'image': View('unlabeled', 'strong')}
  return Method(views, init, loss, encode=net.output(model, 'encoder'))
