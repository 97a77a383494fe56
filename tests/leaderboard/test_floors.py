"""Self-supervised rows beside features that nothing was learned for, on boards of made-up records."""

from scipy import stats
from support.records import record

from ssl_bench.leaderboard.aggregate import aggregate
from ssl_bench.leaderboard.render.tables import ranking

LEARNED, FRESH, OTHER, PIXELS = [0.8, 0.83, 0.82], [0.5, 0.56, 0.6], [0.9, 0.91, 0.92], [0.81, 0.8, 0.85]
TITLES = ('to random weights, points', 'to raw pixels, points')


def series(method, accuracies, **more):
  found = [record(method, 40, s, accuracy=a, **more) for s, a in enumerate(accuracies)]
  for trial in found:
    trial['family'] = 'semi-supervised' if method in ('fixmatch', 'supervised') else 'self-supervised'
  return found


def floors():
  return series('raw_pixels', PIXELS) + series('random_weights', FRESH)


def table_of(records):
  (section,) = aggregate(records).sections
  (budget,) = section.budgets
  return budget, ranking(budget)


def said(table, method):
  """Both cells of the one row of `method`."""
  titles = [head.title for head in table.heads]
  (row,) = [row for row in table.rows if row[titles.index('method')].text == method]
  return [row[titles.index(title)].text for title in TITLES]


def test_the_difference_is_scipys_paired_test_to_the_same_network():
  """A better fresh network of another width is no floor of this one."""
  wide = series('random_weights', OTHER, net__width=64)
  budget, table = table_of(series('simclr', LEARNED) + floors() + wide)
  (row,) = [row for row in budget.rows if row.method == 'simclr']
  for name, floor in (('random_weights', FRESH), ('raw_pixels', PIXELS)):
    low, high = stats.ttest_rel(LEARNED, floor).confidence_interval(0.95)
    mean = row.to_floors[name].mean
    assert (mean.n, round(mean.value - mean.half, 12), round(mean.value + mean.half, 12)) == (
      3, round(low, 12), round(high, 12),
    )  # fmt: skip
  assert [cell.rsplit(' ', 1)[-1] for cell in said(table, 'simclr')[:1]] == ['better']
  assert said(table, 'simclr')[1].endswith('not separable')


def test_only_self_supervised_methods_have_floors_and_a_network_without_its_own_has_none():
  narrow = series('byol', LEARNED, net__width=16)
  others = series('fixmatch', LEARNED) + series('supervised', LEARNED) + series('simclr', LEARNED)
  _, table = table_of(narrow + floors() + others)
  assert said(table, 'byol')[0] == '–' and said(table, 'byol')[1] == said(table, 'simclr')[1]
  for name in ('fixmatch', 'supervised', 'random_weights', 'raw_pixels'):
    assert said(table, name) == ['–', '–']


def test_the_columns_are_left_out_where_nobody_ran_a_floor():
  _, table = table_of(series('simclr', LEARNED) + series('supervised', FRESH))
  assert not {head.title for head in table.heads} & set(TITLES)


def test_under_a_stress_the_floors_are_those_of_the_same_stress():
  noisy = {'stress__label_noise': 0.2}
  records = floors() + series('simclr', LEARNED, **noisy) + series('raw_pixels', FRESH, **noisy)
  (section,) = aggregate(records).sections
  (rows,) = section.budgets[0].stressed
  (row,) = [row for row in rows if row.method == 'simclr']
  assert set(row.to_floors) == {'raw_pixels'}
  assert row.to_floors['raw_pixels'].mean.value > 0.2  # to 55 % of the noisy pixels, not to 82 %
