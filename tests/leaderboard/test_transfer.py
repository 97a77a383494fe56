"""The matrix of transfer against NumPy: what shares a line, what its means are over, where it is shown."""

import csv
import io
import json

import numpy as np
import pytest
from scipy import stats
from support.records import SETS, probed, record, some_share

from ssl_bench.leaderboard import aggregate, transfer_frame, transfer_rows
from ssl_bench.leaderboard.export import export
from ssl_bench.leaderboard.page.document import page
from ssl_bench.leaderboard.render.csv_files import csv_files
from ssl_bench.leaderboard.render.transfer import tables_of
from ssl_bench.leaderboard.transfer import matrix, sets_of


@pytest.fixture(scope='module')
def records():
  plain = [probed('simclr', d, s, labels=n) for d in SETS for s in range(4) for n in (20, 40)]
  plain += [probed('fixmatch', 'digits', s) for s in range(4)]
  teacher = {'dataset': 'digits', 'method': {'name': 'simclr'}}
  later = [probed('simclr', 'mnist', s, init='teacher', teacher=teacher) for s in range(3)]
  return [*plain, *later, record('supervised', 40, 0)]


@pytest.fixture(scope='module')
def lines(records):
  return {
    (line.method, line.trained_on or line.form, line.labels): line for line in matrix(aggregate(records))
  }


def test_there_is_a_line_for_each_method_and_training_and_one_for_the_floor_of_each_set(lines):
  assert list(lines) == [
    ('fixmatch', 'digits', 40),
    ('simclr', 'digits', None),
    ('simclr', 'digits → mnist', None),
    ('simclr', 'mnist', None),
    ('random weights', 'digits', None),
    ('random weights', 'mnist', None),
  ]
  assert [line.form for line in lines.values()] == ['digits', 'digits', 'mnist', 'mnist', 'digits', 'mnist']
  assert lines['random weights', 'mnist', None].trained_on == ''
  assert lines['simclr', 'mnist', None].variant == lines['simclr', 'digits → mnist', None].variant == ''


def test_means_are_over_seeds_where_training_sees_no_label_and_else_over_splits(lines, records):
  for key, method, seeds in (
    (('simclr', 'mnist', None), 'simclr', 4),
    (('fixmatch', 'digits', 40), 'fixmatch', 4),
  ):
    for name in SETS:
      for probe in ('linear', 'few_5'):
        own = {
          one['config']['seed']: one['metrics']['transfer'][probe][name]
          for one in records
          if one['config']['method']['name'] == method
          and one['config']['dataset'] == key[1]
          and 'transfer' in one['metrics']
          and 'init' not in one['config']
        }
        cell = lines[key].cells[name][probe]
        assert (len(own), cell.n) == (seeds, seeds)  # a seed at two budgets is one training
        assert cell.value == pytest.approx(np.mean(list(own.values())))
        half = stats.t.ppf(0.975, seeds - 1) * stats.sem(list(own.values()))
        assert cell.half == pytest.approx(half)
  floor = lines['random weights', 'digits', None].cells['mnist']['linear']
  expected = [some_share('linear', 'mnist', 'random', 'digits', seed) for seed in range(4)]
  assert floor.value == pytest.approx(np.mean(expected)) and floor.n == 4


def test_trials_that_differ_in_what_they_were_probed_on_share_a_line():
  apart = [probed('simclr', 'digits', s, sets=(name,)) for s in range(3) for name in SETS]
  together = [probed('simclr', 'digits', s) for s in range(3)]
  cells = lambda found: [
    (line.method, line.trained_on, line.form, line.cells) for line in matrix(aggregate(found))
  ]
  assert cells(apart) == cells(together)
  other = [probed('simclr', 'digits', s, optimizer__lr=0.5) for s in range(3)]
  assert len([line for line in matrix(aggregate([*together, *other])) if line.method == 'simclr']) == 2


def test_sets_in_turn_are_told_from_the_first_on():
  begun = {'init': 'teacher', 'teacher.init': 'teacher'}
  assert sets_of('c', {}) == ('c',)
  assert sets_of('c', {'teacher.dataset': 'b'}) == ('c',)  # it teaches, and nothing begins with it
  assert sets_of('c', {**begun, 'teacher.dataset': 'b', 'teacher.teacher.dataset': 'a'}) == ('a', 'b', 'c')
  assert sets_of('c', begun) == ('c',)
  assert sets_of('c', {**begun, 'teacher.dataset': 'b'}) == ('c', 'b', 'c')


def test_it_is_on_the_page_in_csv_in_json_and_in_a_frame(records):
  board = aggregate(records)
  rows = transfer_rows(board)
  assert len(rows) == 6 * 2 * 5 and rows[0]['method'] == 'fixmatch' and rows[0]['net'].startswith('convnet (')
  tables = tables_of(board)
  assert [table.title for table in tables][:2] == [
    'Transfer, linear, smoke protocol',
    'Transfer, kNN, smoke protocol',
  ]
  assert [head.title for head in tables[0].heads][-2:] == ['on digits, %', 'on mnist, %']
  cell = tables[0].rows[1][-1]
  linear = next(r for r in rows if (r['method'], r['probed_on'], r['probe']) == ('simclr', 'mnist', 'linear'))
  assert (
    cell.value == linear['accuracy'] and cell.text == f'{100 * cell.value:.1f} ± {100 * linear["half"]:.1f}'
  )
  lines = list(csv.DictReader(io.StringIO(csv_files(board)['tables/transfer.csv'])))
  assert [float(line['accuracy']) for line in lines] == pytest.approx([row['accuracy'] for row in rows])
  assert json.loads(export(board, 'json'))['transfer'] == json.loads(json.dumps(rows))
  assert 'Transfer, 5 a class, smoke protocol' in page(board)


def test_it_is_a_data_frame(records):
  pandas = pytest.importorskip('pandas')
  found = transfer_frame(records)
  assert isinstance(found, pandas.DataFrame) and len(found) == len(transfer_rows(aggregate(records)))
  shape = (
    found[found.probe == 'linear']
    .pivot_table('accuracy', ['method', 'trained_on', 'form'], 'probed_on')
    .shape
  )
  assert shape == (6, 2)


def test_a_board_without_transfer_is_what_it_was():
  board = aggregate([record('simclr', 40, s) for s in range(3)])
  assert not matrix(board) and 'tables/transfer.csv' not in csv_files(board)
  assert 'transfer' not in json.loads(export(board, 'json'))
