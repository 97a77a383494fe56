"""Intervals against SciPy, and how often they hold what they should."""

import time

import numpy as np
import pytest
from scipy import stats

from ssl_bench.evaluation import intervals


@pytest.mark.parametrize('level', [0.9, 0.95])
def test_mean_interval_is_the_one_sample_t_interval(level):
  values = np.random.default_rng(0).normal(0.9, 0.02, 7)
  mean, half = intervals.mean_interval(values, level)
  assert half is not None
  low, high = stats.ttest_1samp(values, 0).confidence_interval(level)
  assert (mean - half, mean + half) == pytest.approx((low, high))


def test_paired_interval_is_the_paired_t_interval():
  rng = np.random.default_rng(1)
  base = rng.normal(0.8, 0.1, 5)
  better = base + rng.normal(0.03, 0.01, 5)
  mean, half = intervals.paired_interval(better, base)
  unpaired = intervals.mean_interval(better).half_width
  assert half is not None and unpaired is not None
  low, high = stats.ttest_rel(better, base).confidence_interval(0.95)
  assert (mean - half, mean + half) == pytest.approx((low, high))
  assert half < unpaired


@pytest.mark.parametrize('n', [2, 3, 9, 200])
def test_intervals_of_many_rows_are_those_of_each_to_the_last_bit(n):
  """The board takes them at once, and its bytes must not depend on that; every third group has two values."""
  values = np.random.default_rng(3).normal(0.9, 0.02, (50, n))
  single = intervals.grouped_intervals(values, range(n))
  groups = [i - (i % 3 == 1) for i in range(n)]
  for row, one, grouped in zip(values, single, intervals.grouped_intervals(values, groups)):
    half = stats.t.ppf(0.975, n - 1) * np.std(row, ddof=1) / np.sqrt(n) if n > 2 else None
    assert one == (np.mean(row), half)
    means = [np.mean(row[np.equal(groups, group)]) for group in sorted(set(groups))]
    assert grouped == intervals.mean_interval(means)


def test_below_three_values_there_is_a_mean_and_no_interval():
  assert intervals.mean_interval([0.5, 0.7]) == (pytest.approx(0.6), None)
  assert intervals.mean_interval([0.5]) == (0.5, None)
  assert intervals.mean_interval([0.5, 0.5, 0.5]) == (0.5, 0)


def test_values_that_cannot_be_averaged_are_refused():
  with pytest.raises(ValueError, match='needs a list of values'):
    intervals.mean_interval([])
  with pytest.raises(ValueError, match='as many values on both sides'):
    intervals.paired_interval([1, 2, 3], [1, 2])


def test_bootstrap_of_a_mean_agrees_with_scipy():
  values = np.random.default_rng(2).exponential(size=400)
  ours = intervals.bootstrap_interval(intervals.weighted_mean, values, resamples=4000)
  theirs = stats.bootstrap((values,), np.mean, n_resamples=4000, method='percentile', rng=0)
  width = theirs.confidence_interval.high - theirs.confidence_interval.low
  assert ours == pytest.approx(tuple(theirs.confidence_interval), abs=0.05 * width)


def test_bootstrap_weights_are_resamples_and_the_seed_decides():
  seen = []

  def watch(weights, values):
    seen.append(weights)
    return intervals.weighted_mean(weights, values)

  values = np.arange(50.0)
  first = intervals.bootstrap_interval(watch, values, seed=3)
  assert sum(len(w) for w in seen) == 1000
  assert all((w.sum(-1) == 50).all() and (w >= 0).all() for w in seen)
  assert first == intervals.bootstrap_interval(intervals.weighted_mean, values, seed=3)
  assert first != intervals.bootstrap_interval(intervals.weighted_mean, values, seed=4)


def test_bootstrap_takes_large_sets_in_chunks():
  values = np.random.default_rng(4).normal(size=10_000)
  start = time.perf_counter()
  low, high = intervals.bootstrap_interval(intervals.weighted_mean, values)
  assert time.perf_counter() - start < 5
  assert (high - low) / 2 == pytest.approx(1.96 / 100, rel=0.1)


def test_values_of_a_group_count_once():
  values, groups = [1.0, 3.0, 5.0, 8.0, 2.0, 2.0], ['a', 'a', 'b', 'b', 'c', 'c']
  mean, half = intervals.grouped_interval(values, groups)
  means = [2.0, 6.5, 2.0]
  low, high = stats.t.interval(0.95, 2, loc=np.mean(means), scale=stats.sem(means))
  np.testing.assert_allclose([mean - half, mean + half], [low, high])
  assert intervals.grouped_interval(values, range(6)) == intervals.mean_interval(values)
  assert intervals.paired_interval(values, [0.0] * 6, groups=groups) == (mean, half)
  assert intervals.grouped_interval(values, 'aaabbb').half_width is None  # two groups are too few
  with pytest.raises(ValueError, match='need a group each'):
    intervals.grouped_interval(values, 'ab')
