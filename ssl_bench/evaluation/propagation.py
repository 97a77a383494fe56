"""Label propagation and label spreading as probes: what frozen features and a few labels say on a graph.

The graph joins each image of the training part to its nearest by cosine; settings are the defaults of the
methods of the same names.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import numpy as np

from ssl_bench import graph, methods
from ssl_bench.data.arrays import Dataset
from ssl_bench.evaluation.neighbors import unit
from ssl_bench.evaluation.scores import accuracy
from ssl_bench.settings.signature import settings_of

NAMES = ('label_propagation', 'label_spreading')


def propagation(
  name: str, dataset: Dataset, labeled: np.ndarray, train: np.ndarray, test: np.ndarray
) -> dict[str, Any]:
  """Accuracy on test images, by their nearest images of the graph, and on the graph's without a label.

  Args:
    name: one of `NAMES`.
    dataset: its labels.
    labeled: positions in the training part whose labels are seen.
    train, test: features [n, d] of these parts.
  """
  seen, truth = np.full(len(train), -1, 'int32'), dataset.train_labels
  seen[labeled] = dataset.given_labels[labeled]
  points, new = (unit(features).astype('float32') for features in (train, test))
  inside, outside = map(np.asarray, _solver(name, dataset.classes)(points, new, seen))
  hidden = seen < 0
  return {
    'accuracy': accuracy(outside, dataset.test_labels),
    'transductive': accuracy(inside[hidden], truth[hidden]) if hidden.any() else None,
  }


@lru_cache
def _solver(name: str, classes: int) -> Callable[..., tuple[jax.Array, jax.Array]]:
  settings = {k: s.default for k, s in settings_of(methods.get(name)).items()}
  neighbors, width = settings['neighbors'], settings['width']

  def believe(edges: graph.Edges, seen: jax.Array) -> jax.Array:
    if name == 'label_propagation':
      return graph.propagate(edges, seen, classes)
    return graph.spread(edges, jax.nn.one_hot(seen, classes), settings['alpha'])

  def solve(points: jax.Array, new: jax.Array, seen: jax.Array) -> tuple[jax.Array, jax.Array]:
    graph.check_neighbors(neighbors, len(points))
    beliefs, scale = graph.settle(points, neighbors, width, lambda edges: believe(edges, seen))
    return beliefs, graph.induce(new, points, neighbors, scale, beliefs)

  return jax.jit(solve)
