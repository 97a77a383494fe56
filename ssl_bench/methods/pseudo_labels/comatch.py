"""CoMatch: classes smooth over similar embeddings, and embeddings alike where classes are."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Belief, Method, View
from ssl_bench.losses import cross_entropy, soft_cross_entropy
from ssl_bench.methods._queue import push
from ssl_bench.methods.pseudo_labels._similar import Embedder, aligned
from ssl_bench.methods.pseudo_labels._weak_to_strong import VIEWS, Logits, report
from ssl_bench.nets import core as net
from ssl_bench.settings.signature import POSITIVE, UNIT, Range

VERSION = 1


def comatch(
  encoder: net.Net,
  classes: int,
  *,
  threshold: Annotated[float, UNIT] = 0.95,
  weight: Annotated[float, Range(0)] = 1.0,
  contrast: Annotated[float, Range(0)] = 1.0,
  edge: Annotated[float, UNIT] = 0.8,
  smoothing: Annotated[float, UNIT] = 0.9,
  temperature: Annotated[float, POSITIVE] = 0.2,
  batches: Annotated[int, POSITIVE] = 5,
  window: Annotated[int, POSITIVE] = 32,
  out: Annotated[int, POSITIVE] = 64,
) -> Method:
  """Li, Xiong and Hoi, "CoMatch: Semi-supervised Learning with Contrastive Graph Regularization" (2021).

  Two representations of an image, class probabilities p and a unit embedding z, improve each other.

  Objective (after the authors' code): mean H(y, p(w(x))) + weight · mean 1[max q ≥ threshold] H(q, p(s(u))) +
  contrast · mean_b H(Q_b, P_b), over unlabeled images, where P_b is the softmax over the batch of
  z(s(u_b))·z(s'(u_j)) / temperature, and s' a second strong view.

  Pseudo-labels, held constant: p̃ ∝ p(w(u)) / m aligns predictions with an even marginal; q = α p̃ + (1 − α)
  Σ_k a_k p_k smooths them over the memory, where a is the softmax of z(w(u))·z_k / temperature and α is
  `smoothing`.  q = p̃ in the first steps, until the memory is full.
  Graph: Q_bj = 1 where j = b, else q_b·q_j if that is at least `edge`, else 0; its rows are divided by
  their sums.

  Memory: the embeddings z_k and probabilities p_k of the latest `batches` batches, p̃ of weak views and labels
  of labeled ones; the mean p(w(u)) of each of the latest `window` batches, this one among them, whose mean
  is m.

  Args:
    threshold: confidence in [0, 1] from which a pseudo-label is used (the authors' code: 0.95).
    weight: of the unlabeled term (the authors' code: 1).
    contrast: weight of the graph's term (the authors' code: 1; USB's configs: 5 on STL-10).
    edge: similarity in [0, 1] from which two images are joined (the authors' code: 0.8).
    smoothing: share of an image's own prediction in its pseudo-label (α; the authors' code: 0.9).
    temperature: of the similarities (the authors' code: 0.2).
    batches: how many batches the memory holds (the authors' code: 5).
    window: how many batches m is a mean over (the authors' code: 32).
    out: dimensions of z (the authors' code: 64).

  Evaluated: the network; under `with_ema` its average.
  Heads: a linear classifier; linear, ReLU, linear for z, as wide as the features.
  One forward pass sees all four views together, so BatchNorm's moments are shared, as in the authors' code.
  Deviations: ReLU where the authors' WRN has LeakyReLU in the head of z (USB, too, has ReLU); m has a floor
  of 1e-6; the logarithm of P is exact, where the code adds 1e-7 to P.
  """
  embedder = Embedder(encoder, classes, out)

  def init(key, views):
    images = views['labeled']['image']
    rows = batches * (len(images) + len(views['weak']['image']))
    memory = {
      'embeddings': jnp.zeros((rows, out)),
      'probs': jnp.zeros((rows, classes)),
      'marginals': jnp.zeros((window, classes)),
    }
    return *embedder.init(key, images), memory

  def loss(state, views, key):
    names = 'labeled', 'weak', 'strong', 'again'
    (x, w, s, _), (z_x, z_w, z_s, z_again), stats = embedder.see(state, views, names, key)
    own, even, marginals = aligned(w, state.memory['marginals'], views['weak'])
    p = jax.nn.softmax(even)
    near = jnp.matmul(z_w, state.memory['embeddings'].T, precision='highest') / temperature
    around = jnp.matmul(jax.nn.softmax(near), state.memory['probs'], precision='highest')
    own_share = jnp.where(state.step > batches, smoothing, 1.0)
    q = jax.lax.stop_gradient(own_share * p + (1 - own_share) * around)
    belief = Belief(q.argmax(-1), q.max(-1), views['weak'].get('keep', True), own)
    mask = (belief.confidence >= threshold) & belief.keep

    alike = jnp.matmul(q, q.T, precision='highest')
    graph = jnp.where(jnp.eye(len(w), dtype=bool), 1, jnp.where(alike >= edge, alike, 0))
    logits = jnp.matmul(z_s, z_again.T, precision='highest') / temperature
    label = views['labeled']['label']
    labeled = cross_entropy(x, label).mean()
    unlabeled = weight * jnp.where(mask, soft_cross_entropy(s, q), 0).mean()
    contrastive = contrast * soft_cross_entropy(logits, graph / graph.sum(-1, keepdims=True)).mean()
    value, metrics, pseudo = report(Logits(x, w, s), views, belief, mask, labeled, unlabeled)
    memory = {
      'embeddings': push(state.memory['embeddings'], jnp.concatenate([z_w, z_x])),
      'probs': push(state.memory['probs'], jnp.concatenate([p, jax.nn.one_hot(label, classes)])),
      'marginals': marginals,
    }
    metrics |= {'loss/contrastive': contrastive}
    return value + contrastive, Aux(stats, memory, metrics, pseudo)

  views = {**VIEWS, 'again': View('unlabeled', 'strong')}
  encode, predict = net.output(embedder.model, 'encoder'), net.output(embedder.model, 'head')
  return Method(views, init, loss, encode=encode, predict=predict, believes='weak')
