"""Middle ranks are SciPy's, bit for bit."""

import numpy as np
import pytest
from scipy.stats import rankdata

from ssl_bench.evaluation.ranks import midranks, probability_above


@pytest.mark.parametrize('values', [1, 3, 40, 1000])
def test_ranks_are_scipys(values):
  rng = np.random.default_rng(values)
  for size in (1, 2, 7, 500):
    drawn = rng.integers(0, values, size) / 7 - 1
    np.testing.assert_array_equal(midranks(drawn), rankdata(drawn))


def test_ends_and_what_is_no_number():
  for values in ([], [np.inf, -np.inf, 0.0, -0.0, np.inf], [1.0, np.nan, 0.0]):
    np.testing.assert_array_equal(midranks(values), rankdata(values))


def test_counts_are_copies():
  rng = np.random.default_rng(3)
  values, counts = rng.integers(0, 5, 30) / 3, rng.integers(0, 4, (6, 30))
  for own, found in zip(counts, midranks(values, counts)):
    expected = rankdata(np.repeat(values, own))
    np.testing.assert_array_equal(np.repeat(found, own), expected)


def test_a_probability_is_a_share_of_pairs():
  rng = np.random.default_rng(4)
  one, other = rng.integers(0, 9, 17) / 2, rng.integers(0, 9, 23) / 2
  pairs = (one[:, None] > other) + 0.5 * (one[:, None] == other)
  assert probability_above(one, other) == pytest.approx(pairs.mean(), abs=1e-15)
