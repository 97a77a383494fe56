"""Statistics over tasks: against SciPy, plain NumPy and published tables, and what they choose."""

from itertools import product

import numpy as np
import pytest
from scipy import stats
from support.records import record

from ssl_bench.leaderboard import aggregate
from ssl_bench.leaderboard.across import compare
from ssl_bench.leaderboard.complete import Task, complete
from ssl_bench.leaderboard.hypotheses import (
  critical_difference,
  friedman,
  holm,
  nemenyi_q,
  paired_p,
  signed_rank,
)
from ssl_bench.leaderboard.interquartile import exceeding, interquartile_mean, overall
from ssl_bench.leaderboard.named import average_ranks

RNG = np.random.default_rng(0)


@pytest.mark.parametrize('digits', [1, 8])  # with ties, and without
def test_friedman_is_that_of_scipy(digits):
  values = np.round(RNG.normal(size=(12, 5)) + np.linspace(0, 1, 5), digits)
  ours, theirs = friedman(values), stats.friedmanchisquare(*values.T)
  assert ours.chi2 == pytest.approx(theirs.statistic, rel=1e-12)
  assert ours.p == pytest.approx(theirs.pvalue, rel=1e-10)
  ranks = [
    np.mean([1 + (row > row[j]).sum() + ((row == row[j]).sum() - 1) / 2 for row in values]) for j in range(5)
  ]
  assert ours.ranks == pytest.approx(ranks)
  f = 11 * ours.chi2 / (12 * 4 - ours.chi2)
  assert (ours.f, ours.f_p) == pytest.approx((f, 1 - stats.f.cdf(f, 4, 44)), rel=1e-9)


def test_friedman_of_equal_and_of_perfectly_ordered_treatments():
  assert friedman(np.ones((4, 3)))[1:3] == (0, 1)
  ordered = friedman(np.tile([3.0, 2.0, 1.0], (6, 1)))
  assert ordered.chi2 == pytest.approx(12) and ordered.f_p == 0
  with pytest.raises(ValueError, match='3 treatments'):
    friedman(np.ones((4, 2)))


def test_critical_values_are_those_of_demsars_table_5():
  at_5 = [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]
  at_10 = [1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920]
  assert [nemenyi_q(k) for k in range(2, 11)] == pytest.approx(at_5, abs=1e-3)
  assert [nemenyi_q(k, 0.1) for k in range(2, 11)] == pytest.approx(at_10, abs=1e-3)
  assert critical_difference(4, 14) == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=1e-3)


@pytest.mark.parametrize('values', [[1.1, -2.2, 3.3, 4.4, 5.5, -0.3, 7.1], [1, 1, -1, 2, 2, 0, 3, -2]])
def test_signed_ranks_are_exact_with_and_without_ties(values):
  """Against all signs one by one, and SciPy's exact distribution where it has one."""
  kept = np.array([v for v in values if v])
  ranks = stats.rankdata(np.abs(kept))
  signs = np.array(list(product((0, 1), repeat=len(kept)))) @ ranks
  mine = ranks[kept > 0].sum()
  exact = min(1, 2 * min((signs <= mine).mean(), (signs >= mine).mean()))
  assert signed_rank(values) == pytest.approx(exact, rel=1e-12)
  if len(set(np.abs(values))) == len(values):
    assert signed_rank(values) == pytest.approx(stats.wilcoxon(values, method='exact').pvalue, rel=1e-12)
  assert signed_rank([0, 0]) == 1


def test_holm_in_plain_numpy():
  p = RNG.uniform(size=9) ** 3
  order = np.argsort(p)
  corrected = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(9, 0, -1)))
  assert np.array(holm(p))[order] == pytest.approx(corrected)
  assert holm([]) == () and holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))


def test_the_p_value_of_an_interval_is_that_of_students_test():
  values = RNG.normal(0.4, 1, 7)
  half = stats.t.ppf(0.975, 6) * stats.sem(values)
  assert paired_p(values.mean(), half, 7) == pytest.approx(stats.ttest_1samp(values, 0).pvalue, rel=1e-10)
  assert (paired_p(0.1, None, 2), paired_p(0.1, 0.0, 3), paired_p(0.0, 0.0, 3)) == (None, 0, 1)


def test_interquartile_mean_is_the_trimmed_mean():
  values = RNG.normal(size=(3, 16))
  assert interquartile_mean(values, np.full(16, 0.2)) == pytest.approx(stats.trim_mean(values, 0.25, axis=-1))
  weights = np.array([1, 2, 3, 1, 1])  # whole weights: the same as values that are repeated
  some = RNG.normal(size=5)
  assert interquartile_mean(some, weights) == pytest.approx(stats.trim_mean(np.repeat(some, weights), 0.25))
  assert interquartile_mean([1.0, 5.0], [1, 1]) == 3


def test_shares_above_thresholds():
  values, taus = RNG.normal(size=20), [-1, 0, 0.5]
  assert exceeding(values, np.ones(20), taus) == pytest.approx([np.mean(values > tau) for tau in taus])
  assert exceeding([1.0, 2.0], [1, 3], [1.0]) == pytest.approx(0.75)  # not above itself


LABELS = (20, 40, 100, 200)
SHIFT = {'supervised': 0.0, 'fixmatch': 0.08, 'simclr': 0.05, 'byol': 0.015, 'vat': 0.02}


def accuracies(method, dataset, labels, seed):
  """An accuracy for a record, from its name only."""
  noise = np.random.default_rng([len(dataset), labels, seed, len(method)]).normal(0, 0.01)
  return 0.4 + 0.05 * len(dataset) + labels / 2000 + SHIFT[method] + noise


@pytest.fixture(scope='module')
def board():
  """Five methods on eight tasks with four splits each; `vat` is on two tasks, one has two splits only."""
  return board_of(SHIFT)


def board_of(methods):
  found = [
    record(m, n, s, dataset=d, accuracy=accuracies(m, d, n, s), protocol='budget')
    for m in methods
    for d in ('digits', 'segment')
    for n in LABELS
    for s in range(4)
    if m != 'vat' or (d == 'digits' and n < 100)
  ]
  return aggregate([*found, *(record('fixmatch', 300, s, accuracy=0.9, protocol='budget') for s in range(2))])


def test_the_table_is_complete_and_says_what_is_left_out(board):
  scores = complete(board, 'budget')
  assert scores.methods == ('supervised', 'byol', 'fixmatch', 'simclr')
  assert scores.tasks == tuple(Task(d, n) for d in ('digits', 'segment') for n in LABELS)
  assert (scores.left_out, scores.tasks_left_out) == ((('vat', 2),), 0)
  assert (scores.splits, scores.seeds) == ((4, 4), 4 * 8 * 4)
  wanted = [
    [np.mean([accuracies(m, t.dataset, t.labels, s) for s in range(4)]) for m in scores.methods]
    for t in scores.tasks
  ]
  assert scores.means() == pytest.approx(np.array(wanted))
  assert complete(board, 'paper') is None
  assert complete(board_of(['supervised', 'vat', 'fixmatch']), 'budget') is None  # two tasks are too few
  without = complete(board_of(['fixmatch', 'byol', 'simclr']), 'budget')
  assert without.methods == ('byol', 'fixmatch', 'simclr')


def test_ranks_over_tasks_are_of_the_splits_that_all_methods_share():
  """A method over ten splits has no easier ones than one over five; a task with two in common is left out."""
  splits = {'supervised': range(10), 'simclr': range(10), 'byol': range(3, 8)}
  found = [
    record(m, n, s, dataset=d, accuracy=accuracies(m, d, n, s) + 0.1 * (s < 3), protocol='budget')
    for m, of in splits.items()
    for d in ('digits', 'segment')
    for n in LABELS
    for s in of
    if m != 'byol' or (d, n) != ('segment', 200) or s < 5
  ]
  board = aggregate(found)
  scores = complete(board, 'budget')
  assert scores.methods == ('supervised', 'byol', 'simclr')
  assert scores.tasks == tuple(Task(d, n) for d in ('digits', 'segment') for n in LABELS)[:-1]
  assert scores.splits == (5, 5) and scores.seeds == 3 * 7 * 5 and scores.tasks_left_out == 1
  wanted = [
    [np.mean([accuracies(m, t.dataset, t.labels, s) for s in range(3, 8)]) for m in scores.methods]
    for t in scores.tasks
  ]
  assert scores.means() == pytest.approx(np.array(wanted))
  (ranks,) = average_ranks(board)
  assert '5 splits each, the same for all methods, 105 trials.' in ranks.caption


def test_a_comparison_over_tasks_says_what_scipy_says(board):
  scores = complete(board, 'budget')
  found, means = compare(scores), scores.means()
  assert found.methods[0] == 'fixmatch' and found.tasks == 8
  assert found.p == pytest.approx(stats.friedmanchisquare(*means.T).pvalue, rel=1e-9)
  at = {name: means[:, i] for i, name in enumerate(scores.methods)}
  p = [stats.wilcoxon(at[pair.first] - at[pair.second], method='exact').pvalue for pair in found.pairs]
  assert [pair.p for pair in found.pairs] == pytest.approx(p, rel=1e-9)
  assert [pair.holm for pair in found.pairs] == pytest.approx(holm(p))
  for clique in found.cliques:
    first, last = (found.ranks[found.methods.index(clique[i])] for i in (0, -1))
    assert last - first < found.critical
  apart = [pair for pair in found.pairs if pair.holm < 0.05]
  assert apart and not any({pair.first, pair.second} <= set(c) for pair in apart for c in found.pair_cliques)
  assert found.by_dataset is None  # of two datasets


def test_the_caption_says_where_signed_ranks_cannot_separate_anything(board):
  few = aggregate([
    record(m, n, s, dataset=d, accuracy=accuracies(m, d, n, s), protocol='budget')
    for m in ('supervised', 'fixmatch', 'simclr')
    for d in ('digits', 'segment')
    for n in LABELS[:3]
    for s in range(3)
  ])  # fmt: skip
  least = {}
  for one in (board, few):
    (ranks,) = average_ranks(one)
    pairs, tasks = len(ranks.data.pairs), ranks.data.tasks
    p = stats.wilcoxon(np.arange(1.0, tasks + 1), method='exact').pvalue  # every task says the same
    least[tasks] = pairs * p
    assert ('on so few tasks they cannot separate any' in ranks.caption) == (pairs * p >= 0.05)
    assert "Bars join methods that Nemenyi's test does not separate." in ranks.caption
  assert least[6] >= 0.05 > least[8]


def test_overall_scores_and_their_intervals(board):
  scores = complete(board, 'budget')
  found = overall(scores)
  assert [m.method for m in found.middles] == ['fixmatch', 'simclr', 'byol', 'supervised']
  for middle in found.middles:
    assert middle.low <= middle.value <= middle.high
  differences = [
    accuracies('fixmatch', t.dataset, t.labels, s) - accuracies('supervised', t.dataset, t.labels, s)
    for t in scores.tasks
    for s in range(4)
  ]
  assert found.middles[0].value == pytest.approx(stats.trim_mean(differences, 0.25))
  tasks = np.array(differences).reshape(8, 4)
  drawn = [
    stats.trim_mean(np.concatenate([RNG.choice(task, 4) for task in tasks]), 0.25) for _ in range(4000)
  ]
  assert found.middles[0][2:] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=5e-4)
  shares = dict(zip(found.thresholds, found.profiles[0].shares))
  assert all(share == pytest.approx(np.mean(np.array(differences) > tau)) for tau, share in shares.items())
  assert overall(scores) == found  # the draws are seeded
  assert overall(scores, 'accuracy').middles[0].value > 0.5
  without = complete(board_of(['fixmatch', 'byol', 'simclr']), 'budget')
  with pytest.raises(ValueError, match='ask for accuracies'):
    overall(without)


def test_differences_to_floors_and_to_usual_settings_are_corrected_each_among_themselves():
  base = RNG.normal(0.6, 0.02, 5)
  made = {(m, w): base + shift + RNG.normal(0, 0.03, 5) for m, w, shift in (
    ('simclr', 32, 0.06), ('simclr', 64, 0.03), ('byol', 32, 0.05), ('byol', 64, 0.0),
  )} | {('random_weights', w): base for w in (32, 64)}  # fmt: skip
  found = aggregate(
    record(m, n, s, accuracy=float(a), net__width=w) | {'family': 'self-supervised'}
    for n in (40, 100)  # at 100 labels the usual width alone
    for (m, w), values in made.items()
    if n == 40 or w == 32
    for s, a in enumerate(values)
  )
  (budget,) = (one for one in found.sections[0].budgets if one.labels == 40)
  rows = {(row.method, int(row.settings['net.width'])): row for row in budget.rows}
  learned = [key for key in made if key[0] != 'random_weights']
  p = [stats.ttest_rel(made[key], base).pvalue for key in learned]
  floors = [rows[key].to_floors['random_weights'] for key in learned]
  assert [one.holm for one in floors] == pytest.approx(holm(p), rel=1e-7)
  usual = [rows[m, 64].to_usual for m in ('simclr', 'byol')]
  p = [stats.ttest_rel(made[m, 64], made[m, 32]).pvalue for m in ('simclr', 'byol')]
  p.append(1.0)  # of random weights, whose widths give the same numbers
  assert [one.holm for one in usual] == pytest.approx(holm(p)[:2], rel=1e-7)
  for one in (*floors, *usual):
    assert one.corrected == (one.verdict if one.holm < 0.05 else 'not separable')


def test_verdicts_are_corrected_for_the_rows_of_a_table():
  """p-values of SciPy's paired t-test, multiplied step by step."""
  shifts = {'fixmatch': 0.05, 'vat': 0.001, 'simclr': 0.0, 'byol': 0.0, 'mean_teacher': -0.002}
  base = RNG.normal(0.6, 0.02, 5)
  made = {m: base + shift + RNG.normal(0, 0.02, 5) for m, shift in shifts.items()} | {'supervised': base}
  found = aggregate(
    [record(m, 40, s, accuracy=a) for m, values in made.items() for s, a in enumerate(values)]
  )
  rows = {row.method: row for row in found.sections[0].budgets[0].rows}
  assert rows['supervised'].difference is None
  p = {m: stats.ttest_rel(made[m], base).pvalue for m in shifts}
  assert {m: rows[m].difference.p for m in shifts} == pytest.approx(p, rel=1e-8)
  corrected = dict(zip(p, holm(list(p.values()))))
  assert {m: rows[m].difference.holm for m in shifts} == pytest.approx(corrected, rel=1e-8)
  for name in shifts:
    difference = rows[name].difference
    assert (difference.verdict == 'not separable') == (p[name] > 0.05)
    assert (difference.corrected == 'not separable') == (corrected[name] > 0.05)
  lost = [m for m in shifts if rows[m].difference.verdict != rows[m].difference.corrected]
  assert all(rows[m].difference.corrected == 'not separable' for m in lost)
