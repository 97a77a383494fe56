"""SimMatch: two views of an image agree on its class, and on how like it is to each labeled image."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Belief, Method
from ssl_bench.losses import cross_entropy, normalize, soft_cross_entropy
from ssl_bench.methods.pseudo_labels._similar import Embedder, aligned
from ssl_bench.methods.pseudo_labels._weak_to_strong import VIEWS, Logits, report
from ssl_bench.nets import core as net
from ssl_bench.settings.signature import POSITIVE, UNIT, Range

VERSION = 1


def simmatch(
  encoder: net.Net,
  classes: int,
  labeled_examples: int,
  steps: float,
  *,
  threshold: Annotated[float, UNIT] = 0.95,
  weight: Annotated[float, Range(0)] = 1.0,
  instance: Annotated[float, Range(0)] = 1.0,
  temperature: Annotated[float, POSITIVE] = 0.1,
  smoothing: Annotated[float, UNIT] = 0.9,
  decay: Annotated[float, UNIT] = 0.7,
  start: Annotated[float, UNIT] = 0.0009765625,
  window: Annotated[int, POSITIVE] = 32,
  out: Annotated[int, POSITIVE] = 128,
) -> Method:
  """Zheng et al., "SimMatch: Semi-supervised Learning with Similarity Matching" (2022).

  Objective (after the authors' code and USB's): mean H(y, p(w(x))) + weight · mean 1[max q ≥ threshold]
  H(q, p(s(u))) + instance · mean H(t, b), over unlabeled images.  b_k is the softmax over labeled images of
  z(s(u))·z_k / temperature, z of unit length.

  Pseudo-labels, held constant: p̃ ∝ p(w(u)) / m aligns predictions with an even marginal, and a is b of the
  weak view.  Classes hear of instances: q = α p̃ + (1 − α) Σ_k a_k y_k, with α = `smoothing`; and instances of
  classes: t_k ∝ a_k · p̃(y_k).  In the first steps q = p̃, and there is no term of instances.

  Memory: of each labeled image its label y_k and its embedding z_k, a moving average of those of its weak
  views; the mean p(w(u)) of each of the latest `window` batches, this one among them, whose mean is m.

  Args:
    threshold: confidence in [0, 1] from which a pseudo-label is used (USB's configs: 0.95).
    weight: of the unlabeled term (USB's configs: 1).
    instance: weight of the term of instances (both: 1).
    temperature: of the similarities (both: 0.1).
    smoothing: share of an image's own prediction in its pseudo-label (α; USB's configs: 0.9).
    decay: of the embeddings in the memory (USB: 0.7).
    start: part of training before the memory is used (USB: the first of 1,024 epochs).
    window: how many batches m is a mean over (USB's configs: 32).
    out: dimensions of z (both: 128).

  Evaluated: the network; under `with_ema` its average.
  Heads: a linear classifier; linear, ReLU, linear for z, as wide as the features.
  One forward pass sees all views together, so BatchNorm's moments are shared, as in USB's code.
  Deviations: labeled images that were not yet drawn are left out, where both codes begin with random
  embeddings and the first class; an image that is drawn twice in a batch enters the memory by its mean; no
  teacher, which the authors' code has on ImageNet; m has a floor of 1e-6.
  """
  embedder = Embedder(encoder, classes, out)

  def init(key, views):
    memory = {
      'embeddings': jnp.zeros((labeled_examples, out)),
      'labels': jnp.full(labeled_examples, classes, 'int32'),  # those of images that were not yet drawn
      'marginals': jnp.zeros((window, classes)),
    }
    return *embedder.init(key, views['labeled']['image']), memory

  def renew(memory, z, view):
    """Embeddings and labels of the labeled images after a batch of them."""
    index, labels = view['labeled_index'], memory['labels']
    same = (index[:, None] == index[None]).astype('float32')
    mean = jnp.matmul(same, z, precision='highest') / same.sum(1, keepdims=True)
    share = jnp.where(labels[index] < classes, decay, 0.0)[:, None]
    moved = normalize(share * memory['embeddings'][index] + (1 - share) * mean)  # equal where one is twice
    embeddings = memory['embeddings'].at[index].set(moved)
    return {'embeddings': embeddings, 'labels': labels.at[index].set(view['label'])}

  def loss(state, views, key):
    logits, (z_x, z_w, z_s), stats = embedder.see(state, views, ('labeled', 'weak', 'strong'), key)
    on = Logits(*logits)
    own, even, marginals = aligned(on.weak, state.memory['marginals'], views['weak'])
    log_p = jax.nn.log_softmax(even)
    labels, bank = state.memory['labels'], state.memory['embeddings']
    known = (labels < classes)[None]

    def alike(z):
      return jnp.where(known, jnp.matmul(z, bank.T, precision='highest') / temperature, -1e9)

    near = jax.lax.stop_gradient(alike(z_w))
    used = (state.step.astype('float32') >= start * steps) & known.any()
    around = jnp.matmul(jax.nn.softmax(near), jax.nn.one_hot(labels, classes), precision='highest')
    q = jnp.exp(log_p) + jnp.where(used, 1 - smoothing, 0.0) * (around - jnp.exp(log_p))
    target = jax.nn.softmax(near + log_p[:, jnp.minimum(labels, classes - 1)])
    belief = Belief(q.argmax(-1), q.max(-1), views['weak'].get('keep', True), own)
    mask = (belief.confidence >= threshold) & belief.keep

    labeled = cross_entropy(on.labeled, views['labeled']['label']).mean()
    unlabeled = weight * jnp.where(mask, soft_cross_entropy(on.strong, q), 0).mean()
    value, metrics, pseudo = report(on, views, belief, mask, labeled, unlabeled)
    matched = instance * jnp.where(used, soft_cross_entropy(alike(z_s), target).mean(), 0.0)
    memory = renew(state.memory, z_x, views['labeled']) | {'marginals': marginals}
    metrics |= {'loss/instance': matched}
    return value + matched, Aux(stats, memory, metrics, pseudo)

  encode, predict = net.output(embedder.model, 'encoder'), net.output(embedder.model, 'head')
  return Method(VIEWS, init, loss, encode=encode, predict=predict, believes='weak')
