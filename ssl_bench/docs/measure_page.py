"""The page of measures: what a record holds, and how the board writes it."""

from collections.abc import Iterator

from ssl_bench.docs.markdown import cell, table


def page() -> str:
  """The page, read from the rows of `ssl_bench.leaderboard.measures`."""
  return '\n'.join([
    '# Measures\n',
    'Every number of the board is read from a record. This is where each one stands in the record, and what'
    ' it means. Numbers in [0, 1] are shown in percent. Your own: [a measure](../your-own/measure.md).\n',
    table(['measure', 'in the record', 'column', 'meaning'], _rows()),
  ])  # fmt: skip


def _rows() -> Iterator[list[str]]:
  from ssl_bench.leaderboard.columns import RANKING
  from ssl_bench.leaderboard.further import FURTHER
  from ssl_bench.leaderboard.measures import PATHS

  columns = {column.title: column for column in (*RANKING, *FURTHER)}
  for name, path in PATHS.items():
    where = '.'.join(part if isinstance(part, str) else '(each)' for part in path)
    shown = next((c for c in columns.values() if _reads(c, name)), None)
    yield [f'`{name}`', f'`{where}`', cell(shown.title if shown else ''), cell(shown.hint if shown else '')]


def _reads(column, name: str) -> bool:
  """Whether a column's function names the measure."""
  closure = [part.cell_contents for part in column.cell.__closure__ or ()]
  return name in column.cell.__code__.co_consts or name in closure
