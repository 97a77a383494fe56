"""Drift of each feature alone: Kolmogorov-Smirnov with a correction, and the population stability index."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Array = NDArray[np.float64]

BINS = 10


def ks_statistics(a: ArrayLike, b: ArrayLike) -> Array:
  """[d]: the largest distance between the distribution functions of each feature of [n, d] and [m, d]."""
  a, b = np.sort(np.asarray(a, np.float64), 0), np.sort(np.asarray(b, np.float64), 0)
  found = np.empty(a.shape[1])
  for i, (one, other) in enumerate(zip(a.T, b.T)):
    levels = np.concatenate([one, other])
    below = [np.searchsorted(part, levels, side='right') / len(part) for part in (one, other)]
    found[i] = np.abs(below[0] - below[1]).max()
  return found


def ks_test(a: ArrayLike, b: ArrayLike) -> tuple[float, float]:
  """(largest statistic, corrected p-value) of two-sample Kolmogorov-Smirnov tests of features [n, d], [m, d].

  Bonferroni's correction: the least p-value times the number of features, 1 at most, as Rabanser et al.,
  "Failing Loudly: An Empirical Study of Methods for Detecting Dataset Shift" (2019), section 3.2, test each
  dimension.  It holds whatever the features have to do with each other, and is conservative where they are
  alike.  The p-value of a statistic D is that of the one-sample test with n m / (n + m) rows, SciPy's
  `method='asymp'`; with ties, as between levels of pixels, it is conservative.

  Example:
    >>> ks_test(np.zeros((30, 1)), np.ones((30, 1)))[0]
    1.0
  """
  largest = ks_statistics(a, b).max()
  n, m, features = len(np.asarray(a)), len(np.asarray(b)), np.asarray(a).shape[1]
  p = stats.kstwo.sf(largest, np.round(n * m / (n + m)))
  return float(largest), float(min(1.0, features * p))


def psi(a: ArrayLike, b: ArrayLike, bins: int = BINS) -> tuple[Array, float]:
  """The population stability index [d] of features [n, d] against [m, d], and what chance makes of it.

  Σ (p_b − q_b) ln(p_b / q_b) over `bins` bins that hold equal shares of the first set (deciles by default), p
  and q the shares of the two sets: the symmetric Kullback-Leibler divergence of the binned sets, in nats,
  ≥ 0.  Half an example is added to each bin, so that an empty one stays finite.  Where a level of a feature
  fills a whole bin, it is a bin of its own.

  The thresholds 0.1 and 0.25 of credit scoring are conventions that do not know how many rows there are
  (Yurdakul, "Statistical Properties of Population Stability Index", 2018).  Where nothing has drifted, the
  index is about (bins − 1) (1/n + 1/m) in the mean, which is the second value.
  """
  a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
  found = np.array([_psi(one, other, bins) for one, other in zip(a.T, b.T)])
  return found, (bins - 1) * (1 / len(a) + 1 / len(b))


def _psi(a: Array, b: Array, bins: int) -> float:
  """Of one feature."""
  edges = np.quantile(a, np.arange(1, bins) / bins)
  distinct = np.unique(edges)
  shares = []
  for part in (a, b):
    place = np.searchsorted(distinct, part, side='left')
    if len(distinct) < len(edges):  # a level fills a bin: the edges are bins as well
      place = place + np.searchsorted(distinct, part, side='right')
    shares.append(np.bincount(place, minlength=2 * len(distinct) + 1) + 0.5)
  used = (shares[0] > 0.5) | (shares[1] > 0.5)
  p, q = (share[used] / share[used].sum() for share in shares)
  return float(((p - q) * np.log(p / q)).sum())
