"""What signs are worth: against SciPy, and on records whose correlation is planted."""

import json

import numpy as np
import pytest
from scipy import stats
from support.pages import grids_of
from support.records import record

from ssl_bench.leaderboard import aggregate, build
from ssl_bench.leaderboard.export import export
from ssl_bench.leaderboard.rank_correlation import RESAMPLES, correlation, drawn, spearman, within
from ssl_bench.leaderboard.signs import LEAST, signs

RNG = np.random.default_rng(0)


@pytest.mark.parametrize('digits', [0, 8])  # with ties, and without
def test_spearman_is_that_of_scipy_also_of_samples_with_counts(digits):
  x, y = RNG.normal(size=30).round(digits), RNG.normal(size=30).round(digits)
  assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
  counts = RNG.integers(0, 4, size=(7, 30))
  expected = [stats.spearmanr(np.repeat(x, row), np.repeat(y, row)).statistic for row in counts]
  assert spearman(x, y, counts) == pytest.approx(expected)
  assert np.isnan(spearman(x, np.ones(30)))


def test_resamples_have_as_many_pairs_of_each_stratum_and_every_pair_as_often():
  strata = ('a',) * 4 + ('b',) * 12
  counts = drawn(strata, 'seed')
  assert counts.shape == (RESAMPLES, 16)
  assert (counts[:, :4].sum(1) == 4).all() and (counts[:, 4:].sum(1) == 12).all()
  assert counts.mean(0) == pytest.approx(np.ones(16), abs=0.15)
  assert (drawn(strata, 'seed') == counts).all() and (drawn(strata, 'other') != counts).any()


def test_the_interval_is_that_of_a_plain_bootstrap():
  x = np.arange(24.0)
  y, strata = x + RNG.normal(0, 8, 24), ['a', 'b', 'c'] * 8
  found = correlation(x, y, strata, 's')
  drawn_again = [np.repeat(np.arange(24), row.astype(int)) for row in drawn(tuple(strata), 's')]
  values = [stats.spearmanr(x[own], y[own]).statistic for own in drawn_again]
  assert found == pytest.approx((stats.spearmanr(x, y).statistic, *np.quantile(values, [0.025, 0.975])))
  assert correlation(x, np.ones(24), strata, 's') is None


def test_within_methods_is_the_mean_of_their_own_weighted_by_size():
  """Between the groups the order is turned around (Simpson); a group of two has no say."""
  x = np.array([1.0, 2, 3, 4, 11, 12, 13, 14, 15, 16, 20, 21])
  y = np.array([11.0, 12, 14, 13, 1, 2, 3, 4, 6, 5, 0, -1])
  strata = ['a'] * 4 + ['b'] * 6 + ['c'] * 2
  found, count = within(x, y, strata, 's', least=4)
  a, b = (stats.spearmanr(x[part], y[part]).statistic for part in (slice(0, 4), slice(4, 10)))
  assert found.value == pytest.approx((4 * a + 6 * b) / 10) and count == 2
  assert found.low < found.value <= found.high and correlation(x, y, strata, 's').value < 0
  assert within(x, y, strata, 's', least=7) == (None, 0)


def trained(method, seed, rankme, accuracy, labels=40, looks=(), **changes):
  one = record(method, labels, seed, protocol='budget', accuracy=accuracy, **changes)
  one['family'] = 'self-supervised'
  one['metrics']['health']['rankme'] = rankme
  one['metrics']['linear']['accuracy'] = accuracy
  one['metrics']['linear_budget']['accuracy'] = accuracy
  one['evaluations'] = [
    {'step': 100 * i, 'pretext_loss': loss, 'knn': knn} for i, (loss, knn) in enumerate(looks, 1)
  ]
  return one


def planted():
  """Sixteen trainings of two methods at two budgets; RankMe goes with accuracy but for one pair."""
  order = np.arange(16.0)
  order[[3, 9]] = order[[9, 3]]
  looks = lambda i: [(3.0, 0.9), (2.0 - i / 100, 0.5 + i / 100)]  # all fall, and kNN with accuracy
  found = [
    trained(('simclr', 'byol')[i % 2], i, 5 + order[i], 0.5 + i / 100, labels, looks(i))
    for i in range(16)
    for labels in (40, 100)
  ]
  floors = [trained('random_weights', i, 50 - i, 0.1) for i in range(12)]
  stressed = [trained('simclr', i, 90 - i, 0.2, stress__label_noise=0.5) for i in range(12)]
  return [*found, *floors, *stressed]


def signs_of(records):
  return signs(aggregate(records), {one['id']: one for one in records}.get)


def test_a_planted_correlation_is_found_over_trainings_that_count_once():
  found = signs_of(planted())
  rankme = {one.labels: one for one in found.worth if one.sign == 'rankme'}
  order = np.arange(16.0)
  order[[3, 9]] = order[[9, 3]]
  expected = stats.spearmanr(order, np.arange(16)).statistic
  assert set(rankme) == {None, 40, 100}
  for one in rankme.values():
    assert (one.trainings, one.methods) == (16, 2)
    assert one.correlation.value == pytest.approx(expected)
    assert one.correlation.low < expected <= one.correlation.high <= 1
  knn = next(one for one in found.worth if one.sign == 'held_out_knn' and one.labels is None)
  assert knn.correlation.value == pytest.approx(1)
  loss = next(one for one in found.worth if one.sign == 'held_out_loss' and one.labels is None)
  assert loss.correlation is None and loss.within.value == pytest.approx(-1) and loss.methods_within == 2
  assert not [one for one in found.worth if one.sign in ('lidar', 'alignment')]  # not recorded, and constant


def test_verdicts_are_those_of_the_curves_or_of_the_record():
  found = signs_of(planted())
  assert len(found.judged) == 32 and all(one.falls for one in found.judged)
  one = trained('simclr', 0, 5, 0.5, looks=[(2.0, 0.5), (1.0, 0.9)])
  assert [judged.falls for judged in signs_of([one]).judged] == [False]
  one['metrics']['pretraining'] = {'knn': 0.7, 'verdict': 'Loss falls, probe falls: as it says'}
  assert [judged.said for judged in signs_of([one]).judged] == ['Loss falls, probe falls: as it says']


def test_too_few_trainings_have_no_correlation():
  few = [trained('simclr', i, i, 0.5 + i / 100) for i in range(LEAST - 1)]
  assert signs_of(few).worth == ()
  assert signs_of([*few, trained('simclr', LEAST, LEAST, 0.9)]).worth


def test_the_board_shows_them_everywhere(tmp_path):
  records = planted()
  board = build(records, out=tmp_path)
  grids = grids_of((tmp_path / 'index.html').read_text())
  rankme = next(row for row in grids['What signs are worth'] if row['sign'] == 'RankMe')
  found = next(one for one in signs_of(records).worth if one.sign == 'rankme')
  assert rankme['probe'] == 'all labels' and rankme['trainings'] == '16'
  assert rankme['Spearman ρ'] == f'{found.correlation.value:.2f}'
  verdicts = grids['Loss and probe']
  assert len(verdicts) == 32 and verdicts[0]['verdict'] == 'Loss falls, probe falls'
  assert verdicts[0]['looks'].startswith('from step 100 to 200 the held-out loss goes from 3 to ')
  readme = (tmp_path / 'README.md').read_text()
  assert found.correlation.low > 0 and 'RankMe 1 / 0 / 0' in readme
  assert 'Held-out loss falls while kNN falls in 32 of 32 trials with both.' in readme
  table = (tmp_path / 'tables/digits-budget-what-signs-are-worth.csv').read_text()
  assert table.startswith('probe,sign,said to be better,trainings,methods,Spearman ρ,')
  whole = json.loads(export(board, 'json', {one['id']: one for one in records}.get))
  kept = next(one for one in whole['signs']['worth'] if one['sign'] == 'rankme')
  assert kept['correlation']['value'] == pytest.approx(found.correlation.value, rel=1e-7)
  assert len(whole['signs']['judged']) == 32
