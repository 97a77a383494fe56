"""Private rows beside the same method without privacy, on boards of made-up records."""

import math

import numpy as np
from scipy import stats
from support.pages import grids_of
from support.records import record

from ssl_bench.leaderboard.aggregate import aggregate
from ssl_bench.leaderboard.page.document import page
from ssl_bench.leaderboard.render.tables import patterns, ranking
from ssl_bench.leaderboard.render.terminal import terminal

ACCURACIES, OPEN = [0.6, 0.64, 0.63], [0.7, 0.71, 0.72]


def trial(method, seed, accuracy, noise=None, epsilon=None, auc=0.6, **changes):
  """A record with a membership AUC, and where there is a noise, of private training."""
  if noise is not None:
    changes['private'] = {'clip': 1.0, 'noise': noise, 'delta': 1e-4}
  found = record(method, 40, seed, accuracy=accuracy, **changes)
  found['metrics']['membership_auc'] = auc
  if noise:
    found['metrics']['attacks'] = {
      'membership': {'auc': auc + 0.1},
      'inversion': {'members': {'psnr': 14.25}},
    }
  if noise is not None:
    found['metrics']['privacy'] = {'epsilon': epsilon, 'delta': 1e-4, 'stream': 'labeled'}
  return found


def table_of(records):
  (section,) = aggregate(records, timing=False).sections
  (budget,) = section.budgets
  tables = patterns(budget)
  assert len(tables) < 2
  return tables[0] if tables else None


def cells(table, title):
  at = [head.title for head in table.heads].index(title)
  return [row[at].text for row in table.rows]


def grouped():
  """Supervised with another norm, without privacy and with, and its usual settings beside."""
  other = {'net__norm': 'group'}
  usual = [trial('supervised', s, 0.9) for s in range(9)]
  plain = [trial('supervised', s, a, auc=0.75, **other) for s, a in enumerate(OPEN)]
  strong = [trial('supervised', s, a, 2.0, 4.321, 0.51, **other) for s, a in enumerate(ACCURACIES)]
  none = [trial('supervised', s, 0.68, 0.0, None, 0.7, **other) for s in range(3)]
  return usual, plain, none, strong


def test_private_rows_stand_after_the_nearest_row_without_privacy():
  usual, plain, none, strong = grouped()
  table = table_of(usual + plain + strong + none)
  assert table.title == 'Private training, 40 labels'
  assert cells(table, 'variant') == ['net.norm: group'] * 3
  assert cells(table, 'noise') == ['–', '0', '2'] and cells(table, 'clip') == ['–', '1', '1']
  assert cells(table, 'ε') == ['–', '∞', '4.32'] and cells(table, 'δ') == ['–', '0.0001', '0.0001']
  assert cells(table, 'membership AUC') == ['0.750', '0.700', '0.510']
  assert cells(table, 'encoder membership AUC') == ['–', '–', '0.610']
  assert cells(table, 'inversion, PSNR, dB') == ['–', '–', '14.3']
  assert cells(table, 'private stream') == ['–', 'labeled', 'labeled']
  low, high = stats.t.interval(0.95, 2, loc=np.mean(ACCURACIES), scale=stats.sem(ACCURACIES))
  assert cells(table, 'accuracy, %')[2] == f'{100 * np.mean(ACCURACIES):.1f} ± {50 * (high - low):.1f}'
  apart = np.subtract(ACCURACIES, OPEN)
  half = stats.t.ppf(0.975, 2) * stats.sem(apart)
  said = f'−{abs(100 * apart.mean()):.1f} ± {100 * half:.1f}'
  assert cells(table, 'to without, points') == ['–', cells(table, 'to without, points')[1], f'{said} worse']
  at = [head.title for head in table.heads].index('membership AUC')
  assert math.isclose(table.rows[2][at].value, 0.51)


def test_the_board_shows_them_and_never_takes_them_for_usual():
  _, plain, none, strong = grouped()
  board = aggregate(plain + none + strong, timing=False)
  (budget,) = board.sections[0].budgets
  assert sorted(bool(row.variant) for row in budget.rows) == [False, True, True]
  assert len(grids_of(page(board))['Private training, 40 labels']) == 3
  assert terminal(board)
  said = [cell.text for row in ranking(budget).rows for cell in row]
  assert any('private (clip 1, delta 0.0001, noise 2)' in text for text in said)


def test_methods_are_apart_and_one_alone_has_nothing_beside_it():
  rows = [trial(m, s, 0.5, n, 3.0) for m in ('fixmatch', 'supervised') for n in (1.0, 0.5) for s in range(3)]
  table = table_of(rows)
  assert cells(table, 'method') == ['fixmatch', 'fixmatch', 'supervised', 'supervised']
  assert cells(table, 'noise') == ['0.5', '1', '0.5', '1']
  assert set(cells(table, 'to without, points')) == {'–'}
  assert table_of([trial('supervised', 0, 0.9)]) is None
