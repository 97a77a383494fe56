"""A reproduced table in a terminal."""

from typing import TYPE_CHECKING

from ssl_bench.leaderboard.reproduced import Reproduced, counts, lines

if TYPE_CHECKING:
  from rich.console import Group

HEADS = ('row', 'column', 'published', 'measured', 'difference', 'runs', 'verdict')


def terminal(table: Reproduced) -> 'Group':
  """Something that rich can print; the board has the rest."""
  from rich import box
  from rich.console import Group
  from rich.table import Table
  from rich.text import Text

  shown = Table(title=Text(table.title), title_justify='left', box=box.SIMPLE_HEAD, pad_edge=False)
  for head in HEADS:
    words = head in ('row', 'column', 'verdict')
    shown.add_column(head, justify='left' if words else 'right', no_wrap=not words)
  found = lines(table)
  for line in found:
    numbers = (line.published, line.measured, line.difference, line.runs)
    shown.add_row(line.row, line.column, *numbers, line.verdict)
  why = [Text(f'{line.row}, {line.column}: {line.explained}') for line in found if line.explained]
  return Group(shown, *why, Text(_ending(table)))


def _ending(table: Reproduced) -> str:
  told = ', '.join(f'{count} {verdict}' for verdict, count in counts(table).items())
  cells = [cell for row in table.rows for cell in row.cells]
  devices = ', '.join(sorted({cell.device for cell in cells if cell.device}))
  return (
    f'{told}; within means {table.tolerance:g} points or one published standard deviation. '
    f'{sum(cell.hours for cell in cells):.2f} hours of training on {devices or "no device"}.'
  )
