"""Graphs of nearest neighbors: edges found on the device, labels carried along them by SciPy's solvers.

A graph is the k nearest of every point; it is made symmetric where it is solved.  The solvers run on the host
in float64, called from inside a compiled function.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import cg

from ssl_bench.signature import BadSetting

_HELD = 2**27  # distances held at once
_TOLERANCE = 1e-10  # of a solution: the norm of what is left of the right side


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

  Exact, by blocks of one matrix product; of equally near ones, those that come first.  With `same`, the
  points are the bank and none is its own neighbor.
  """
  center = bank.mean(0)
  points, bank = points - center, bank - center  # what is near the origin loses fewer digits
  squares, rows, found = jnp.square(bank).sum(1), max(1, _HELD // len(bank)), []
  for start in range(0, len(points), rows):
    block = points[start : start + rows]
    products = jnp.matmul(block, bank.T, precision='highest')
    distance = jnp.square(block).sum(1)[:, None] + squares - 2 * products
    if same:
      own = start + jnp.arange(len(block))
      distance = distance.at[jnp.arange(len(block)), own].set(jnp.inf)
    found.append(jax.lax.top_k(-distance, k))
  value, index = (jnp.concatenate(part) for part in zip(*found))
  return Edges(jnp.maximum(-value, 0), index)


def gaussian(edges: Edges, scale, *, relative: bool = False) -> Edges:
  """Weights exp(-d² / scale) of squared distances.

  With `relative`, d² is less the smallest of each point: its neighbors' shares stay the same, and those of a
  point that is far from all do not vanish.
  """
  squared = edges.value - edges.value.min(1, keepdims=True) if relative else edges.value
  return edges._replace(value=jnp.exp(-squared / scale))


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
    Beliefs, float32 [n, classes]; rows sum to 1, or to 0 where no path leads to a label.
  """
  return _on_host(partial(_harmonic, classes=classes), (len(labels), classes), *edges, labels)


def spread(edges: Edges, targets, alpha, *, add: bool = False):
  """Label spreading: F with (I - α S) F = (1 - α) Y and S = D^(-1/2) W D^(-1/2).

  Args:
    edges: weights ≥ 0; W has max(w_ij, w_ji), or with `add` their sum w_ij + w_ji.
    targets: Y, float32 [n, classes], zero where there is no label.
    alpha: how much comes from the neighbors, in [0, 1).

  Returns:
    F ≥ 0, float32 [n, classes]; zero where no path leads to a label.
  """
  return _on_host(partial(_diffuse, add=add), targets.shape, *edges, targets, alpha)


def shares(beliefs):
  """Rows that sum to 1; a row of zeros becomes uniform."""
  total = beliefs.sum(-1, keepdims=True)
  return jnp.where(total > 0, beliefs / jnp.where(total > 0, total, 1), 1 / beliefs.shape[-1])


def settle(points, neighbors: int, width, believe: Callable):
  """Beliefs on the graph of points [n, d], rows that sum to 1 [n, classes], and the scale of its kernel.

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


def symmetric(value, index, *, add: bool = False) -> sparse.csr_array:
  """The symmetric matrix of some edges, float64 [n, n]; one of weight 0, or not finite, is none."""
  n, k = index.shape
  rows, value = np.repeat(np.arange(n), k), np.asarray(value, 'float64').ravel()
  value = np.where(np.isfinite(value), value, 0)  # of a network that diverged, which the log will tell
  one_way = sparse.csr_array((value, (rows, np.ravel(index))), shape=(n, n))
  both = one_way + one_way.T if add else one_way.maximum(one_way.T)
  both = sparse.csr_array(both)
  both.eliminate_zeros()
  return both


def _harmonic(value, index, labels, *, classes):
  weights, known = symmetric(value, index), labels >= 0
  beliefs = np.zeros((len(labels), classes))
  beliefs[known, labels[known]] = 1
  _, part = connected_components(weights, directed=False)
  free = np.flatnonzero(~known & np.isin(part, part[known]))
  laplacian = sparse.diags_array(weights.sum(1)) - weights
  right = weights[free][:, np.flatnonzero(known)] @ beliefs[known]
  beliefs[free] = solve(laplacian.tocsr()[free][:, free], right)
  return np.maximum(beliefs, 0)


def _diffuse(value, index, targets, alpha, *, add):
  weights = symmetric(value, index, add=add)
  degree = weights.sum(1)
  root = np.divide(1, np.sqrt(degree), out=np.zeros_like(degree), where=degree > 0)
  flow = float(alpha) * (sparse.diags_array(root) @ weights @ sparse.diags_array(root))
  system = sparse.csr_array(sparse.eye_array(len(degree)) - flow)
  return np.maximum(solve(system, (1 - float(alpha)) * np.asarray(targets, 'float64')), 0)


def solve(matrix, right):
  """X with matrix · X = right, matrix sparse, symmetric and positive definite: conjugate gradients by column.

  The diagonal is scaled to 1 first (Jacobi).  Raises `RuntimeError` where it does not converge.
  """
  if not len(right):
    return right
  scale = 1 / np.sqrt(matrix.diagonal())
  scaled = sparse.diags_array(scale) @ matrix @ sparse.diags_array(scale)
  columns = []
  for column in (scale[:, None] * right).T:
    found, failed = cg(scaled, column, rtol=_TOLERANCE, maxiter=10_000)
    if failed:
      raise RuntimeError(f'labels did not settle on the graph in {failed} iterations; take more neighbors.')
    columns.append(scale * found)
  return np.stack(columns, 1)


def _on_host(function: Callable, shape: tuple[int, ...], *arrays):
  """The function of NumPy arrays, float32 of a shape, as a part of what is compiled."""

  def call(*given):
    return np.asarray(function(*map(np.asarray, given)), 'float32')

  result = jax.ShapeDtypeStruct(shape, 'float32')
  return jax.pure_callback(call, result, *arrays, vmap_method='sequential')
