"""Deep label propagation: once an epoch, labels spread over a graph of the network's own features."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench import graph
from ssl_bench.contract import Aux, Method, PseudoLabels, View, concatenate, look_at_all
from ssl_bench.losses import cross_entropy, entropy, normalize
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT, Range

VERSION = 1


def deep_label_propagation(
  encoder: net.Net,
  classes: int,
  examples: int,
  steps: float,
  *,
  warmup: Annotated[float, UNIT] = 0.5,
  neighbors: Annotated[int, Range(1)] = 50,
  alpha: Annotated[float, Range(0, 1, below=True)] = 0.99,
  power: Annotated[float, POSITIVE] = 3.0,
  weight: Annotated[float, Range(0)] = 1.0,
) -> Method:
  """Iscen et al., "Label Propagation for Deep Semi-supervised Learning" (2019).

  Two stages.  First the labeled images alone; then, at the end of every epoch, pseudo-labels for all:

  Features of all images, of unit length and without augmentation, make a graph with w_ij = [cos_ij]₊^γ from
  each image to its nearest, added to its transpose.  Labels diffuse over it: Z = (I − α S)^(−1) Y with
  S = D^(−1/2) W D^(−1/2), negative entries set to 0.  The pseudo-label of an image is ŷ = argmax Z, its
  certainty ω = 1 − H(Z / Σ Z) / log(classes), divided by the largest of all; a labeled image has its label
  and ω = 1.  Classes weigh ζ_c = (images / classes) / (images with pseudo-label c).

  Objective: mean ζ_y H(y, p(w(x))) + weight · mean ω ζ_ŷ H(ŷ, p(w(u))), the second term from the second
  stage on, with ω, ζ and ŷ held constant; before it ζ = 1.

  Memory: of each unlabeled image the pseudo-label (`label`) and ω (`certainty`), 0 before the first of them,
  and ζ of each class (`balance`).

  Args:
    warmup: the part of training that sees labels only (the authors' code: 180 epochs over the labeled images
      alone, then 180 over all: on CIFAR-10 with 4,000 labels 8 % of the steps).
    neighbors: edges of each image (k; the authors' code: 50).
    alpha: how much an image takes from its neighbors, in [0, 1) (α; the authors' code: 0.99).  Unlike in
      `label_spreading`, unbalanced labels do not ask for less, since Y is divided by the labels of a class.
    power: of the cosine (γ; the authors' code: 3).
    weight: of the second term (half of each batch is labeled in the authors' code, which makes it 1).

  Evaluated: the network; under `with_ema` its average.  The graph is that of the raw network.
  One forward pass sees labeled and unlabeled images together, as in the authors' code.
  Deviations: as in the authors' code, Y is divided by the number of labels of its class, ω by its maximum,
  and ζ is scaled to mean 1 under even classes.  The diffusion is solved to the end, where that code stops
  after 20 iterations.  One schedule of the rate runs over both stages, where that code starts it anew, and
  the classifier sees features as they are, where that code scales them to unit length.
  """
  graph.check_neighbors(neighbors, examples)
  model = net.chain(encoder=encoder, head=heads.linear(classes))

  def init(key, views):
    none = jnp.zeros(examples, 'float32')
    memory = {'label': none.astype('int32'), 'certainty': none, 'balance': jnp.ones(classes, 'float32')}
    return *model.init(key, views['labeled']['image']), memory

  def loss(state, views, key):
    x, u = views['labeled']['image'], views['unlabeled']['image']
    memory, y, index = state.memory, views['labeled']['label'], views['unlabeled']['index']
    out, stats = model.apply(state.params, state.stats, concatenate([x, u]), train=True, key=key)
    on_x, on_u = jnp.split(out['head'], [len(x)])
    target, certainty = memory['label'][index], memory['certainty'][index]
    labeled = (memory['balance'][y] * cross_entropy(on_x, y)).mean()
    unlabeled = weight * (certainty * memory['balance'][target] * cross_entropy(on_u, target)).mean()
    metrics = {'loss/supervised': labeled, 'loss/unsupervised': unlabeled, 'certainty': certainty.mean()}
    pseudo = PseudoLabels(index, target, certainty, certainty > 0)
    return labeled + unlabeled, Aux(stats, memory, metrics, pseudo)

  def refresh(state, data, key, tx):
    return jax.lax.cond(
      state.step.astype('float32') >= warmup * steps, relabel, lambda state, data: state, state, data
    )

  def relabel(state, data):
    look = lambda images: encode(state, images)
    features = normalize(look_at_all(look, data['unlabeled']['image'], kind=encoder.kind))
    edges = graph.nearest(features, features, neighbors, same=True)
    cosine = 1 - edges.value / 2
    weights = edges._replace(value=jnp.maximum(cosine, 0) ** power)
    known = graph.labels_of(data['labeled'], examples)
    targets = jax.nn.one_hot(known, classes)  # of -1: zeros
    targets = targets / jnp.maximum(targets.sum(0, keepdims=True), 1)
    belief = graph.shares(graph.spread(weights, targets, alpha, add=True))
    certainty = 1 - entropy(belief) / jnp.log(classes)
    certainty = jnp.where(known < 0, certainty / jnp.maximum(certainty.max(), 1e-12), 1)
    label = jnp.where(known < 0, belief.argmax(1), known).astype('int32')
    count = jnp.maximum(jnp.bincount(label, length=classes), 1).astype('float32')
    balance = examples / classes / count
    memory = {'label': label, 'certainty': jnp.clip(certainty, 0, 1), 'balance': balance.astype('float32')}
    return state._replace(memory=memory)

  encode, predict = net.output(model, 'encoder'), net.output(model, 'head')
  views = {'labeled': View('labeled', 'weak'), 'unlabeled': View('unlabeled', 'weak')}
  return Method(views, init, loss, encode=encode, predict=predict, refresh=refresh)
