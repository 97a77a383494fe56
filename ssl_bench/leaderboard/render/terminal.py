"""The board in a terminal: one compact table for each label budget, as wide as the terminal allows."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ssl_bench.leaderboard.columns import Column, of
from ssl_bench.leaderboard.columns.ranking import ACCURACY, TO_SUPERVISED, added, seconds
from ssl_bench.leaderboard.render import notes
from ssl_bench.leaderboard.render.cells import DASH
from ssl_bench.leaderboard.rows import Board, Row
from ssl_bench.leaderboard.variants import say_variant
from ssl_bench.records.strict_json import printable

if TYPE_CHECKING:
  from rich.console import Console, ConsoleOptions, Group, RenderResult
  from rich.table import Table

HEADS = {'to supervised, points': 'to supervised', 's per epoch': 's/epoch'}  # shorter ones
GAP, EDGES = 3, 2  # characters between two columns, and at both ends of a line
NAME = 20  # characters of a name for which numbers beside the accuracy are left out


def terminal(board: Board) -> 'Group':
  """Something that rich can print; the page has the rest."""
  from rich.console import Group
  from rich.text import Text

  parts: list[Any] = []
  for section in board.sections:
    parts += [Text(''), Lines(notes.title(section), style='bold')]
    for budget in section.budgets:
      if budget.rows:
        parts.append(Ranking(f'{budget.labels:,} labels', budget.rows, board.timing))
      if swept := [row for row in budget.sweep if row.variant]:
        parts.append(Ranking(f'{budget.labels:,} labels, other augmentations', swept, False, False))
      for rows in budget.stressed:
        parts.append(Ranking(f'{budget.labels:,} labels, under stress', rows, False, False))
    parts += [
      Lines(printable(f'{t.method}, {t.labels} labels: {t.status}. {t.error}')) for t in section.failed
    ]
  return Group(*parts)


class Lines:
  """A sentence, broken at words into lines that fit, also where the console breaks none itself."""

  def __init__(self, text: str, style: str = '') -> None:
    self.text, self.style = text, style

  def __rich_console__(self, console: 'Console', options: 'ConsoleOptions') -> 'RenderResult':
    from rich.text import Text

    for line in textwrap.wrap(self.text, options.max_width) or ['']:
      yield Text(line, style=self.style)


class Ranking:
  """A table that rich asks for when it knows how wide the terminal is.

  Names take as many lines as they need, and numbers are never cut: those that have no room are left out, and
  the title says so.
  """

  def __init__(self, title: str, rows: Sequence[Row], timing: bool, all_columns: bool = True) -> None:
    self.title = title
    classified = any(row.accuracy for row in rows)  # where there is one class, nothing is
    columns = [c for c in _columns(timing, all_columns) if _is_shown(c, rows, always=classified)]
    self.heads = [HEADS.get(c.title, c.title) for c in columns]
    self.names = [_name(row) for row in rows]
    cells = [[c.cell(row) for c in columns] for row in rows]
    self.lines = [[(_short(cell.text), 'bold' if cell.strong else '') for cell in line] for line in cells]

  def __rich_console__(self, console: 'Console', options: 'ConsoleOptions') -> 'RenderResult':
    kept = self._kept(options.max_width)
    yield Lines(self._title(kept), style='italic')
    yield self._table(options.max_width, kept)

  def _kept(self, width: int) -> int:
    """How many columns of numbers have room beside a name; the first always stays."""
    widths, kept = self._widths(), 1
    while kept < len(widths) and _left(width, widths[: kept + 1]) >= min(self._longest(), NAME):
      kept += 1
    return kept

  def _title(self, kept: int) -> str:
    gone = ', '.join(self.heads[kept:])
    return f'{self.title} (on the page: {gone})' if gone else self.title

  def _table(self, width: int, kept: int) -> 'Table':
    """The table in at most `width` characters, if the first numbers leave room for a name."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    widths = self._widths()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    room = max(1, min(self._longest(), _left(width, widths[:kept])))
    table.add_column('method', width=room, overflow='fold')
    for head, own in zip(self.heads[:kept], widths):
      table.add_column(head, justify='right', no_wrap=True, width=own)
    for name, line in zip(self.names, self.lines):
      table.add_row(Text(name), *(Text(text, style=style) for text, style in line[:kept]))
    return table

  def _widths(self) -> list[int]:
    texts = [[text for text, _ in line] for line in self.lines]
    return [max(len(text) for text in column) for column in zip(self.heads, *texts)]

  def _longest(self) -> int:
    return max(map(len, ('method', *self.names)))


def _columns(timing: bool, all_columns: bool) -> tuple[Column, ...]:
  """The first is always shown, others where they fit."""
  if not all_columns:
    return (ACCURACY, TO_SUPERVISED, *added())
  timed = (seconds(),) if timing else ()
  return (ACCURACY, TO_SUPERVISED, of('ece', optional=False), *timed, *added())


def _is_shown(column: Column, rows: Sequence[Row], always: bool) -> bool:
  """Whether a table has a column: where any row has a number, or `always` where it is not optional."""
  return (always and not column.optional) or any(column.cell(row).text != DASH for row in rows)


def _left(width: int, widths: Sequence[int]) -> int:
  """Characters for the names beside columns of these widths."""
  return width - EDGES - sum(own + GAP for own in widths)


def _short(text: str) -> str:
  return text.removesuffix(' not separable')


def _name(row: Row) -> str:
  differs = say_variant({**row.stress, **row.variant})
  return printable(f'{row.method} [{differs}]'.replace('augment.', '') if differs else row.method)
