"""Cost per point, labels to a target and trials that succeed, against plain arithmetic on the records."""

import csv
import io
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from support.cli import command
from support.records import TODAY, failed, quickstart, record

from ssl_bench.leaderboard import aggregate
from ssl_bench.leaderboard.columns.efficiency import bounded, cost
from ssl_bench.leaderboard.export import export
from ssl_bench.leaderboard.label_target import reaching, saved
from ssl_bench.leaderboard.page.data import data
from ssl_bench.leaderboard.per_point import per_point
from ssl_bench.leaderboard.render.tables import by_method
from ssl_bench.leaderboard.rows import Bounds
from ssl_bench.leaderboard.success import by_method as success_of
from ssl_bench.records.record import gather

DIGITS = Path(__file__).parents[2] / 'leaderboard' / 'records' / 'digits'
PRICE = 2.5  # of a device-hour


@pytest.fixture(scope='module')
def digits():
  """The committed records of two methods and of the baseline, as they lie on disk."""
  return gather([DIGITS / name for name in ('simclr', 'fixmatch', 'vicreg', 'distill', 'supervised')]).records


@pytest.fixture(scope='module')
def board(digits):
  return aggregate(digits, price=PRICE)


def row_of(board, method, labels):
  budget = next(one for one in board.sections[0].budgets if one.labels == labels)
  return next(one for one in budget.rows if one.method == method and not one.variant)


def by_split(records, ids, value):
  """Split -> the mean of a number over the records of some ids."""
  found = {}
  for one in records:
    if one['id'] in ids and (number := value(one)) is not None:
      found.setdefault(one['split']['hash'], []).append(number)
  return {split: np.mean(own) for split, own in found.items()}


def accuracy(one):
  probe = one['metrics'].get('linear_budget', {}).get('accuracy')
  return probe if one['family'] == 'self-supervised' else one['metrics']['accuracy']


COSTS = {
  'gflops': lambda one: one['cost']['gflops_per_step'] * one['config']['steps'],
  'seconds': lambda one: one['cost']['train_seconds'],
  'money': lambda one: one['cost']['train_seconds'] / 3600 * PRICE * one['environment']['device']['count'],
}


@pytest.mark.parametrize('labels', [10, 40])
@pytest.mark.parametrize('method', ['simclr', 'fixmatch', 'vicreg'])
@pytest.mark.parametrize('name', COSTS)
def test_a_ratio_of_means_over_common_splits_in_plain_numpy(digits, board, method, name, labels):
  row, base = row_of(board, method, labels), row_of(board, 'supervised', labels)
  own, theirs = ({t.id for t in one.trials} for one in (row, base))
  right, wrong = by_split(digits, own, accuracy), by_split(digits, theirs, accuracy)
  spent = by_split(digits, own, COSTS[name])
  common = sorted(set(right) & set(wrong) & set(spent))
  gain = np.array([100 * (right[s] - wrong[s]) for s in common])
  paid = np.array([spent[s] for s in common])
  found = row.per_point[name]
  assert found.splits == len(common) >= 5
  assert found.value == pytest.approx(paid.mean() / gain.mean(), rel=1e-9)

  n = len(common)  # all resamples where there are few splits, else draws of our own; the ratio itself
  rng = np.random.default_rng(labels)
  places = itertools.product(range(n), repeat=n) if n == 5 else rng.integers(n, size=(30_000, n))
  ratios = []
  for at in map(list, places):
    ratios.append(paid[at].mean() / gain[at].mean() if gain[at].mean() > 0 else np.inf)
  outside = stats.norm.cdf(-math.sqrt(n / (n - 1)) * stats.t.ppf(0.975, n - 1))
  low, high = np.quantile(ratios, [outside, 1 - outside])
  assert found.low == pytest.approx(low, rel=0.05) and found.high == pytest.approx(high, rel=0.1)
  assert found.low < found.value < found.high


@pytest.mark.slow
@pytest.mark.parametrize(('n', 'least'), [(5, 0.9), (10, 0.925)])
def test_the_true_ratio_lies_in_the_interval_about_as_often_as_it_says(n, least):
  rng = np.random.default_rng(n)
  spent, gained = rng.normal(200, 10, (1000, n)), rng.normal(0.10, 0.04, (1000, n))
  found = [per_point(*one) for one in zip(spent, gained)]
  assert least < np.mean([one.low <= 200 / 10 <= one.high for one in found]) < 0.975


def test_where_there_is_no_gain_a_sign_stands_and_no_number():
  found = per_point([10.0, 10.0, 10.0], [0.02, -0.01, -0.01])
  assert found == (None, None, None, 3)
  cell = cost(found)
  assert cell.text == 'no gain' and cell.value is None and 'over 3 splits' in cell.note
  assert cost(per_point([1.0], [0.0])).text == 'no gain'
  assert cost(None).text == '–'


def test_a_gain_that_may_be_none_has_no_upper_end():
  found = per_point([6.0, 6.0, 6.0], [0.05, -0.02, 0.03])
  assert found.value == pytest.approx(3.0) and found.high == math.inf
  assert found.low == pytest.approx(6 / 5)  # all three draws are the best split
  assert cost(found).text == '3.00 (1.20 to ∞)'
  two = per_point([6.0, 6.0], [0.05, 0.01])
  assert two == (pytest.approx(2.0), None, None, 2) and cost(two).text == '2.00'


def test_a_cost_is_paired_with_the_gain_of_its_split():
  """Drawn apart, the interval of these splits would reach from 1/3 to 3."""
  found = per_point([1.0, 2.0, 3.0], [0.01, 0.02, 0.03])
  assert found[:3] == pytest.approx((1.0, 1.0, 1.0))


def test_seconds_are_missing_where_they_say_nothing(board):
  assert {'gflops'} == set(row_of(board, 'distill', 20).per_point)  # its teacher's seconds are in no record
  assert row_of(board, 'supervised', 20).per_point == {}
  two = [record(m, 40, s) for m in ('supervised', 'fixmatch') for s in range(3)]
  two[-1]['environment']['device'] = {'platform': 'gpu', 'kind': 'H200', 'count': 1}
  assert set(row_of(aggregate(two, price=1), 'fixmatch', 40).per_point) == {'gflops'}
  two = two[:-1]
  assert set(row_of(aggregate(two), 'fixmatch', 40).per_point) == {'gflops', 'seconds'}
  assert set(row_of(aggregate(two, timing=False), 'fixmatch', 40).per_point) == {'gflops'}


def test_money_is_of_all_devices_and_of_a_trials_share_of_a_program():
  records = [record(m, 40, s) for m in ('supervised', 'fixmatch') for s in range(3)]
  plain = row_of(aggregate(records, price=7.2), 'fixmatch', 40).per_point
  assert plain['money'].value == pytest.approx(plain['seconds'].value * 7.2 / 3600)
  for one in records:
    one['environment']['device']['count'] = 8
    one['cost']['together'] = 4
  many = row_of(aggregate(records, price=7.2), 'fixmatch', 40).per_point
  assert many['money'].value == pytest.approx(2 * plain['money'].value)
  assert many['seconds'].value == pytest.approx(plain['seconds'].value / 4)


CURVE = {20: 0.6, 40: 0.75, 100: 0.9}


@pytest.mark.parametrize('target', [0.61, 0.7, 0.75, 0.8, 0.89, 0.9])
def test_labels_are_interpolated_on_their_logarithm(target):
  expected = np.exp(np.interp(target, list(CURVE.values()), np.log(list(CURVE))))
  assert reaching(CURVE, target).value == pytest.approx(expected)


@pytest.mark.parametrize(
  ('curve', 'target', 'bounds', 'said'),
  [
    (CURVE, 0.6, (0, 20), '≤ 20'),
    (CURVE, 0.3, (0, 20), '≤ 20'),
    (CURVE, 0.91, (100, math.inf), '≥ 100'),
    ({1000: 0.5}, 0.9, (1000, math.inf), '≥ 1,000'),
    ({20: 0.8, 40: 0.7, 100: 0.9}, 0.8, (63.245553203, 63.245553203), '63.2'),  # only from there on it stays
    ({20: 0.8, 40: 0.7, 100: 0.75}, 0.78, (100, math.inf), '≥ 100'),  # it does not stay
  ],
)
def test_nothing_is_extrapolated(curve, target, bounds, said):
  found = reaching(curve, target)
  assert found == pytest.approx(bounds) and bounded(found).text == said


@pytest.mark.parametrize(
  ('own', 'base', 'said'),
  [
    ((25, 25), (100, 100), '4'),
    ((30, 30), (100, 100), '3.33'),
    ((0, 20), (100, 100), '≥ 5'),
    ((200, math.inf), (100, 100), '≤ 0.500'),
    ((25, 25), (100, math.inf), '≥ 4'),
    ((25, 25), (0, 20), '≤ 0.800'),
    ((0, 20), (0, 20), '–'),
    ((100, math.inf), (100, math.inf), '–'),
  ],
)
def test_the_factor_is_as_sure_as_both_numbers_of_labels(own, base, said):
  assert bounded(saved(Bounds(*own), Bounds(*base))).text == said


def test_the_target_is_that_of_the_baseline_or_what_is_asked(digits, board):
  target = board.sections[0].target
  base = [
    accuracy(one) for one in digits if one['id'] in {t.id for t in row_of(board, 'supervised', 100).trials}
  ]
  assert target.labels == 100 and target.accuracy == pytest.approx(np.mean(base))
  budgets = (10, 20, 40, 100)
  means = [row_of(board, 'simclr', n).accuracy.value for n in budgets]
  assert means == sorted(means)
  expected = np.exp(np.interp(target.accuracy, means, np.log(budgets)))
  row = row_of(board, 'simclr', 10)
  assert row.to_target.value == pytest.approx(expected)
  assert row.saved.value == pytest.approx(100 / expected)
  asked = row_of(aggregate(digits, target=0.85), 'simclr', 10)
  assert asked.to_target.value == pytest.approx(np.exp(np.interp(0.85, means, np.log(budgets))))


def test_one_number_of_labels_has_no_target_of_its_own():
  records = [record(m, 40, s) for m in ('supervised', 'fixmatch') for s in range(3)]
  assert aggregate(records).sections[0].target is None
  assert row_of(aggregate(records, target=0.5), 'fixmatch', 40).to_target == (0, 40)


def test_trials_by_how_they_ended():
  records = [*quickstart(), failed('fixmatch', 40, 5), failed('fixmatch', 40, 6, status='diverged')]
  found = {one.method: one for one in success_of(aggregate(records, today=TODAY).sections[0])}
  counted = {}
  for one in {one['id']: one for one in records if one['versions']['method']}.values():
    counted.setdefault(one['config']['method']['name'], []).append(one['status'])
  assert {m: (f.started, f.done, f.failed, f.diverged) for m, f in found.items()} == {
    m: (len(s), s.count('done'), s.count('failed'), s.count('diverged')) for m, s in counted.items()
  }
  assert (found['vat'].started, found['vat'].share) == (1, 0) and found['mean_teacher'].diverged == 1
  n, p, z = 10, 0.9, 1.959963985  # Wilson 1927, solved by hand: |p - q| = z sqrt(q (1 - q) / n)
  assert found['mean_teacher'].started == n and found['mean_teacher'].share == p
  for q in (found['mean_teacher'].low, found['mean_teacher'].high):
    assert abs(p - q) == pytest.approx(z * math.sqrt(q * (1 - q) / n))


def test_the_table_by_method_and_the_columns_of_the_page_say_the_same(board):
  table = by_method(board.sections[0])
  titles = [head.title for head in table.heads]
  lines = {line[0].text: dict(zip(titles, (cell.text for cell in line))) for line in table.rows}
  assert (
    lines['supervised']['labels to target'] == '100' and lines['supervised']['labels saved, times'] == '1'
  )
  tree = data(board)
  words = tree['words']
  columns = {words[one['name']]: one for one in tree['derived']}
  assert list(columns) == [
    'gflops_per_point', 'seconds_per_point', 'money_per_point', 'labels_to_target', 'labels_saved',
    'trials_done',
  ]  # fmt: skip
  assert {words[one['group']] for one in columns.values()} == {'cost'}
  at = next(i for i, key in enumerate(tree['rows']['key']) if words[key] == 'simclr')
  text, value, *_ = columns['labels_to_target']['cells'][at]
  assert words[text] == lines['simclr']['labels to target'] and value == pytest.approx(
    float(words[text]), abs=0.1
  )
  assert any('2.5 per device-hour' in words[one] for one in tree['reading'])
  (said,) = [words[one] for one in tree['sections'][0]['reading'] if 'target' in words[one]]
  assert said == 'Labels to target: to 92.93 %, that of supervised with 100 labels.'
  assert (
    table.heads[1].hint == 'at which the mean accuracy reaches 92.93 %, that of supervised with 100 labels'
  )


def test_csv_and_json_have_unrounded_numbers_and_say_where_there_are_none(board):
  lines = list(csv.DictReader(io.StringIO(export(board, 'csv'))))
  whole = json.loads(export(board, 'json'))
  row = row_of(board, 'simclr', 10)
  line = next(one for one in lines if (one['method'], one['labels'], one['variant']) == ('simclr', '10', ''))
  for name, found in row.per_point.items():
    ends = [float(line[f'{name}_per_point{end}']) for end in ('', '_low', '_high')]
    assert ends == list(found[:3])
  base = next(
    one for one in whole['rows'] if (one['method'], one['labels'], one['variant']) == ('supervised', 10, '')
  )
  assert base['gflops_per_point'] is None and base['labels_to_target'] == 100 and base['trials_done'] == 1
  first = whole['efficiency'][0]
  assert first['target_labels'] == 100 and {one['method'] for one in first['methods']} >= {
    'simclr',
    'distill',
  }
  plain = export(aggregate(quickstart(), today=TODAY), 'csv').partition('\n')[0]
  assert 'money_per_point' not in plain and 'gflops_per_point_low' in plain


def test_the_command_takes_a_price_and_a_target(tmp_path):
  asked = ('leaderboard', '--records', DIGITS.parent / 'segment', '--format', 'csv')
  lines = list(csv.DictReader(io.StringIO(command(*asked, '--price', '3', '--target', '90'))))
  priced = next(one for one in lines if one.get('money_per_point'))
  assert float(priced['money_per_point']) == pytest.approx(float(priced['seconds_per_point']) * 3 / 3600)
  assert any(one['labels_to_target_low'] for one in lines)
  said = command(*asked, '--target', '0.9', code=2)
  assert '--target' in said and 'Traceback' not in said
