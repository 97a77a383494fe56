"""The board as CSV: one file a table, with unrounded numbers under the names of the measures."""

import csv
import io
import re
from collections.abc import Iterator, Sequence

from ssl_bench import measures
from ssl_bench.leaderboard import flat
from ssl_bench.leaderboard.frame import compared
from ssl_bench.leaderboard.render import tables
from ssl_bench.leaderboard.render.cells import DASH, Cell
from ssl_bench.leaderboard.render.reproduced import reproduced
from ssl_bench.leaderboard.render.signs import of_section
from ssl_bench.leaderboard.render.tables import Table
from ssl_bench.leaderboard.rows import Board, Budget, Row, Section
from ssl_bench.leaderboard.signs import NONE, Signs
from ssl_bench.leaderboard.transfer import transfer_rows
from ssl_bench.leaderboard.variants import say_variant
from ssl_bench.records.strict_json import printable

BOUNDS = '≤≥'  # with which a number begins that is only a bound, and stays text
FIRST = ('method', 'variant', 'stress', 'family', 'labels', 'rank', 'splits', 'trials', 'failed')


def csv_files(board: Board, signs: Signs = NONE) -> dict[str, str]:
  """Path below the board's folder -> CSV, for every table of the page."""
  found = {
    f'tables/{_safe(name)}.csv': text for section in board.sections for name, text in _section(section, signs)
  }
  for table in board.reproduced:
    found[f'tables/reproduced-{_safe(table.name)}.csv'] = of_table(reproduced(table, board.timing))
  if lines := transfer_rows(board):
    values = [[_said(value) for value in line.values()] for line in lines]
    found['tables/transfer.csv'] = _written(list(lines[0]), values)
  if board.elsewhere:
    found['tables/published.csv'] = of_table(tables.elsewhere(board.elsewhere))
  return found


def _section(section: Section, signs: Signs) -> Iterator[tuple[str, str]]:
  first = f'{section.dataset}-{section.protocol}'
  for budget in section.budgets:
    for name, rows in _of_budget(budget):
      if rows:
        yield f'{first}-{budget.labels}-{name}', of_rows(rows)
  others = {
    'efficiency': tables.by_method(section),
    'failed': tables.failures(section),
    'stale': tables.stale(section),
    'trials': tables.trials(section),
  }
  if (beside := tables.beside(section)) is not None:
    others['published'] = beside
  others |= {table.title.lower().replace(' ', '-'): table for table in of_section(section, signs)}
  for name, table in others.items():
    if table.rows:
      yield f'{first}-{name}', of_table(table)


def _of_budget(budget: Budget) -> Iterator[tuple[str, Sequence[Row]]]:
  yield 'ranking', budget.rows
  yield 'augmentations', budget.sweep
  for rows in budget.stressed:
    kinds = dict.fromkeys(name.partition('.')[0] for row in rows for name in row.stress)
    yield f'stress-{"-".join(kinds)}', rows


def of_rows(rows: Sequence[Row]) -> str:
  """A line a row: what it is, its efficiency, and the mean and half width of each measure that a row has."""
  measured = [row.name for row in measures.all_measures() if any(row.name in one.measures for one in rows)]
  further = flat.names(rows)
  means = (head for name in measured for head in (name, f'{name}_half'))
  heads = [*FIRST, *compared(None), *further, *means]
  return _written(heads, [_line(row, measured, further) for row in rows])


def _line(row: Row, measured: Sequence[str], further: Sequence[str]) -> list[str]:
  accuracy, efficiency = row.accuracy, flat.per_row(row)
  line = [
    *(row.method, say_variant(row.variant), say_variant(row.stress), row.family, str(row.labels)),
    '' if row.rank is None else str(row.rank),
    *(str(accuracy.n if accuracy else 0), str(len(row.trials)), str(row.failed)),
    *(_said(value) for value in compared(row.difference).values()),
    *(_number(efficiency[name]) for name in further),
  ]
  for name in measured:
    mean = row.measures.get(name)
    line += [_number(mean.value), _number(mean.half)] if mean else ['', '']
  return line


def _said(value: float | str | None) -> str:
  return value if isinstance(value, str) else _number(value)


def of_table(table: Table) -> str:
  """A table as it is shown, numbers of its columns as they are sorted."""
  return _written([head.title for head in table.heads], [[_cell(cell) for cell in row] for row in table.rows])


def _cell(cell: Cell) -> str:
  if isinstance(cell.value, float) and cell.text[0] not in BOUNDS:
    return _number(cell.value)
  return '' if cell.text == DASH else cell.text


def _number(value: float | None) -> str:
  return '' if value is None else f'{value:.10g}'


def _written(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
  buffer = io.StringIO()
  csv.writer(buffer, lineterminator='\n').writerows(
    [heads, *([plain_text(text) for text in line] for line in lines)]
  )
  return buffer.getvalue()


def plain_text(text: str) -> str:
  """Text on one line; a spreadsheet takes none of it for a formula."""
  text = printable(text)
  return f"'{text}" if text[:1] in ('=', '@', '+') else text


def _safe(name: str) -> str:
  return re.sub(r'[^\w.-]+', '_', name)
