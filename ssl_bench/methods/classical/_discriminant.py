"""Linear discriminant analysis, and the method around classifiers that are made of it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssl_bench import graph
from ssl_bench.contract import Method, Teacher, View, look_at_all
from ssl_bench.losses import normalize

VIEWS = {'labeled': View('labeled', 'weak')}  # whose labels `refresh` sees
KINDS = ('image', 'series', 'table')  # whose examples are vectors as they are stored
NEVER = -1e9  # the log prior of a class without an example


class Discriminant(NamedTuple):
  """A linear classifier of features: logits are features @ slope.T + offset."""

  slope: Any  # float32 [classes, d]
  offset: Any  # float32 [classes]

  def log_probs(self, features: jax.Array) -> jax.Array:
    """[n, d] -> [n, classes]."""
    scores = jnp.matmul(features, self.slope.T, precision='highest') + self.offset[None]
    return jax.nn.log_softmax(scores)


def fit(features, labels, classes: int, shrinkage, dimensions=None) -> Discriminant:
  """Linear discriminant analysis of the rows that have a label (Fisher 1936; Hastie et al., section 4.3).

  Classes are Gaussians of one covariance, (1 − shrinkage) Σ + shrinkage · (tr Σ / d) I, where Σ is that of
  rows around their class's mean; the priors are the shares of the labels.  Where all rows are their class's
  mean, Σ is the identity.

  Args:
    features: float32 [n, d].
    labels: int32 [n], -1 where there is none.
    classes: how many.
    shrinkage: in (0, 1].
    dimensions: bool [d], those that are looked at; None: all.
  """
  seen = jnp.ones(features.shape[1]) if dimensions is None else dimensions.astype('float32')
  features = features * seen[None]
  one_hot = jax.nn.one_hot(labels, classes)  # of -1 it is zero
  count = one_hot.sum(0)
  product = lambda a, b: jnp.matmul(a, b, precision='highest')
  means = product(one_hot.T, features) / jnp.maximum(count, 1)[:, None]
  around = jnp.where((labels >= 0)[:, None], features - means[jnp.maximum(labels, 0)], 0)
  spread = product(around.T, around) / count.sum()
  size = jnp.trace(spread) / seen.sum()
  identity = jnp.eye(len(spread))
  spread = jnp.where(size > 0, (1 - shrinkage) * spread + shrinkage * size * identity, identity)
  slope = jax.scipy.linalg.solve(spread, means.T, assume_a='pos').T
  prior = jnp.where(count > 0, jnp.log(jnp.maximum(count, 1) / count.sum()), NEVER)
  return Discriminant(slope, prior - (slope * means).sum(1) / 2)


def wrapper(
  learn: Callable[[jax.Array, jax.Array], list[Discriminant]],
  count: int,
  classes: int,
  examples: int,
  stored: Any,
  teacher: Teacher | None,
) -> Method:
  """A method without gradients, on pixels or on a teacher's features of unit length.

  Memory: `slope` [count, classes, d] and `offset` [count, classes] of its classifiers; the prediction is the
  product of their probabilities.

  Args:
    learn: (features [examples, d], labels int32 [examples], -1 where unknown) -> `count` classifiers.
    count: how many.
    classes, examples: of the data.
    stored: the shape and the dtype of an example as it is stored.
    teacher: whose features are learned from; None for pixels.
  """

  def encode(state, images):
    return teacher.encode(images) if teacher else images.reshape(len(images), -1)

  def points(images):
    return normalize(encode(None, images)) if teacher else encode(None, images)

  def init(key, views):
    images = views['labeled']['image']
    width = jax.eval_shape(teacher.encode, images).shape[-1] if teacher else int(np.prod(stored.shape))
    memory = {'slope': jnp.zeros((count, classes, width)), 'offset': jnp.zeros((count, classes))}
    return {}, {}, memory

  def refresh(state, data, key, tx):
    features = look_at_all(points, data['unlabeled']['image'])
    learned = learn(features, graph.labels_of(data['labeled'], examples))
    memory = {name: jnp.stack([getattr(one, name) for one in learned]) for name in ('slope', 'offset')}
    return state._replace(memory=memory)

  def predict(state, images):
    features = points(images)
    classifiers = map(Discriminant, state.memory['slope'], state.memory['offset'])
    return sum(one.log_probs(features) for one in classifiers)

  return Method(VIEWS, init, None, encode=encode, predict=predict, refresh=refresh, kinds=KINDS)
