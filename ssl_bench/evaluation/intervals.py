"""How sure a number is: Student-t over repetitions, paired differences, bootstrap over images."""

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Array = NDArray[np.float64]

FEWEST = 3  # independent repetitions below which no interval is shown
_CHUNK = 2**22  # resampled weights held at once


class Interval(NamedTuple):
  """`mean` ± `half_width`; the latter is None where there are too few values to say."""

  mean: float
  half_width: float | None


def mean_interval(values: ArrayLike, level: float = 0.95) -> Interval:
  """The mean of [N] values and the half width of its Student-t interval at `level` in (0, 1).

  Half width = t_{(1 + level) / 2, N - 1} s / sqrt(N) with the unbiased s; None below 3 values.
  Raises ValueError if there are no values.
  """
  values = np.asarray(values, np.float64)
  if values.ndim != 1 or not len(values):
    raise ValueError(f'an interval needs a list of values, not an array of shape {values.shape}.')
  return _intervals(values[None], level)[0]


def _intervals(values: Array, level: float) -> list[Interval]:
  """`mean_interval` of each row of values [M, N]."""
  n = values.shape[-1]
  means = values.mean(-1).tolist()
  if n < FEWEST:
    return [Interval(mean, None) for mean in means]
  halves = _student_t(level, n - 1) * values.std(-1, ddof=1) / np.sqrt(n)
  return list(map(Interval, means, halves.tolist()))


@lru_cache(1024)
def _student_t(level: float, freedom: int) -> float:
  """t_{(1 + level) / 2, freedom}, which takes longer than the rest of an interval."""
  return float(special.stdtrit(freedom, (1 + level) / 2))


def paired_interval(
  a: ArrayLike, b: ArrayLike, level: float = 0.95, groups: Sequence[Hashable] | None = None
) -> Interval:
  """The mean of a - b and its half width, where a[i] and b[i] share split and seed; None below 3 pairs.

  With `groups`, as `grouped_interval` of the differences.
  """
  a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
  if a.shape != b.shape:
    raise ValueError(f'pairs need as many values on both sides, not {a.shape} and {b.shape}.')
  return mean_interval(a - b, level) if groups is None else grouped_interval(a - b, groups, level)


def grouped_interval(values: ArrayLike, groups: Sequence[Hashable], level: float = 0.95) -> Interval:
  """`mean_interval` of the means of each group of values [N]; groups[i] names the group of values[i].

  Values of one group, such as seeds on one split, are not independent; the groups are.  Each group counts
  once, however many values it has.
  """
  return grouped_intervals(np.asarray(values, np.float64)[None], groups, level)[0]


def grouped_intervals(values: ArrayLike, groups: Sequence[Hashable], level: float = 0.95) -> list[Interval]:
  """`grouped_interval` of each row of values [M, N]; groups[i] names the group of column i."""
  values = np.asarray(values, np.float64)
  if values.shape[1:] != (len(groups),):
    raise ValueError(f'values of shape {values.shape[1:]} need a group each, not {len(groups)}.')
  places: dict[Hashable, list[int]] = {}
  for place, group in enumerate(groups):
    places.setdefault(group, []).append(place)
  own = [values[:, at[0]] if len(at) == 1 else values.take(at, -1).mean(-1) for at in places.values()]
  return _intervals(np.stack(own, -1), level)


def weighted_mean(weights: Array, values: Array) -> Array:
  """The mean of [N] values under each row of [R, N] weights: the bootstrap's simplest statistic."""
  return weights @ values / weights.sum(-1)


def bootstrap_interval(
  statistic: Callable[..., Array],
  *arrays: ArrayLike,
  level: float = 0.95,
  resamples: int = 1000,
  seed: int = 0,
) -> tuple[float, float]:
  """Percentile bootstrap interval (low, high) over the first axis of `arrays` (Efron 1979).

  `statistic(weights, *arrays)` gets the arrays as they are and weights [R, N], the number of times that each
  example was drawn (rows sum to N), and returns [R] values.  Nothing is recomputed per resample: accuracy is
  `bootstrap_interval(weighted_mean, correct(logits, labels))`.
  """
  values = [np.asarray(a) for a in arrays]
  n, rng = len(values[0]), np.random.default_rng(seed)
  rows = max(1, _CHUNK // n)
  chunks = [min(rows, resamples - start) for start in range(0, resamples, rows)]
  draws = np.concatenate([statistic(_draw(rng, r, n), *values) for r in chunks])
  low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
  return float(low), float(high)


def _draw(rng: np.random.Generator, rows: int, n: int) -> Array:
  drawn = rng.integers(n, size=(rows, n)) + n * np.arange(rows)[:, None]
  return np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)
