"""Graphs: edges found on the device, or given; labels carried along them by sparse solvers.

A graph holds the k nearest neighbors of every point, or a list of edges; the solvers make it symmetric.  They
run on the host in float64, called from a compiled function.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssl_bench.graph import host, search
from ssl_bench.graph.potentials import poisson as solve_poisson
from ssl_bench.graph.solvers import diffuse, harmonic, symmetric
from ssl_bench.settings.signature import BadSetting

__all__ = [
  'Edges',
  'Listed',
  'check_neighbors',
  'gaussian',
  'induce',
  'labels_of',
  'logits',
  'nearest',
  'poisson',
  'propagate',
  'settle',
  'shares',
  'spread',
  'symmetric',
]


class Edges(NamedTuple):
  """The k nearest neighbors of n points: the value of each edge (a distance, a weight) and the neighbor."""

  value: Any  # float32 [n, k]
  index: Any  # int32 [n, k]


class Listed(NamedTuple):
  """Edges one after the other, each in at least one direction: their weights and the points at their ends."""

  value: Any  # float32 [edges]
  index: Any  # int32 [edges]
  start: Any  # int32 [edges]


def check_neighbors(k: int, points: int) -> None:
  """Raises `BadSetting` where a point has fewer than k others."""
  if k >= points:
    raise BadSetting(f'A graph of {points} images has at most {points - 1} neighbors each, not {k}.')


def nearest(points, bank, k: int, *, same: bool = False) -> Edges:
  """For each of `points` [n, d] the k nearest in `bank` [m, d] by squared Euclidean distance, nearest first.

  Exact but for the rounding of float32 in a sum of squared differences, wherever the points are; ties go to
  the lower index.  With `same`, the points are the bank and none is its own neighbor.
  """
  return Edges(*search.nearest(points, bank, k, same=same))


def gaussian(edges: Edges, scale, *, relative: bool = False) -> Edges:
  """Weights exp(-d² / scale) of squared distances; with a scale of 0 their limit, 1 where d = 0 and else 0.

  With `relative`, each point's smallest d² is subtracted first: its neighbors' shares stay the same, and the
  weights of a point that is far from all others do not vanish.
  """
  squared = edges.value - edges.value.min(1, keepdims=True) if relative else edges.value
  return edges._replace(value=jnp.where(squared == 0, 1, jnp.exp(-squared / scale)))


def labels_of(labeled, n: int):
  """int32 [n]: the labels at their indices among n points, -1 elsewhere; padding is not `valid`."""
  at = jnp.where(labeled['valid'], labeled['index'], n)
  return jnp.full(n, -1, 'int32').at[at].set(labeled['label'], mode='drop')


def propagate(edges: Edges | Listed, labels, classes: int):
  """Label propagation: beliefs are weighted means of the neighbors' beliefs; labeled points keep their label.

  The harmonic solution: (D_uu - W_uu) F_u = W_ul Y_l, with W symmetric and D the diagonal of its row sums.

  Args:
    edges: weights ≥ 0; W has max(w_ij, w_ji).
    labels: int32 [n], -1 where there is none.
    classes: the number of classes.

  Returns:
    Beliefs, float32 [n, classes], exact to about 1e-6, however weakly parts of the graph hang together; rows
    sum to 1, or to 0 where no path leads to a label.
  """
  return _on_host(partial(harmonic, classes=classes), (len(labels), classes), edges, labels)


def poisson(edges: Edges | Listed, labels, classes: int):
  """Poisson learning: potentials whose sources are the labels.

  L u = Σ_j (y_j - ȳ) δ_j over the labeled points j, with L = D - W and Σ_i d_i u_i = 0, in each part
  with labels of several classes by itself, where ȳ is the mean of its own labels.  They are multiplied by the
  mean degree of these parts' points, so that the unit of the weights does not matter.

  Args:
    edges: weights ≥ 0; W has max(w_ij, w_ji).
    labels: int32 [n], -1 where there is none.
    classes: the number of classes.

  Returns:
    float32 [n, classes]; in a part whose labels are all of one class y - 1 / classes, and 0 in one without a
    label.
  """
  return _on_host(partial(solve_poisson, classes=classes), (len(labels), classes), edges, labels)


def spread(edges: Edges | Listed, targets, alpha, *, add: bool = False):
  """Label spreading: F with (I - α S) F = (1 - α) Y and S = D^(-1/2) W D^(-1/2).

  Args:
    edges: weights ≥ 0; W has max(w_ij, w_ji), or with `add` their sum w_ij + w_ji.
    targets: Y, float32 [n, classes], zero where there is no label.
    alpha: α, the share that comes from the neighbors, in [0, 1).

  Returns:
    F ≥ 0, float32 [n, classes], each row exact relative to its own sum, however far it is from a label; zero
    where no path leads to one.  Rows whose sum is too small for float32 are scaled to 1e-30.
  """
  return _on_host(partial(diffuse, add=add), targets.shape, edges, targets, alpha)


def shares(beliefs):
  """Beliefs divided by their sums, so that rows sum to 1; a row of zeros becomes uniform."""
  total = beliefs.sum(-1, keepdims=True)
  return jnp.where(total > 0, beliefs / jnp.where(total > 0, total, 1), 1 / beliefs.shape[-1])


def settle(points, neighbors: int, width, believe: Callable):
  """Beliefs on the graph of points [n, d]: rows that sum to 1 [n, classes], and the scale of the kernel.

  Where all neighbors are duplicates, the scale is 0 and every edge has weight 1.

  Args:
    points: float32.
    neighbors: number of neighbors of each point.
    width: width of the kernel, in units of the root mean squared length of the edges.
    believe: edges with their weights -> beliefs ≥ 0 [n, classes], such as `propagate` and `spread`.
  """
  edges = nearest(points, points, neighbors, same=True)
  scale = jnp.square(width) * edges.value.mean()
  return shares(believe(gaussian(edges, scale))), scale


def induce(points, bank, neighbors: int, scale, beliefs):
  """Beliefs of new points: the mean beliefs of their nearest neighbors in the bank, weighted by the kernel.

  They minimize the graph's objective in one more point with the others fixed (Delalleau, Bengio and Le Roux
  2005, "Efficient Non-Parametric Function Induction in Semi-Supervised Learning").
  """
  edges = gaussian(nearest(points, bank, neighbors), scale, relative=True)
  return shares((edges.value[..., None] * beliefs[edges.index]).sum(1))


def logits(shares):
  """Logarithms of shares, each at least float32's rounding error, so that every cross-entropy is finite."""
  return jnp.log(jnp.maximum(shares, jnp.finfo('float32').eps))


def _on_host(function: Callable, shape: tuple[int, ...], *trees):
  """Calls a function of NumPy arrays from a compiled program; its result is float32 of that shape."""

  leaves, structure = jax.tree.flatten(trees)

  def call(*given):
    return (np.asarray(function(*jax.tree.unflatten(structure, given)), 'float32'),)

  (result,) = host.call(call, [jax.ShapeDtypeStruct(shape, 'float32')], *leaves)
  return result
