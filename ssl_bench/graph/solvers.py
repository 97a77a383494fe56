"""Sparse linear systems of a graph, solved on the host in float64, accurately in every part of the graph.

A global tolerance would accept a solution that is wrong in parts connected by weak edges only: the flow there
is below the tolerance.  So label propagation uses differences along edges, which lose nothing, a
preconditioner of the parts at every scale of the weights, and a stopping rule per point; label spreading is
solved repeatedly, each time for the points whose values are small beside the largest.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

ACCURACY = 1e-12  # bound on the error of a point's belief, as the preconditioner estimates it
RESIDUAL = 1e-12  # of label spreading, relative to the right-hand side
SETTLED = 1e-3  # a row is accurate if its sum is at least this part of the largest
RIGID = 1e-12  # a part whose beliefs differ by less becomes one point
SMALLEST = 1e-30  # the least sum of a row whose entries float32 can hold
ITERATIONS = 20_000


def symmetric(value, index, start=None, *, points: int | None = None, add: bool = False) -> sparse.csr_array:
  """The symmetric matrix of edges, float64 [n, n]; edges of weight 0, or not finite, are left out.

  The edges are those of `graph.Edges`, or with `start` those of `graph.Listed` among `points` points.
  """
  if start is None:
    points, k = index.shape
    start = np.repeat(np.arange(points), k)
  value = np.asarray(value, 'float64').ravel()
  value = np.where(np.isfinite(value), value, 0)  # from a network that diverged, which the log shows
  one_way = sparse.csr_array((value, (start, np.ravel(index))), shape=(points, points))
  both = one_way + one_way.T if add else one_way.maximum(one_way.T)
  both = sparse.csr_array(both)
  both.eliminate_zeros()
  return both


# Label propagation.


class Grounded(NamedTuple):
  """The system of the points without a label: their edges, and the weights that tie each to labels.

  It is Σ_j w_ij (F_i - F_j) + leak_i F_i = right_i.
  """

  ends: Any  # int [2, edges]
  weight: Any  # float64 [edges]
  leak: Any  # float64 [n], summed weights of the edges to labeled points
  right: Any  # float64 [n, classes], the same sums by label


def harmonic(edges, labels, *, classes: int):
  """The beliefs of `graph.propagate`, float64 [n, classes]."""
  weights, known = symmetric(*edges, points=len(labels)), labels >= 0
  beliefs = np.zeros((len(labels), classes))
  beliefs[known, labels[known]] = 1
  _, part = connected_components(weights, directed=False)
  free = np.flatnonzero(~known & np.isin(part, part[known]))
  if not len(free):
    return beliefs
  across = weights[free]
  to_labels = across[:, np.flatnonzero(known)]
  inner = sparse.triu(across[:, free], 1, 'coo')
  system = Grounded(np.stack(inner.coords), inner.data, to_labels.sum(1), to_labels @ beliefs[known])
  system, of = contract(system)
  beliefs[free] = np.maximum(settle(system), 0)[of]
  return beliefs


class Parts(NamedTuple):
  """The connected parts of a graph at one scale of its weights."""

  of: Any  # int [n], the part of each point
  size: Any  # int [parts]
  out: Any  # float64 [parts], summed weights of the edges that leave a part
  resistance: Any  # float64 [parts], an upper bound between any two of its points


def scales(system: Grounded) -> Iterator[Parts]:
  """The parts that edges of weight at least 10^e connect, from the largest such e downwards.

  They are read off the spanning tree of least resistance, 1 / weight.
  """
  n, (i, j) = len(system.leak), system.ends
  tree = minimum_spanning_tree(sparse.csr_array((1 / system.weight, (i, j)), shape=(n, n))).tocoo()
  decade = -np.floor(np.log10(tree.data))
  for least in np.unique(decade)[::-1]:
    kept = decade >= least
    joined = sparse.csr_array((tree.data[kept], (tree.row[kept], tree.col[kept])), shape=(n, n))
    count, of = connected_components(joined, directed=False)
    leaves = of[i] != of[j]
    out = np.bincount(of, system.leak, count)
    for end in (i, j):
      out += np.bincount(of[end[leaves]], system.weight[leaves], count)
    resistance = np.bincount(of[tree.row[kept]], tree.data[kept], count)
    yield Parts(of, np.bincount(of, minlength=count), out, resistance)


def contract(system: Grounded) -> tuple[Grounded, Any]:
  """The system with each part of nearly equal beliefs as one point, and the new point of each old one.

  The flow into a part is at most `out`, so its beliefs differ by at most `out` times its resistance.
  """
  n = len(system.leak)
  of = np.arange(n)
  for i, parts in enumerate(scales(system)):
    rigid = (parts.size > 1) & (parts.out * parts.resistance < RIGID)
    of = np.where(rigid[parts.of], (i + 1) * n + parts.of, of)
  names, of = np.unique(of, return_inverse=True)
  if len(names) == n:
    return system, of
  ends = np.sort(of[system.ends], 0)
  apart = ends[0] != ends[1]
  shape = (len(names), len(names))
  joined = sparse.coo_array((system.weight[apart], tuple(ends[:, apart])), shape=shape).tocsr().tocoo()
  member = sparse.csr_array((np.ones(n), (of, np.arange(n))), shape=(len(names), n))
  return Grounded(np.stack(joined.coords), joined.data, member @ system.leak, member @ system.right), of


def accurate(residual, estimate) -> bool:
  """Whether no belief is off by more than `ACCURACY`, as the preconditioned residual estimates it."""
  return np.abs(estimate).max() <= ACCURACY


def settle(system: Grounded, enough: Callable = accurate):
  """The solution [n, classes] by preconditioned conjugate gradients, which end as they say."""
  n, (i, j) = len(system.leak), system.ends
  edges = np.arange(len(i))
  step = sparse.csr_array(
    (np.repeat([1.0, -1.0], len(i)), (np.tile(edges, 2), np.concatenate([i, j]))), shape=(len(i), n)
  )
  back, weight, leak = step.T.tocsr(), system.weight[:, None], system.leak[:, None]
  degree = leak + abs(back) @ weight
  coarse = []
  for parts in scales(system):
    inverse = np.where(parts.size > 1, 1 / parts.out, 0)
    member = sparse.csr_array((np.ones(n), (parts.of, np.arange(n))), shape=(len(inverse), n))
    coarse.append((member, member.T.tocsr(), inverse[:, None]))

  def apply(x):
    return back @ (weight * (step @ x)) + leak * x

  def precondition(r):
    return r / degree + sum(spread @ (inverse * (gather @ r)) for gather, spread, inverse in coarse)

  return conjugate_gradients(apply, precondition, system.right, enough)


# Label spreading.


def diffuse(edges, targets, alpha, *, add: bool):
  """F of `graph.spread`, float64 [n, classes]."""
  weights, alpha = symmetric(*edges, points=len(targets), add=add), float(alpha)
  right = (1 - alpha) * np.asarray(targets, 'float64')
  degree = weights.sum(1)
  root = np.divide(1, np.sqrt(degree), out=np.zeros_like(degree), where=degree > 0)
  flow = alpha * (sparse.diags_array(root) @ weights @ sparse.diags_array(root))
  _, part = connected_components(weights, directed=False)
  left = np.flatnonzero(np.isin(part, part[right.sum(1) > 0]))
  found, system = np.zeros_like(right), sparse.csr_array(sparse.eye_array(len(degree)) - flow)
  while len(left):
    rows = system[left]
    inner = rows[:, left]
    rest = right[left] - rows @ found  # including the flow from settled points
    solved = np.maximum(conjugate_gradients(inner.__matmul__, lambda r: r, rest, _small_beside(rest)), 0)
    total = solved.sum(1)
    if not total.max() > 0:
      break
    settled = total >= SETTLED * total.max()
    found[left[settled]] = solved[settled]
    left = left[~settled]
  total = found.sum(1, keepdims=True)
  return np.where((total > 0) & (total < SMALLEST), found / np.maximum(total, 1e-300) * SMALLEST, found)


def _small_beside(right) -> Callable:
  """A test whether a residual is small in every column."""
  limit = RESIDUAL * np.linalg.norm(right, axis=0)
  return lambda r, z: (np.linalg.norm(r, axis=0) <= limit).all()


def conjugate_gradients(apply: Callable, precondition: Callable, right, enough: Callable):
  """X [n, columns] with apply(X) = right, by preconditioned conjugate gradients for each column.

  `apply` is symmetric and positive definite.  `enough` decides from the residual and the preconditioned
  residual whether to stop.  Raises `RuntimeError` where it never does.
  """
  x, r = np.zeros_like(right), right.copy()
  z = precondition(r)
  p, energy = z.copy(), (r * z).sum(0)
  for _ in range(ITERATIONS):
    if enough(r, z):
      return x
    flow = apply(p)
    length = _ratio(energy, (p * flow).sum(0))
    x += length * p
    r -= length * flow
    z = precondition(r)
    energy, old = (r * z).sum(0), energy
    p = z + _ratio(energy, old) * p
  raise RuntimeError(f'labels did not settle on the graph in {ITERATIONS} iterations; take more neighbors.')


def _ratio(a, b):
  return np.divide(a, b, out=np.zeros_like(a), where=b > 0)
