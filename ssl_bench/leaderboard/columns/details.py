"""Details: the columns of everything that is measured and not in the ranking, in a table of its own."""

from ssl_bench import measures
from ssl_bench.leaderboard.columns import Column, efficiency, of
from ssl_bench.leaderboard.columns.ranking import METHOD, VARIANT, ranked_measures
from ssl_bench.leaderboard.render.cells import NOTHING, Cell
from ssl_bench.leaderboard.rows import Row

# The order of the tables that measures name; those of any other table stand behind them.
TABLES = (
  'accuracy',
  'probes',
  'calibration',
  'risk',
  'shift',
  'transfer',
  'pseudo_labels',
  'retrieval',
  'anomaly',
  'open_set',
  'privacy',
  'health',
  'cost',
)


def _total(row: Row) -> Cell:
  total = row.training_gflops
  return NOTHING if total is None else Cell(f'{total:,.0f}', total)


def details() -> tuple[Column, ...]:
  """Of every measure that has a table and no column in the ranking; the ranked number stands first."""
  ranked = ranked_measures()
  rows = [row for row in measures.all_measures() if row.table and row.is_numeric and row.name not in ranked]
  rows.sort(key=lambda row: (TABLES.index(row.table) if row.table in TABLES else len(TABLES), row.table))
  final = of('accuracy')._replace(
    title='final, %', hint='the evaluated weights after the last step: the number that is ranked'
  )
  total = Column('training GFLOPs', "over the whole run, its teacher's included", _total, optional=True)
  per_point = (one.column for one in efficiency.columns())
  return (METHOD, VARIANT, final, *(of(row.name) for row in rows), total, *per_point)
