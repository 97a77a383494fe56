"""Drift: whether two sets of inputs, features or predictions come from one distribution.

Rows are examples and columns are features; whatever shape an example has, its values are its features.  Rows
must be independent: the same images twice, or seconds of one sound, are not.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from ssl_bench.evaluation.drift.classifier import classifier_test
from ssl_bench.evaluation.drift.distances import energy_test, mmd_test
from ssl_bench.evaluation.drift.marginals import ks_test, psi
from ssl_bench.settings.signature import BadSetting

__all__ = [
  'ROWS',
  'TESTS',
  'Drift',
  'Found',
  'classifier_test',
  'drift',
  'energy_test',
  'ks_test',
  'mmd_test',
  'psi',
]

Array = NDArray[np.float64]

ROWS = 1_000  # of each set that MMD and energy distance compare, whose cost grows with their square
FEWEST = 20  # rows of a set
TESTS = {
  'ks': 'Kolmogorov-Smirnov, largest of the features',
  'mmd': 'maximum mean discrepancy, squared',
  'energy': 'energy distance',
  'classifier': 'accuracy of a classifier of the two sets',
}


class Found(NamedTuple):
  """A test's statistic and its p-value; that of `ks` is corrected for the number of features."""

  statistic: float
  p: float


class Drift(NamedTuple):
  """What the tests say of two sets.

  Attributes:
    tests: name of a test -> what it found; the names are those of `TESTS`.
    alarm: whether the least p-value, times the number of tests (Bonferroni), is at most `alpha`.
    alpha: the rate of false alarms that is allowed, at most.
    psi: population stability index of each feature [d]; it has no p-value and raises no alarm.
    psi_by_chance: about what it is where nothing has drifted.
    rows: of the two sets.
  """

  tests: Mapping[str, Found]
  alarm: bool
  alpha: float
  psi: Array
  psi_by_chance: float
  rows: tuple[int, int]


def drift(
  reference: ArrayLike,
  other: ArrayLike,
  *,
  alpha: float = 0.05,
  permutations: int = 999,
  rows: int = ROWS,
  seed: int = 0,
) -> Drift:
  """All four tests and the population stability index of two sets.

  Args:
    reference: [n, …], what was seen before.
    other: [m, …], what is seen now, each example of the same shape.
    alpha: the allowed rate of false alarms, over the four tests together.
    permutations: of the p-values of MMD and energy distance, which are at least 1 / (1 + permutations).
    rows: at most so many of each set, drawn by `seed`, are compared by MMD and energy distance.
    seed: of what is drawn.

  Raises:
    BadSetting: the sets have other features, fewer than 20 rows, or values that are not finite.

  Example:
    >>> rng = np.random.default_rng(0)
    >>> drift(rng.normal(size=(200, 3)), rng.normal(1, 1, (200, 3))).alarm
    True
  """
  a, b = in_rows(reference), in_rows(other)
  check(a, b)
  if not 0 < alpha < 1 or len(TESTS) / (permutations + 1) > alpha:
    raise BadSetting(
      f'{permutations} permutations cannot raise an alarm at alpha {alpha}; take {int(len(TESTS) / alpha)}.'
      if 0 < alpha < 1
      else f'alpha must be between 0 and 1, not {alpha}.'
    )
  few = _some(a, rows, seed), _some(b, rows, seed + 1)
  with threadpool_limits(1, 'blas'):  # more of them wait for each other longer than they compute
    tests = {
      'ks': Found(*ks_test(a, b)),
      'mmd': Found(*mmd_test(*few, permutations=permutations, seed=seed)),
      'energy': Found(*energy_test(*few, permutations=permutations, seed=seed)),
      'classifier': Found(*classifier_test(a, b, seed=seed)),
    }
  index, by_chance = psi(a, b)
  alarm = min(one.p for one in tests.values()) * len(tests) <= alpha
  return Drift(tests, bool(alarm), alpha, index, by_chance, (len(a), len(b)))


def in_rows(examples: ArrayLike) -> Array:
  """Examples [n, …] as float64 [n, d]; numbers [n] are one feature."""
  values = np.asarray(examples, np.float64)
  return values.reshape(len(values), -1)


def check(a: Array, b: Array) -> None:
  """Raises `BadSetting` where two sets cannot be compared."""
  if a.shape[1] != b.shape[1]:
    raise BadSetting(f'Two sets need the same features; the first has {a.shape[1]}, the second {b.shape[1]}.')
  if not a.shape[1]:
    raise BadSetting('The sets have no features; give examples with one value at least.')
  if min(len(a), len(b)) < FEWEST:
    raise BadSetting(f'A set needs {FEWEST} rows; these have {len(a)} and {len(b)}.')
  for which, part in (('first', a), ('second', b)):
    if not np.isfinite(part).all():
      raise BadSetting(f'The {which} set holds values that are not finite; leave those rows out.')


def _some(values: Array, rows: int, seed: int) -> Array:
  """At most so many rows, drawn without replacement."""
  if len(values) <= rows:
    return values
  return values[np.random.default_rng(seed).choice(len(values), rows, replace=False)]
