"""A reproduced table in a terminal."""

from typing import TYPE_CHECKING

from ssl_bench.leaderboard.reproduced import HEADS, Reproduced, counts, lines

if TYPE_CHECKING:
  from rich.console import Group


def terminal(table: Reproduced) -> 'Group':
  """Something that rich can print."""
  from rich import box
  from rich.console import Group
  from rich.table import Table
  from rich.text import Text

  shown = Table(title=Text(table.title), title_justify='left', box=box.SIMPLE_HEAD, pad_edge=False)
  for i, head in enumerate(HEADS[:-1]):
    shown.add_column(head, justify='left' if i < 2 else 'right', no_wrap=i > 1)
  found = lines(table)
  for line in found:
    shown.add_row(*line[:-1])
  why = [Text(f'{line.row}, {line.column}: {line.explained}') for line in found if line.explained]
  told = ', '.join(f'{count} {verdict}' for verdict, count in counts(table).items())
  ending = Text(f'{told}; within means {table.tolerance:g} points or one published standard deviation.')
  return Group(shown, *why, ending)
