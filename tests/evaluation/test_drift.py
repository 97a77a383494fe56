"""Drift between two sets against SciPy, scikit-learn and plain loops; its rates by simulation."""

import doctest
import json
from itertools import product
from pathlib import Path

import drift_rates
import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import ssl_bench.evaluation.drift as drift_package
from ssl_bench.evaluation import shifts
from ssl_bench.evaluation.drift import TESTS, classifier, distances, drift, encoders, marginals
from ssl_bench.settings.signature import BadSetting

ROOT = Path(__file__).parents[2]


def sets(n=60, m=45, d=3, by=0.4, seed=0):
  rng = np.random.default_rng(seed)
  return rng.normal(size=(n, d)), by + rng.normal(size=(m, d))


def test_ks_is_scipys_feature_by_feature():
  a, b = sets(d=4)
  a[:, 3], b[:, 3] = np.round(a[:, 3]), np.round(b[:, 3])  # with ties
  theirs = [stats.ks_2samp(x, y, method='asymp') for x, y in zip(a.T, b.T)]
  np.testing.assert_allclose(marginals.ks_statistics(a, b), [one.statistic for one in theirs], rtol=1e-12)
  largest, p = marginals.ks_test(a, b)
  assert largest == pytest.approx(max(one.statistic for one in theirs))
  assert p == pytest.approx(4 * min(one.pvalue for one in theirs))
  assert marginals.ks_test(a, a)[1] == 1.0  # four times 1 is no probability


def plain_mmd(a, b):
  both = [*a, *b]
  apart = [np.linalg.norm(x - y) for i, x in enumerate(both) for y in both[:i]]
  kernel = lambda x, y: np.exp(-(np.linalg.norm(x - y) ** 2) / (2 * np.median(apart) ** 2))
  within = lambda part: np.mean(
    [kernel(x, y) for i, x in enumerate(part) for j, y in enumerate(part) if i != j]
  )
  return within(a) + within(b) - 2 * np.mean([kernel(x, y) for x, y in product(a, b)])


def test_mmd_is_its_definition_in_loops():
  a, b = sets(12, 9, by=0.2)
  found, p = distances.mmd_test(a, b, permutations=99)
  assert found == pytest.approx(plain_mmd(a, b), rel=1e-9)
  # The p-value, over permutations of rows as NumPy draws them one by one.
  rng, both = np.random.default_rng(3), np.concatenate([a, b])
  larger = [plain_mmd(rows[:12], rows[12:]) >= found for rows in (rng.permutation(both) for _ in range(60))]
  assert abs(p - (1 + sum(larger)) / 61) < 0.2
  assert distances.mmd_test(a, a + 3, permutations=99)[1] == 0.01


def test_energy_distance_is_scipys_in_one_dimension_and_its_definition_in_several():
  a, b = sets(d=1)
  found, _ = distances.energy_test(a, b, permutations=19)
  assert found == pytest.approx(stats.energy_distance(a[:, 0], b[:, 0]), rel=1e-9)
  a, b = sets(9, 7)
  mean = lambda one, other: np.mean([np.linalg.norm(x - y) for x, y in product(one, other)])
  expected = np.sqrt(2 * mean(a, b) - mean(a, a) - mean(b, b))
  assert distances.energy_test(a, b, permutations=19)[0] == pytest.approx(expected)
  assert distances.energy_test(a, a, permutations=19) == (pytest.approx(0, abs=1e-6), 1.0)


def test_a_permutation_test_counts_every_assignment_alike():
  """3 and 3 rows have 20 assignments; the one that is most apart and its mirror image are 2 of them."""
  rows = np.array([[0.0], [0.1], [0.3], [5.0], [5.2], [5.9]])
  p = distances.energy_test(rows[:3], rows[3:], permutations=19_999)[1]
  assert stats.binomtest(round(p * 20_000), 20_000, 2 / 20).pvalue > 1e-3


def test_the_classifier_is_scikit_learns_and_its_p_value_fishers():
  a, b = sets(200, 150, by=0.2)
  accuracy, p = classifier.classifier_test(a, b, seed=4)
  rng = np.random.default_rng(4)
  both = np.concatenate([part[rng.permutation(len(part))[:150]] for part in (a, b)])
  labels, order = np.repeat([0, 1], 150), rng.permutation(300)
  fit, test = order[:150], order[150:]
  scaler = StandardScaler().fit(both[fit])
  model = LogisticRegression(C=1 / (150 * 0.01), tol=1e-8, max_iter=1000)
  said = model.fit(scaler.transform(both[fit]), labels[fit]).predict(scaler.transform(both[test]))
  assert accuracy == pytest.approx((said == labels[test]).mean())
  table = [[((said == i) & (labels[test] == j)).sum() for j in (1, 0)] for i in (1, 0)]
  assert p == pytest.approx(stats.fisher_exact(table, alternative='greater').pvalue)


def test_psi_is_its_sum_over_deciles():
  a, b = sets(5000, 4000, d=2, by=0.1)
  found, by_chance = marginals.psi(a, b)
  for i in range(2):
    edges = [-np.inf, *np.quantile(a[:, i], np.arange(1, 10) / 10), np.inf]
    p, q = (np.histogram(part[:, i], edges)[0] / len(part) for part in (a, b))
    assert found[i] == pytest.approx(((p - q) * np.log(p / q)).sum(), abs=3e-4)
  assert by_chance == pytest.approx(9 * (1 / 5000 + 1 / 4000))
  rng = np.random.default_rng(0)
  same = [marginals.psi(rng.normal(size=(500, 1)), rng.normal(size=(400, 1))) for _ in range(300)]
  assert np.mean([one[0] for one in same]) == pytest.approx(same[0][1], rel=0.1)


def test_psi_of_levels_that_fill_bins():
  a, b = np.zeros((100, 1)), np.full((100, 1), -3.0)  # a constant that moves down
  shares = np.array([100.5, 0.5]) / 101
  expected = 2 * (shares[0] - shares[1]) * np.log(shares[0] / shares[1])
  assert marginals.psi(a, b)[0][0] == pytest.approx(expected)
  assert marginals.psi(b, a)[0][0] == pytest.approx(expected)
  assert marginals.psi(a, a)[0][0] == 0


def test_all_of_them_on_images_and_what_they_refuse():
  a, b = sets(80, 60, 6, by=0)
  found = drift(a.reshape(80, 3, 2), b.reshape(60, 3, 2), permutations=199)
  assert set(found.tests) == set(TESTS) and found.rows == (80, 60) and not found.alarm
  assert found == drift(a, b, permutations=199)._replace(psi=found.psi)  # drawn alike
  few = drift(a, b, permutations=199, rows=30)
  assert few.tests['ks'] == found.tests['ks'] and few.tests['mmd'] != found.tests['mmd']
  assert drift(a, b + 1, permutations=199).alarm
  with pytest.raises(BadSetting, match='same features; the first has 6, the second 5'):
    drift(a, b[:, :5])
  with pytest.raises(BadSetting, match='needs 20 rows; these have 80 and 19'):
    drift(a, b[:19])
  with pytest.raises(BadSetting, match='second set holds values that are not finite'):
    drift(a, np.where(b > 2, np.nan, b))
  with pytest.raises(BadSetting, match=r'50 permutations cannot raise an alarm at alpha 0\.05; take 80'):
    drift(a, b, permutations=50)
  with pytest.raises(BadSetting, match='alpha must be between 0 and 1, not 2'):
    drift(a, b, alpha=2)


@pytest.mark.parametrize('module', [drift_package, marginals, encoders, shifts], ids=lambda one: one.__name__)
def test_examples_are_true(module):
  found = doctest.testmod(module)
  assert found.attempted and not found.failed


def test_false_alarms_are_rare_and_a_planted_shift_is_found():
  """Few repetitions; `python tests/drift_rates.py` makes many, and its result is kept."""
  found = drift_rates.rates(30, rows=120, features=4, permutations=99)
  nothing, moved = found['nothing'], found['a fifth of the rows']
  for name in (*TESTS, 'any'):
    assert stats.binomtest(round(nothing[name] * 30), 30, 0.05, 'greater').pvalue > 1e-3, name
  assert moved['energy'] > 0.7 and moved['any'] > 0.5


def test_the_kept_rates_are_as_stated():
  """False alarms: no test above its rate, those with exact p-values at it; power: as the page says."""
  kept = json.loads((ROOT / 'tests/drift_rates.json').read_text(encoding='utf-8'))
  repetitions, rates = kept['repetitions'], kept['alarms']
  assert repetitions >= 500 and set(rates) == {*drift_rates.SHIFTS, drift_rates.DIGITS}
  without = {shift for shift in rates if shift.startswith('nothing')}
  for name, rate in ((name, rate) for shift in without for name, rate in rates[shift].items()):
    count = round(rate * repetitions)
    assert stats.binomtest(count, repetitions, 0.05, 'greater').pvalue > 0.01, (name, rate)
    if name in ('mmd', 'energy'):
      assert stats.binomtest(count, repetitions, 0.05).pvalue > 0.01, (name, rate)
  for shift in set(rates) - without:
    assert max(rates[shift].values()) > 0.8, shift
  page = (ROOT / 'docs/shift.md').read_text(encoding='utf-8')
  for shift, row in rates.items():
    line = ' | '.join([shift, *(f'{100 * row[name]:.1f}' for name in (*TESTS, 'any'))])
    assert f'| {line} |' in page, line
