"""What a point of accuracy over the baseline costs: ratios of means over splits, with bootstrap intervals."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from ssl_bench.evaluation.intervals import FEWEST
from ssl_bench.leaderboard import resampling
from ssl_bench.leaderboard.read import Pair, Trial
from ssl_bench.leaderboard.rows import PerPoint, Row
from ssl_bench.leaderboard.statistics import values

Array = NDArray[np.float64]

RESAMPLES = 5000
LEVEL = 0.95
HOUR = 3600


def per_point(costs: ArrayLike, gains: ArrayLike) -> PerPoint:
  """The mean cost of [N] splits divided by their mean gain in points.

  The interval is a bootstrap over splits of the gain per cost, turned over: a resample without a gain counts
  as an unbounded cost, so `high` is infinite where the lower end of the gain is none.  The ends are expanded
  percentiles, which make up for the narrowness of percentiles of few splits: instead of 2.5 % there are
  Φ(-√(N / (N - 1)) t) of resamples outside of each end, t being Student's 97.5 % quantile of N - 1 degrees of
  freedom.  Bootstrap of cost-effectiveness ratios: Campbell and Torgerson, QJM 92 (1999); expanded
  percentiles: Hesterberg, The American Statistician 69 (2015).

  Args:
    costs: [N], positive, in any unit.
    gains: [N], accuracy minus that of the baseline on the same split, in [-1, 1].

  Example:
    >>> per_point([30.0, 50.0], [0.01, 0.03]).value
    20.0
  """
  cost, gain = np.asarray(costs, np.float64), 100 * np.asarray(gains, np.float64)
  n, mean = len(cost), float(gain.mean())
  if round(mean, 9) <= 0:
    return PerPoint(None, None, None, n)
  value = float(cost.mean()) / mean
  if n < FEWEST:
    return PerPoint(value, None, None, n)
  drawn, outside = resampling.counts(n, RESAMPLES, n), expanded(n)
  least, most = np.quantile((drawn @ gain) / (drawn @ cost), [outside, 1 - outside])
  turned = lambda rate: float(1 / rate) if rate > 1e-12 / value else float('inf')
  return PerPoint(value, turned(most), turned(least), n)


@lru_cache(64)
def expanded(n: int) -> float:
  """The share of resamples of N splits outside of each end of an interval."""
  t = special.stdtrit(n - 1, (1 + LEVEL) / 2)
  return float(special.ndtr(-np.sqrt(n / (n - 1)) * t))


def of_row(row: Row, baseline: Row | None, price: float | None = None) -> dict[str, PerPoint]:
  """Name of a cost -> what a point over the baseline costs, over the splits that both rows have.

  `gflops` of the whole training, its teachers' included; `seconds` of its steps; `money`, where a price of
  one device-hour is given.  Seconds and money are missing where trials ran on several kinds of device, and
  where there are teachers, whose seconds no record has.
  """
  if baseline is None or row is baseline or row.sees_more_labels:
    return {}
  costs: dict[str, Callable[[Trial], float | None]] = {'gflops': training_gflops}
  if len(row.devices) <= 1:
    costs['seconds'] = training_seconds
    if price is not None:
      costs['money'] = lambda trial: _money(trial, price)
  theirs = values(baseline.trials, 'accuracy')
  own = values(row.trials, 'accuracy')
  found = {name: _of_cost(row.trials, cost, own, theirs) for name, cost in costs.items()}
  return {name: one for name, one in found.items() if one}


def _of_cost(
  trials: Sequence[Trial],
  cost: Callable[[Trial], float | None],
  own: Mapping[Pair, float],
  theirs: Mapping[Pair, float],
) -> PerPoint | None:
  """The cost per point over the pairs that have a cost and both accuracies; seeds of a split are averaged."""
  known: dict[Pair, list[float]] = {}
  for trial in trials:
    if (found := cost(trial)) is not None and trial.pair in own and trial.pair in theirs:
      known.setdefault(trial.pair, []).append(found)
  spent: dict[str, list[float]] = {}
  gained: dict[str, list[float]] = {}
  for pair in sorted(known):
    spent.setdefault(pair.group, []).append(_mean(known[pair]))
    gained.setdefault(pair.group, []).append(own[pair] - theirs[pair])
  costs, gains = ([_mean(found) for found in by_split.values()] for by_split in (spent, gained))
  return per_point(costs, gains) if costs and min(costs) > 0 else None


def _mean(found: Sequence[float]) -> float:
  return sum(found) / len(found)  # of a few numbers, much faster than NumPy's


def training_gflops(trial: Trial) -> float | None:
  """What the whole training took, its teachers' included; None where no step was counted."""
  steps = trial.measured.get('steps_taken') or float(trial.settings.get('steps', 0))
  each = trial.measured.get('gflops_per_step')
  if each is None or not steps:
    return None
  return each * steps + trial.measured.get('teacher_gflops', 0)


def training_seconds(trial: Trial) -> float | None:
  """Seconds of all steps by the clock; a trial's share of them where several were trained in one program.

  None where they were not kept, where nothing was trained, and where teachers were trained as well.
  """
  seconds = trial.measured.get('train_seconds')
  if seconds is None or not training_gflops(trial) or 'teacher_gflops' in trial.measured:
    return None
  return seconds / max(1.0, trial.measured.get('together', 1))


def _money(trial: Trial, price: float) -> float | None:
  """The price of a trial's seconds on all of its devices; `price` is of one device-hour."""
  seconds = training_seconds(trial)
  return None if seconds is None else seconds * trial.devices * price / HOUR
