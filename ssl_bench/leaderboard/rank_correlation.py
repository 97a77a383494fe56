"""Spearman's rank correlation with intervals of a stratified bootstrap, on plain arrays."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ssl_bench.evaluation.ranks import midranks
from ssl_bench.leaderboard import resampling

Array = NDArray[np.float64]
RESAMPLES = 1000
LEVEL = 0.95


class Correlation(NamedTuple):
  """A rank correlation in [-1, 1], and its percentile interval, None where it has none."""

  value: float
  low: float | None
  high: float | None


def spearman(x: ArrayLike, y: ArrayLike, counts: ArrayLike | None = None) -> Array:
  """Spearman's correlation of x [n] and y [n]; ties have the mean of their ranks; NaN where one is constant.

  With counts [..., n] it is that of the samples which hold pair i so many times: [...].

      >>> float(spearman([1, 2, 3, 4], [1, 2, 4, 3]))
      0.8
  """
  weights = np.ones(np.shape(x)) if counts is None else np.asarray(counts, np.float64)
  one, other = (centered(np.asarray(values, np.float64), weights) for values in (x, y))
  return _correlated(one, other, weights)


def _correlated(one: Array, other: Array, counts: Array) -> Array:
  """The correlations [...] of ranks [..., n] less their means, where pair i counts counts[..., i] times.

  The sums are exact, as ranks end in one half at most.
  """
  product, *spread = (
    np.einsum('...i,...i,...i->...', counts, a, b) for a, b in ((one, other), (one, one), (other, other))
  )
  with np.errstate(invalid='ignore', divide='ignore'):
    found = product / np.sqrt(spread[0] * spread[1])
  return np.where((spread[0] > 1e-9) & (spread[1] > 1e-9), found, np.nan)


def centered(values: Array, counts: Array) -> Array:
  """The ranks of values [n] in samples of such counts [..., n] less their mean, (count + 1) / 2."""
  return midranks(values, counts) - (counts.sum(-1, keepdims=True) + 1) / 2


def correlation(x: ArrayLike, y: ArrayLike, strata: Sequence[str], seed: str) -> Correlation | None:
  """Spearman's correlation of all pairs, and its 95 % interval; None where a side is constant.

  Pairs are drawn again with replacement within each stratum [n], so every resample has as many pairs of each
  (Efron & Tibshirani 1993).  Draws depend on `seed` and the strata alone.  Resamples in which a side is
  constant are left out.
  """
  value = float(spearman(x, y))
  if np.isnan(value):
    return None
  return Correlation(value, *_interval(_resampled(x, y, strata, seed)))


def _resampled(x: ArrayLike, y: ArrayLike, strata: Sequence[str], seed: str) -> Array:
  """`spearman` of each resample, [RESAMPLES]."""
  counts = drawn(tuple(strata), seed)
  one = centered(np.asarray(x, np.float64), counts)
  other = _centered_again(tuple(np.asarray(y, np.float64).tolist()), tuple(strata), seed)
  return _correlated(one, other, counts)


@lru_cache(64)
def _centered_again(values: tuple[float, ...], strata: tuple[str, ...], seed: str) -> Array:
  """The ranks of a side in each resample; the accuracies of trainings are compared with many signs."""
  return centered(np.asarray(values), drawn(strata, seed))


def within(
  x: ArrayLike, y: ArrayLike, strata: Sequence[str], seed: str, least: int
) -> tuple[Correlation | None, int]:
  """The mean of the strata's own correlations, weighted by their pairs, its interval, and the strata in it.

  Strata of fewer than `least` pairs and those in which a side is constant are left out; None and 0 where none
  is left.  Resamples as in `correlation`.
  """
  x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
  values, weights, resampled = [], [], []
  for name, where in _places(strata):
    own = float(spearman(x[where], y[where])) if len(where) >= least else np.nan
    if not np.isnan(own):
      values.append(own)
      weights.append(len(where))
      resampled.append(_resampled(x[where], y[where], [name] * len(where), seed))
  if not values:
    return None, 0
  every = np.array(resampled)
  own_weights = np.array(weights, np.float64)[:, None] * ~np.isnan(every)
  total = own_weights.sum(0)
  means = np.where(total > 0, (own_weights * np.nan_to_num(every)).sum(0) / np.maximum(total, 1), np.nan)
  return Correlation(float(np.average(values, weights=weights)), *_interval(means)), len(values)


@lru_cache(64)
def drawn(strata: tuple[str, ...], seed: str) -> Array:
  """How often each pair is in each resample, [RESAMPLES, n]."""
  counts = np.zeros((RESAMPLES, len(strata)))
  for name, where in _places(strata):
    digest = hashlib.sha256(f'{seed}/{name}'.encode()).digest()
    counts[:, where] = resampling.counts(int.from_bytes(digest, 'big'), RESAMPLES, len(where))
  counts.flags.writeable = False
  return counts


def _places(strata: Sequence[str]) -> Iterator[tuple[str, NDArray[np.intp]]]:
  names = np.asarray(strata)
  for name in sorted(set(strata)):
    yield name, np.flatnonzero(names == name)


def _interval(values: Array) -> tuple[float | None, float | None]:
  known = values[~np.isnan(values)]
  if len(known) < RESAMPLES / 2:
    return None, None
  low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
  return float(low), float(high)
