"""The board's numbers: intervals against SciPy, pairs, ranks, variants, what is never mixed."""

import copy
import math
import random

import numpy as np
import pytest
from scipy import stats
from support.pages import grids_of
from support.records import CLOCK, STRONG, TODAY, WEAK, failed, quickstart, record

from ssl_bench.leaderboard.aggregate import aggregate
from ssl_bench.leaderboard.columns.ranking import numbers
from ssl_bench.leaderboard.page.document import page
from ssl_bench.leaderboard.render.across import choices
from ssl_bench.leaderboard.render.markdown import markdown
from ssl_bench.leaderboard.render.readme import readme
from ssl_bench.leaderboard.render.short import best
from ssl_bench.leaderboard.render.tables import further, ranking
from ssl_bench.leaderboard.render.terminal import terminal
from ssl_bench.leaderboard.stale import why_stale
from ssl_bench.leaderboard.statistics import pool
from ssl_bench.leaderboard.variants import differing, say_variant
from ssl_bench.settings.yaml import flatten


def board_of(records, **more):
  return aggregate(records, **more)


def rows_of(board, labels=40, dataset='digits', protocol='smoke'):
  section = next(s for s in board.sections if (s.dataset, s.protocol) == (dataset, protocol))
  return next(b for b in section.budgets if b.labels == labels)


def row_of(board, method, labels=40, **variant):
  rows = rows_of(board, labels).rows
  return next(r for r in rows if r.method == method and bool(r.variant) == bool(variant))


def series(method, accuracies, **more):
  return [record(method, 40, s, accuracy=a, **more) for s, a in enumerate(accuracies)]


def test_accuracy_has_scipys_student_interval():
  accuracies = [0.81, 0.84, 0.80, 0.86, 0.83]
  mean = row_of(board_of(series('fixmatch', accuracies)), 'fixmatch').accuracy
  low, high = stats.t.interval(0.95, 4, loc=np.mean(accuracies), scale=stats.sem(accuracies))
  assert math.isclose(mean.value, np.mean(accuracies))
  np.testing.assert_allclose([mean.value - mean.half, mean.value + mean.half], [low, high])
  assert mean.n == 5


@pytest.mark.parametrize('n', [1, 2])
def test_below_three_splits_there_is_no_interval(n):
  board = board_of(series('fixmatch', [0.9, 0.91][:n]) + series('supervised', [0.7, 0.72][:n]))
  row = row_of(board, 'fixmatch')
  assert row.accuracy.half is None
  assert row.difference.mean.half is None
  assert row.difference.verdict == 'fewer than 3 splits'


def test_difference_is_scipys_paired_test_on_common_pairs():
  ours = {0: 0.80, 1: 0.84, 2: 0.83, 4: 0.86, 6: 0.90}
  base = {0: 0.70, 1: 0.71, 3: 0.99, 4: 0.75, 5: 0.10, 6: 0.79}
  records = [record('fixmatch', 40, s, accuracy=a) for s, a in ours.items()]
  records += [record('supervised', 40, s, accuracy=a) for s, a in base.items()]
  difference = row_of(board_of(records), 'fixmatch').difference
  a, b = ([d[s] for s in (0, 1, 4, 6)] for d in (ours, base))
  interval = stats.ttest_rel(a, b).confidence_interval(0.95)
  mean = difference.mean
  np.testing.assert_allclose([mean.value - mean.half, mean.value + mean.half], interval)
  assert mean.n == 4
  assert difference.verdict == 'better'


def crossed(method, by_split):
  """Records of several seeds on each split: [splits][seeds] accuracies."""
  found = []
  for split, accuracies in enumerate(by_split):
    for seed, accuracy in enumerate(accuracies):
      one = record(method, 40, split, accuracy=accuracy)
      one['config']['seed'] = seed
      one['id'] = f'{one["id"][:14]}{seed:02x}'
      found.append(one)
  return found


OURS = [[0.80, 0.90, 0.85], [0.70, 0.72, 0.71], [0.95, 0.91, 0.99]]
BASE = [[0.79, 0.87, 0.83], [0.60, 0.62, 0.61], [0.92, 0.88, 0.96]]


def test_seeds_within_a_split_are_averaged_first_and_the_interval_is_scipys_over_splits():
  row = row_of(board_of(crossed('fixmatch', OURS)), 'fixmatch')
  means = np.mean(OURS, 1)
  low, high = stats.t.interval(0.95, 2, loc=means.mean(), scale=stats.sem(means))
  mean = row.accuracy
  np.testing.assert_allclose([mean.value - mean.half, mean.value + mean.half], [low, high])
  assert (mean.n, mean.seeds) == (3, (9, 3, 3))
  assert mean.half > 2 * stats.sem(np.ravel(OURS)) * stats.t.ppf(0.975, 8)  # as if all nine were independent


def test_a_difference_is_scipys_paired_test_of_split_means():
  rows = board_of(crossed('fixmatch', OURS) + crossed('supervised', BASE))
  difference = row_of(rows, 'fixmatch').difference
  interval = stats.ttest_rel(np.mean(OURS, 1), np.mean(BASE, 1)).confidence_interval(0.95)
  mean = difference.mean
  np.testing.assert_allclose([mean.value - mean.half, mean.value + mean.half], interval)
  assert (mean.n, difference.verdict) == (3, 'not separable')
  pooled = stats.ttest_rel(np.ravel(OURS), np.ravel(BASE))
  assert pooled.pvalue < 0.05  # nine pairs that are not independent would have said 'better'


def test_a_split_counts_once_however_many_seeds_it_has():
  uneven = [OURS[0], OURS[1][:1], OURS[2][:2]]
  row = row_of(board_of(crossed('fixmatch', uneven) + crossed('supervised', BASE)), 'fixmatch')
  assert row.accuracy.value == pytest.approx(np.mean([np.mean(part) for part in uneven]))
  apart = [np.mean(np.subtract(a, b[: len(a)])) for a, b in zip(uneven, BASE)]
  assert row.difference.mean.value == pytest.approx(np.mean(apart))
  assert (row.difference.mean.n, row.difference.mean.seeds) == (3, (6, 1, 3))


@pytest.mark.parametrize(
  ('records', 'text', 'note'),
  [
    (crossed('fixmatch', [[0.8], [0.9], [0.7]]), '3', 'over 3 splits'),
    (crossed('fixmatch', OURS), '3 × 3', 'over 3 splits of 3 seeds'),
    (crossed('fixmatch', [OURS[0], OURS[1][:1]]), '2 × 1 to 3', 'over 2 splits of 1 to 3 seeds'),
    (crossed('fixmatch', OURS[:1]), '1 × 3', 'over 1 split of 3 seeds'),
    ([*crossed('fixmatch', OURS), failed('fixmatch', 40, 9)], '3 × 3, 9 of 10', 'over 3 splits of 3 seeds'),
    ([record('fixmatch', 40, 0), failed('fixmatch', 40, 9)], '1 of 2', 'over 1 split'),
  ],
)
def test_splits_are_counted_and_seeds_where_they_are_more(records, text, note):
  table = ranking(rows_of(board_of(records)))
  cells = dict(zip((head.title for head in table.heads), table.rows[0]))
  assert cells['splits'].text == text
  assert cells['accuracy, %'].note.endswith(note)
  assert ('±' in cells['accuracy, %'].text) == text.startswith('3')


def test_pairs_need_the_same_split():
  records = series('fixmatch', [0.9, 0.91, 0.92]) + series('supervised', [0.7, 0.72, 0.71])
  for r in records[3:]:
    r['split']['hash'] = 'another'
  assert row_of(board_of(records), 'fixmatch').difference is None


@pytest.mark.parametrize(
  ('accuracies', 'verdict'),
  [
    ([0.80, 0.81, 0.82], 'better'),
    ([0.60, 0.61, 0.62], 'worse'),
    ([0.69, 0.74, 0.70], 'not separable'),
    ([0.70, 0.71, 0.72], 'not separable'),
  ],
)
def test_verdict_follows_the_interval(accuracies, verdict):
  board = board_of(series('mean_teacher', accuracies) + series('supervised', [0.70, 0.71, 0.72]))
  assert row_of(board, 'mean_teacher').difference.verdict == verdict


def test_rank_is_by_mean_and_marks_what_is_not_separable_from_the_best():
  board = board_of(
    series('fixmatch', [0.90, 0.92, 0.91])
    + series('mean_teacher', [0.92, 0.88, 0.90])
    + series('supervised', [0.70, 0.71, 0.72])
  )
  rows = rows_of(board).rows
  assert [(r.method, r.rank, r.tied) for r in rows] == [
    ('fixmatch', 1, True),
    ('mean_teacher', 2, True),
    ('supervised', 3, False),
  ]


def test_rows_that_too_few_splits_compare_with_the_best_are_not_told_from_it():
  apart = [record('vat', 40, s, accuracy=0.2) for s in (7, 8, 9)]  # no split in common with the best
  best = [record('fixmatch', 40, s, accuracy=0.9) for s in (0, 1, 2)]
  short = [record('simclr', 40, s, accuracy=0.5) for s in (0, 1)]
  worse = [record('supervised', 40, s, accuracy=0.7 + 0.01 * s) for s in (0, 1, 2)]
  rows = rows_of(board_of(best + short + worse + apart)).rows
  assert {r.method: r.tied for r in rows} == {
    'fixmatch': True, 'supervised': False, 'simclr': True, 'vat': True,
  }  # fmt: skip


def test_rows_over_fewer_splits_than_most_are_marked_and_no_other_rank_counts_them():
  records = [
    *series('fixmatch', [0.99, 0.98, 0.97]),  # the highest mean
    *series('mean_teacher', [0.90, 0.92, 0.91, 0.89, 0.93]),
    *series('supervised', [0.80, 0.82, 0.81, 0.79, 0.83]),
    *series('vat', [0.85, 0.82, 0.87, 0.83, 0.84, 0.86]),
    *series('simclr', [0.83, 0.83, 0.84]),
  ]
  budget = rows_of(board_of(records))
  assert [(r.method, r.rank, r.few, r.tied) for r in budget.rows] == [
    ('fixmatch', 1, True, True),
    ('mean_teacher', 1, False, True),
    ('vat', 2, False, False),
    ('simclr', 3, True, False),
    ('supervised', 3, False, False),
  ]
  table = ranking(budget)
  assert [row[0].text for row in table.rows] == ['1 †', '1', '2', '3 †', '3']
  accuracy = next(i for i, head in enumerate(table.heads) if head.title == 'accuracy, %')
  assert [row[accuracy].strong for row in table.rows] == [False, True, False, False, False]
  assert [r.method for r in best(budget, 2)] == ['mean_teacher', 'vat', 'supervised']
  choice = choices(board_of(records))[0]
  assert (choice.semi.method, choice.itself) == ('mean_teacher', None)
  assert not any(r.few for r in rows_of(board_of(records[:3])).rows)  # alone it is of the usual number


def test_equal_means_share_a_rank():
  board = board_of([record(m, 40, 0, accuracy=0.5) for m in ('byol', 'fixmatch')])
  assert [r.rank for r in rows_of(board).rows] == [1, 1]


def test_protocols_and_datasets_have_sections_of_their_own():
  records = [record(dataset=d, protocol=p) for d in ('digits', 'mnist') for p in ('smoke', 'paper', 'budget')]
  sections = board_of(records).sections
  assert [(s.dataset, s.protocol) for s in sections] == [
    (d, p) for d in ('digits', 'mnist') for p in ('paper', 'budget', 'smoke')
  ]
  assert all(len(s.rows) == 1 for s in sections)


def test_order_of_records_does_not_matter():
  records = quickstart()
  board = board_of(records, today=TODAY)
  for seed in range(3):
    shuffled = copy.deepcopy(records)
    random.Random(seed).shuffle(shuffled)
    assert board_of(shuffled, today=TODAY) == board


def test_sweep_stands_beside_the_ranking_with_the_usual_policy():
  budget = rows_of(board_of(quickstart(), today=TODAY))
  assert {tuple(r.variant) for r in budget.rows} == {(), ('method.strong',)}
  assert [r.method for r in budget.sweep] == ['fixmatch'] * 4 + ['simclr'] * 4
  usual = [r for r in budget.sweep if not r.variant]
  assert {r.settings['augment.strong'] for r in usual} == {STRONG}
  swept = next(r for r in budget.sweep if r.variant)
  assert swept.to_usual.mean.n == 3


def test_baseline_is_the_usual_supervised_row():
  budget = rows_of(board_of(quickstart(), today=TODAY))
  plain, strong = sorted((r for r in budget.rows if r.method == 'supervised'), key=lambda r: len(r.variant))
  assert plain.difference is None
  assert strong.variant == {'method.strong': 'true'}
  assert strong.difference.mean.n == strong.to_usual.mean.n == 3


def test_usual_settings_of_a_sweep_alone_are_those_of_the_section():
  others = [record('supervised', 40, s) for s in range(3)]
  swept = [record('fixmatch', 40, s, augment__strong=p) for p in (WEAK, STRONG) for s in range(3)]
  section = board_of(others + swept).sections[0]
  assert section.usual['fixmatch']['augment.strong'] == STRONG


def test_versions_make_rows_of_their_own():
  records = series('fixmatch', [0.9, 0.9, 0.9])
  records[0]['versions']['fingerprint'] = 'beef'
  rows = rows_of(board_of(records)).rows
  assert [dict(r.variant) for r in rows if r.variant] == [{'versions.fingerprint': 'beef'}]


@pytest.mark.parametrize(
  ('today', 'says'),
  [
    ({'protocol': 2}, 'the protocol is at version 2 now; this was run at 1'),
    ({'methods': {'fixmatch': 3}}, 'fixmatch is at version 3 now'),
    ({'datasets': {'digits': 'cafe'}}, 'the data of digits is at version cafe now'),
  ],
)
def test_other_versions_are_stale_and_not_ranked(today, says):
  section = board_of([record('fixmatch'), record('byol', protocol='paper')], today=today).sections[-1]
  (trial,) = section.stale
  assert trial.method == 'fixmatch'
  assert says in trial.stale
  assert not section.rows


def test_versions_that_today_does_not_name_are_not_judged():
  assert not board_of(quickstart(), today={'methods': {'other': 9}}).sections[0].stale


def test_rows_that_saw_all_labels_are_not_ranked():
  records = series('fixmatch', [0.9, 0.9, 0.9]) + series('supervised', [0.7, 0.7, 0.7])
  seeing = series('vat', [0.99, 0.99, 0.99])
  for r in seeing:
    r['labels_seen'] = 'all'
  rows = rows_of(board_of(records + seeing)).rows
  assert [(r.method, r.rank) for r in rows] == [('fixmatch', 1), ('supervised', 2), ('vat', None)]
  assert rows[-1].difference is None


def test_rows_whose_teacher_saw_more_labels_are_not_ranked():
  records = series('fixmatch', [0.7, 0.7, 0.7]) + series('vat', [0.99, 0.99, 0.99])
  for r in records[3:]:
    r['labels_seen'] = 'more'
  budget = rows_of(board_of(records))
  assert [(r.method, r.rank) for r in budget.rows] == [('fixmatch', 1), ('vat', None)]
  assert 'its teacher saw more labels, not ranked' in markdown(ranking(budget))


def test_a_student_whose_teacher_has_its_seeds_is_one_row():
  """A teacher's seeds and labels are told only where they are not the student's."""
  own, fixed = series('fixmatch', [0.7, 0.8, 0.9]), series('vat', [0.7, 0.8, 0.9])
  for r in own + fixed:
    alike = {k: r['config'][k] for k in ('dataset', 'labels', 'split_seed', 'seed')}
    r['config']['teacher'] = {'method': {'name': 'simclr'}, 'protocol': 'smoke', **alike}
  for r in fixed[1:]:
    r['config']['teacher']['seed'] = 0
  rows = rows_of(board_of(own + fixed)).rows
  assert [(r.method, len(r.trials)) for r in rows if r.method == 'fixmatch'] == [('fixmatch', 3)]
  assert sorted(len(r.trials) for r in rows if r.method == 'vat') == [1, 2]
  assert {r.settings['teacher.method.name'] for r in rows} == {'simclr'}


def test_a_trial_is_stale_where_the_method_of_its_teacher_moved_on():
  student = record('vat', 40, 0)
  student['versions']['teachers'] = [1, 3]
  chain = {'method': {'name': 'fixmatch'}, 'teacher': {'method': {'name': 'simclr'}}}
  student['config']['teacher'] = chain
  reason = lambda **methods: why_stale(student, {'methods': methods})
  assert reason(vat=1, fixmatch=1, simclr=3) is None
  assert reason(fixmatch=2) == 'its teacher, fixmatch, is at version 2 now; this was run at 1'
  assert reason(simclr=4) == 'its teacher, simclr, is at version 4 now; this was run at 3'


def test_the_size_and_speed_of_a_network_are_columns_and_a_dash_where_they_were_not_measured():
  measured = {'parameters': 5130, 'gflops_per_image': 0.0123, 'inference_images_per_second': 4321.0}
  old, new = record('fixmatch', 40, 0), record('vat', 40, 0)
  new['cost'] |= measured
  budget = rows_of(board_of([old, new]))
  titles = [head.title for head in further(budget).heads]
  cells = {row[0].text: dict(zip(titles, row)) for row in further(budget).rows}
  names = ('MFLOPs per image', 'images/s, prediction')
  assert [cells['vat'][n].text for n in names] == ['12.30', '4,321']
  assert [cells['fixmatch'][n].text for n in names] == ['–', '–']
  assert '5,130' in markdown(ranking(budget))
  untimed = rows_of(board_of([old, new], timing=False))
  assert 'images/s, prediction' not in [head.title for head in further(untimed).heads]
  assert 'MFLOPs per image' in [head.title for head in further(untimed).heads]
  assert 'parameters' not in markdown(ranking(rows_of(board_of([old]))))


def test_training_gflops_hold_the_teachers():
  student = record()
  student['cost']['teacher_gflops'] = 100.0
  assert board_of([student]).sections[0].rows[0].training_gflops == pytest.approx(1.03 * 1.9 * 300 + 100)


def test_failed_trials_are_counted_and_listed_but_not_averaged():
  records = series('fixmatch', [0.9, 0.9, 0.9])
  bad = failed('fixmatch', 40, 9, status='diverged')
  section = board_of([*records, bad]).sections[0]
  assert section.failed[0].error == 'The loss was nan at step 120.'
  row = section.budgets[0].rows[0]
  assert (row.accuracy.n, row.failed) == (3, 1)


def test_only_failures_make_a_section_without_rows():
  section = board_of([failed('vat', 20, 0)]).sections[0]
  assert section.budgets == ()
  assert len(section.failed) == 1


def test_a_finished_record_wins_over_a_failed_one_of_the_same_id():
  good = record()
  bad = {**failed(), 'id': good['id']}
  for records in ([good, bad], [bad, good]):
    section = board_of(records).sections[0]
    assert not section.failed
    assert section.rows[0].accuracy.n == 1


@pytest.mark.parametrize('gone', ['metrics', 'cost', 'split', 'environment', 'time', 'augment_resolved'])
@pytest.mark.parametrize('value', [None, {}])
def test_anything_may_be_missing(gone, value):
  r = record()
  r[gone] = value
  board_of([r, record('supervised')])


def test_numbers_that_are_none_or_not_finite_are_absent():
  r = record()
  r['metrics'] |= {'accuracy': None, 'nll': math.nan, 'ece': math.inf, 'knn': None}
  measures = board_of([r]).sections[0].rows[0].measures
  assert not {'accuracy', 'nll', 'ece', 'knn20'} & measures.keys()


def test_accuracy_of_a_self_supervised_row_is_its_probes():
  r = record('simclr')
  del r['metrics']['accuracy']
  assert row_of(board_of([r]), 'simclr').accuracy.value == r['metrics']['linear_budget']['accuracy']


def test_without_timing_nothing_of_the_clock_is_read():
  board = board_of([record()], timing=False)
  row = board.sections[0].rows[0]
  assert not row.measures.keys() & CLOCK.keys()
  (trial,) = row.trials
  assert trial.finished == '' and not trial.measured.keys() & CLOCK.keys()
  (timed,) = board_of([record()]).sections[0].rows[0].trials
  assert timed.finished == '2031-01-02 03:14:15' and timed.measured.keys() > CLOCK.keys()
  assert row.measures['gflops_per_epoch'].value == pytest.approx(9.3 * 1.9)


def test_training_gflops_are_those_of_a_step_times_steps():
  assert board_of([record()]).sections[0].rows[0].training_gflops == pytest.approx(1.03 * 1.9 * 300)


def test_pooled_reliability_counts_every_image_once():
  rng = np.random.default_rng(0)
  confidence, right, of = rng.random(900), rng.integers(0, 2, 900), np.repeat([0, 1, 2], [100, 300, 500])
  place = np.minimum((confidence * 15).astype(int), 14)

  def diagram(keep):
    count = np.bincount(place[keep], minlength=15)
    with np.errstate(invalid='ignore'):
      sums = (np.bincount(place[keep], v[keep], 15) / count for v in (confidence, right))
      return dict(zip(('count', 'confidence', 'accuracy'), (x.tolist() for x in (count, *sums))))

  pooled, whole = pool([diagram(of == i) for i in range(3)]), diagram(of >= 0)
  assert pooled.counts == tuple(whole['count'])
  np.testing.assert_allclose(pooled.confidence, whole['confidence'])
  np.testing.assert_allclose(pooled.accuracy, whole['accuracy'])


def test_empty_bins_may_hold_nothing():
  pooled = pool([{'count': [0, 2], 'confidence': [math.nan, 0.7], 'accuracy': [None, 0.5]}])
  assert pooled.accuracy == (0.0, 0.5)


def test_settings_that_differ_are_named_once():
  usual = flatten({'ema': {'decay': 0.999}, 'steps': 10, 'net': {'width': 32.0}})
  assert differing(flatten({'ema': None, 'steps': 10, 'net': {'width': 32}}), usual) == {'ema': 'null'}
  assert differing(flatten({'steps': 20, 'net': {'width': 32}}), usual) == {
    'ema.decay': 'none',
    'steps': '20',
  }


def test_the_baseline_is_the_supervised_row_without_its_option_however_many_there_are():
  others = [record('fixmatch', 40, s, optimizer__lr=0.1) for s in range(3)]
  plain = [record('supervised', 40, s, method__strong=False, optimizer__lr=0.03) for s in range(3)]
  strong = [record('supervised', 40, s, method__strong=True, optimizer__lr=0.1) for s in range(5)]
  budget = rows_of(board_of(others + plain + strong, today=TODAY))
  baseline = next(r for r in budget.rows if r.method == 'supervised' and not r.variant)
  assert dict(baseline.trials[0].settings)['method.strong'] == 'false'


def under(stress, method, accuracies):
  """Records of trials whose splits have a hash of their own, as a stress makes them."""
  found = series(method, accuracies, **{f'stress__{k}': v for k, v in stress.items()})
  for r in found:
    r['split']['hash'] += str(stress)
  return found


NOISE, MORE, FEWER = {'label_noise': 0.1}, {'label_noise': 0.25}, {'unlabeled': 100}


def test_a_stressed_row_is_set_beside_supervised_under_the_same_stress():
  board = board_of(
    series('fixmatch', [0.90, 0.91, 0.92])
    + series('supervised', [0.70, 0.71, 0.72])
    + under(NOISE, 'fixmatch', [0.80, 0.81, 0.82])
    + under(NOISE, 'supervised', [0.85, 0.86, 0.87])
    + under(MORE, 'fixmatch', [0.30, 0.50, 0.70])
    + under(MORE, 'supervised', [0.50, 0.51, 0.52])
    + under(FEWER, 'fixmatch', [0.89, 0.90, 0.91])
  )
  budget = rows_of(board)
  assert [(r.method, r.stress, r.variant, r.rank) for r in budget.rows] == [
    ('fixmatch', {}, {}, 1),
    ('supervised', {}, {}, 2),
  ]
  noise, fewer = budget.stressed
  assert [(r.method, r.stress.get('label_noise'), r.rank) for r in noise] == [
    ('fixmatch', None, 1),
    ('supervised', None, 2),
    ('supervised', '0.1', 1),
    ('fixmatch', '0.1', 2),
    ('supervised', '0.25', 1),
    ('fixmatch', '0.25', 2),
  ]
  verdicts = [r.difference.verdict if r.difference else None for r in noise]
  assert verdicts == ['better', None, None, 'worse', None, 'not separable']
  assert [(r.method, dict(r.stress)) for r in fewer] == [('fixmatch', {}), ('fixmatch', {'unlabeled': '100'})]
  assert fewer[1].difference is None  # nobody ran supervised under it
  worse = next(c for c in numbers() if c.title == 'worse than supervised?')
  assert [worse.cell(r).text for r in noise] == ['no', '–', '–', 'yes', '–', 'not separable']


def test_a_board_of_stress_alone_has_a_table_of_it_and_no_ranking():
  board = board_of(under(NOISE, 'fixmatch', [0.8, 0.8, 0.8]) + under(NOISE, 'supervised', [0.7, 0.7, 0.7]))
  budget = rows_of(board)
  assert budget.rows == () and len(budget.stressed) == 1
  assert '40 labels' not in readme(board)
  text = page(board)
  assert len(grids_of(text)['Stress (label_noise), 40 labels']) == 2 and terminal(board)


def test_levels_stand_in_the_order_of_their_numbers():
  records = [r for n in (1197, 100, 300) for r in under({'unlabeled': n}, 'fixmatch', [0.8])]
  (rows,) = rows_of(board_of(records)).stressed
  assert [r.stress['unlabeled'] for r in rows] == ['100', '300', '1197']


ROUNDS = {'clients': 10, 'local_steps': 25, 'participation': 0.5, 'proximal': 0.0, 'split': 'iid'}
MOVED = {'rounds': 60, 'clients': 10, 'participants': 5, 'bytes_down': 2**20, 'bytes_up': 3 * 2**20}


def federated(method, seed):
  found = record(method, 40, seed, federated=ROUNDS)
  found['cost']['federated'] = MOVED
  return found


def test_federated_rows_are_variants_that_say_so_and_never_the_usual_ones():
  """However many there are, beside the plain rows and alone; a clock is not needed for what they moved."""
  plain = [record(m, 40, s) for m in ('supervised', 'fixmatch') for s in range(3)]
  rounds = [federated(m, s) for m in ('supervised', 'fixmatch') for s in range(5)]
  said = 'federated (clients 10, local_steps 25, participation 0.5, proximal 0, split iid)'
  rows = rows_of(board_of(plain + rounds, timing=False)).rows
  assert sorted((r.method, say_variant(r.variant)) for r in rows) == [
    ('fixmatch', ''), ('fixmatch', said), ('supervised', ''), ('supervised', said),
  ]  # fmt: skip
  assert all(r.to_usual and r.to_usual.mean.n == 3 for r in rows if r.variant)
  budget = rows_of(board_of(rounds, timing=False))
  assert [say_variant(r.variant) for r in budget.rows] == [said, said]
  table = ranking(budget)
  at = [head.title for head in table.heads].index('rounds × clients, MiB')
  assert {row[at].text for row in table.rows} == {'60 × 5 of 10, 1.0 + 3.0'}
  titles = [head.title for head in ranking(rows_of(board_of(plain))).heads]
  assert 'rounds × clients, MiB' not in titles


def cells_of(records, table=further, **more):
  made = table(rows_of(board_of(records, **more)))
  return dict(zip((head.title for head in made.heads), (cell.text for cell in made.rows[0])))


def test_what_was_recorded_has_a_column():
  one = record()
  one['metrics'] |= {
    'accuracy_by_class': [0.5, None, 0.875, 'NaN', 0.75],
    'retrieval': {f'{way}@{k}': k / 20 for way in ('image_to_text', 'text_to_image') for k in (1, 5, 10)},
  }
  one['metrics']['health']['embedding_entropy'] = -12.34
  cells = cells_of([one])
  assert (cells['worst class, %'], cells['best − worst class, points']) == ('50.0', '37.5')
  assert cells['embedding entropy'] == '-12.3' and cells['compile, s'] == '7.8'
  for way in ('image to text', 'text to image'):
    assert [cells[f'{way}{k}, %'] for k in ('', ' @5', ' @10')] == ['5.0', '25.0', '50.0']
  assert 'compile, s' not in cells_of([one], timing=False)
  one['metrics']['accuracy_by_class'] = [None, 'NaN']
  assert 'worst class, %' not in cells_of([one])


def test_what_was_submitted_or_trained_under_two_states_of_the_code_is_remarked():
  records = series('fixmatch', [0.7, 0.8, 0.9])
  assert 'remarks' not in cells_of(records, ranking)
  records[0]['tier'] = 'submitted'
  records[1]['tier'] = 'ours'
  records[0]['versions']['code'] = 'a' * 64
  assert cells_of(records, ranking)['remarks'] == '1 of 3 submitted'
  records[1]['versions']['code'] = 'b' * 64
  for one in records:
    one['tier'] = 'submitted'
  assert cells_of(records, ranking)['remarks'] == 'submitted; trained under 2 states of its code'
  assert len(rows_of(board_of(records)).rows) == 1  # one row, whatever the state


def test_words_for_numbers_that_are_not_finite_are_absent():
  one = record()
  one['metrics'] |= {'nll': 'NaN', 'ece': 'Infinity'}
  one['metrics']['reliability'] = {'count': [2, 2], 'confidence': [0.5, 'NaN'], 'accuracy': ['NaN', 0.5]}
  row = rows_of(board_of([one])).rows[0]
  assert not {'nll', 'ece'} & row.measures.keys()
  assert row.reliability == ((2, 2), (0.5, 0), (0, 0.5))
