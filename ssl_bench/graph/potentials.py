"""Poisson's equation on a graph, solved on the host in float64 in each connected part by itself."""

from collections.abc import Callable

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from ssl_bench.graph.solvers import ACCURACY, Grounded, settle, symmetric

LARGEST = 1e30  # potential, so that float32 can hold it: parts that next to nothing joins have such ones


def poisson(edges, labels, *, classes: int):
  """The potentials of `graph.poisson`, float64 [n, classes]."""
  weights, known = symmetric(*edges, points=len(labels)), labels >= 0
  parts, part = connected_components(weights, directed=False)
  count = np.zeros((parts, classes))  # labels of each part, by class
  np.add.at(count, (part[known], labels[known]), 1)
  total = count.sum(1, keepdims=True)
  mean = np.divide(count, total, out=np.zeros_like(count), where=total > 0)
  source = np.zeros((len(labels), classes))
  source[known] = np.eye(classes)[labels[known]] - mean[part[known]]
  potential = np.zeros_like(source)
  one_class = ((count > 0).sum(1) == 1)[part]
  potential[one_class] = mean[part[one_class]] - 1 / classes
  mixed = ((count > 0).sum(1) > 1)[part]
  degree = weights.sum(1)
  if mixed.any():
    within = np.flatnonzero(mixed)
    _, local = np.unique(part[within], return_inverse=True)
    found = _solve(weights[within][:, within], source[within], degree[within], local)
    potential[within] = np.clip(degree[within].mean() * found, -LARGEST, LARGEST)
  return potential


def _solve(weights: sparse.csr_array, source, degree, part):
  """u with Σ_j w_ij (u_i - u_j) = source_i, and Σ_i d_i u_i = 0 in each of the parts 0, 1, …

  One point of each part, the one of largest degree, is held at 0; the rest is shifted in the end.
  """
  order = np.lexsort((-degree, part))
  held = order[np.searchsorted(part[order], np.arange(part.max() + 1))]
  free = np.setdiff1d(np.arange(len(part)), held)
  rows = weights[free]
  inner = sparse.triu(rows[:, free], 1, 'coo')
  system = Grounded(np.stack(inner.coords), inner.data, rows[:, held].sum(1), source[free])
  found = np.zeros_like(source)
  found[free] = settle(system, _small_beside_first())
  volume = np.bincount(part, degree)
  middle = np.stack([np.bincount(part, degree * column) / volume for column in found.T], 1)
  return found - middle[part]


def _small_beside_first() -> Callable:
  """A test whether the estimated error is small beside the first estimate, that of the potentials."""
  first: list[float] = []

  def enough(residual, estimate) -> bool:
    largest = np.abs(estimate).max(initial=0)
    first.append(largest)
    return largest <= ACCURACY * first[0]

  return enough
