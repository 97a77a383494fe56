"""Distances between two sets, MMD and energy distance, with p-values by permutation."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Statistic = Callable[[Array, Array, Array, int, int], Array]

CHUNK = 2**25  # values of permuted rows that are held at once


def mmd_test(a: ArrayLike, b: ArrayLike, *, permutations: int = 999, seed: int = 0) -> tuple[float, float]:
  """(squared MMD, p-value) of two sets [n, d] and [m, d].

  The unbiased estimate of Gretton et al., "A Kernel Two-Sample Test" (2012), lemma 6; it may be below 0.  The
  kernel is Gaussian, exp(−‖x − y‖² / (2 σ²)), σ the median distance between two rows of both sets together
  (their heuristic); where more than half of the pairs are equal, the mean distance.  The p-value is (1 + how
  many permutations of the rows have a value as large) / (1 + permutations), which is valid at any size.
  """
  between = distances(np.concatenate([np.asarray(a, np.float64), np.asarray(b, np.float64)]))
  return permuted(_mmd, gaussian(between), len(np.asarray(a)), permutations, seed)


def energy_test(a: ArrayLike, b: ArrayLike, *, permutations: int = 999, seed: int = 0) -> tuple[float, float]:
  """(energy distance, p-value) of two sets [n, d] and [m, d].

  sqrt(2 E‖X − Y‖ − E‖X − X'‖ − E‖Y − Y'‖), the means over all pairs of rows, each with itself among them
  (Székely & Rizzo 2013); in one dimension SciPy's `energy_distance`.  0 only where the sets are equal.  The
  p-value is that of `mmd_test`.
  """
  between = distances(np.concatenate([np.asarray(a, np.float64), np.asarray(b, np.float64)]))
  squared, p = permuted(_energy, between, len(np.asarray(a)), permutations, seed)
  return float(np.sqrt(max(squared, 0.0))), p


def distances(rows: Array) -> Array:
  """[N, N]: Euclidean distances between rows [N, d], exactly 0 on the diagonal."""
  from scipy.spatial.distance import pdist, squareform

  return squareform(pdist(rows))


def gaussian(between: Array) -> Array:
  """The Gaussian kernel [N, N] of distances [N, N] by the median heuristic, with 0 on the diagonal."""
  apart = between[np.triu_indices(len(between), 1)]
  width = np.median(apart) or apart.mean() or 1.0
  kernel = np.exp(-(between**2) / (2 * width**2))
  np.fill_diagonal(kernel, 0)
  return kernel


def permuted(statistic: Statistic, pairs: Array, n: int, permutations: int, seed: int) -> tuple[float, float]:
  """(value, p-value) of a statistic of sums over pairs of rows; the first n rows are the first set.

  `statistic` takes the sums of `pairs` [N, N], symmetric and 0 on the diagonal, within the first set, between
  the sets and within the second, each [R] for R assignments of rows, and both sizes.
  """
  size, rng = len(pairs), np.random.default_rng(seed)
  whole, of_row = pairs.sum(), pairs.sum(1)

  def values(first: Array) -> Array:
    """[R] of R assignments, where `first` [R, N] is 1 for a row of the first set and else 0."""
    within = ((first @ pairs) * first).sum(1)
    across = first @ of_row - within
    return statistic(within, across, whole - within - 2 * across, n, size - n)

  found = float(values((np.arange(size) < n)[None].astype(np.float64))[0])
  as_large, left = 0, permutations
  while left:
    count = min(left, max(1, CHUNK // size))
    drawn = rng.permuted(np.tile((np.arange(size) < n).astype(np.float64), (count, 1)), axis=1)
    as_large += int((values(drawn) >= found - 1e-12 * abs(whole) / size**2).sum())
    left -= count
  return found, (1 + as_large) / (1 + permutations)


def _mmd(first: Array, across: Array, second: Array, n: int, m: int) -> Array:
  return first / (n * (n - 1)) + second / (m * (m - 1)) - 2 * across / (n * m)


def _energy(first: Array, across: Array, second: Array, n: int, m: int) -> Array:
  return 2 * across / (n * m) - first / n**2 - second / m**2
