"""Middle ranks are SciPy's, bit for bit."""

import numpy as np
import pytest
from scipy.stats import rankdata

from ssl_bench.evaluation.ranks import midranks


@pytest.mark.parametrize('values', [1, 3, 40, 1000])
def test_ranks_are_scipys(values):
  rng = np.random.default_rng(values)
  for size in (1, 2, 7, 500):
    drawn = rng.integers(0, values, size) / 7 - 1
    np.testing.assert_array_equal(midranks(drawn), rankdata(drawn))


def test_ends_and_what_is_no_number():
  for values in ([], [np.inf, -np.inf, 0.0, -0.0, np.inf], [1.0, np.nan, 0.0]):
    np.testing.assert_array_equal(midranks(values), rankdata(values))
