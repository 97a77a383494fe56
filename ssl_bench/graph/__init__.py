"""Graphs of nearest neighbors: edges found on the device, labels carried along them by sparse solvers.

A graph is the k nearest of every point; it is made symmetric where it is solved.  The solvers run on the host
in float64, called from inside a compiled function.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssl_bench.graph import search
from ssl_bench.graph.solvers import diffuse, harmonic, symmetric
from ssl_bench.settings.signature import BadSetting

__all__ = [
  'Edges',
  'check_neighbors',
  'gaussian',
  'induce',
  'labels_of',
  'logits',
  'nearest',
  'propagate',
  'settle',
  'shares',
  'spread',
  'symmetric',
]


class Edges(NamedTuple):
  """Of each of n points its k nearest: a value of the edge (a distance, a weight) and where it leads."""

  value: Any  # float32 [n, k]
  index: Any  # int32 [n, k]


def check_neighbors(k: int, points: int) -> None:
  """Raises `BadSetting` where there are not so many others."""
  if k >= points:
    raise BadSetting(f'A graph of {points} images has at most {points - 1} neighbors each, not {k}.')


def nearest(points, bank, k: int, *, same: bool = False) -> Edges:
  """Squared Euclidean distances to the k nearest of `bank` [m, d] of each of `points` [n, d], nearest first.

  Exact but for the rounding of float32 in a sum of squared differences, wherever the points are; of equally
  near ones, those that come first.  With `same`, the points are the bank and none is its own neighbor.
  """
  return Edges(*search.nearest(points, bank, k, same=same))


def gaussian(edges: Edges, scale, *, relative: bool = False) -> Edges:
  """Weights exp(-d² / scale) of squared distances; with a scale of 0 their limit, 1 where d = 0 and else 0.

  With `relative`, d² is less the smallest of each point: its neighbors' shares stay the same, and those of a
  point that is far from all do not vanish.
  """
  squared = edges.value - edges.value.min(1, keepdims=True) if relative else edges.value
  return edges._replace(value=jnp.where(squared == 0, 1, jnp.exp(-squared / scale)))


def labels_of(labeled, n: int):
  """int32 [n]: the labels at their places among n points, -1 elsewhere; padding is not `valid`."""
  at = jnp.where(labeled['valid'], labeled['index'], n)
  return jnp.full(n, -1, 'int32').at[at].set(labeled['label'], mode='drop')


def propagate(edges: Edges, labels, classes: int):
  """Label propagation: each point believes the weighted mean of its neighbors, the labeled ones their label.

  The harmonic solution: D_uu - W_uu times F_u equals W_ul Y_l, with W symmetric and D the sums of its rows.

  Args:
    edges: weights ≥ 0; W has max(w_ij, w_ji).
    labels: int32 [n], -1 where there is none.
    classes: how many there are.

  Returns:
    Beliefs, float32 [n, classes], exact to about 1e-6, however weakly parts of the graph hang together; rows
    sum to 1, or to 0 where no path leads to a label.
  """
  return _on_host(partial(harmonic, classes=classes), (len(labels), classes), *edges, labels)


def spread(edges: Edges, targets, alpha, *, add: bool = False):
  """Label spreading: F with (I - α S) F = (1 - α) Y and S = D^(-1/2) W D^(-1/2).

  Args:
    edges: weights ≥ 0; W has max(w_ij, w_ji), or with `add` their sum w_ij + w_ji.
    targets: Y, float32 [n, classes], zero where there is no label.
    alpha: how much comes from the neighbors, in [0, 1).

  Returns:
    F ≥ 0, float32 [n, classes], each row exact relative to its own sum, however far it is from a label; zero
    where no path leads to one.  Rows whose sum is too small for float32 are scaled to 1e-30.
  """
  return _on_host(partial(diffuse, add=add), targets.shape, *edges, targets, alpha)


def shares(beliefs):
  """Rows that sum to 1; a row of zeros becomes uniform."""
  total = beliefs.sum(-1, keepdims=True)
  return jnp.where(total > 0, beliefs / jnp.where(total > 0, total, 1), 1 / beliefs.shape[-1])


def settle(points, neighbors: int, width, believe: Callable):
  """Beliefs on the graph of points [n, d], rows that sum to 1 [n, classes], and the scale of its kernel.

  Where all neighbors are duplicates the scale is 0 and every edge weighs 1.

  Args:
    points: float32.
    neighbors: edges of each point.
    width: of the kernel, in units of the root mean squared distance of the edges.
    believe: edges with their weights -> beliefs ≥ 0 [n, classes], such as `propagate` and `spread`.
  """
  edges = nearest(points, points, neighbors, same=True)
  scale = jnp.square(width) * edges.value.mean()
  return shares(believe(gaussian(edges, scale))), scale


def induce(points, bank, neighbors: int, scale, beliefs):
  """Beliefs of new points: the mean of those of their nearest in the bank, weighted by the graph's kernel.

  Delalleau, Bengio and Le Roux (2005), "Efficient Non-Parametric Function Induction in Semi-Supervised
  Learning": what minimizes the graph's objective in one more point, the others held.
  """
  edges = gaussian(nearest(points, bank, neighbors), scale, relative=True)
  return shares((edges.value[..., None] * beliefs[edges.index]).sum(1))


def logits(shares):
  """Their logarithms, of at least float32's rounding, so that no label costs infinitely much."""
  return jnp.log(jnp.maximum(shares, jnp.finfo('float32').eps))


def _on_host(function: Callable, shape: tuple[int, ...], *arrays):
  """The function of NumPy arrays, float32 of a shape, as a part of what is compiled."""

  def call(*given):
    return np.asarray(function(*map(np.asarray, given)), 'float32')

  result = jax.ShapeDtypeStruct(shape, 'float32')
  return jax.pure_callback(call, result, *arrays, vmap_method='sequential')
