"""The board in a terminal: one compact table for each label budget."""

from typing import TYPE_CHECKING

from ssl_bench.leaderboard import facts
from ssl_bench.leaderboard.aggregate import say_variant
from ssl_bench.leaderboard.columns import RANKING
from ssl_bench.leaderboard.rows import Board, Budget, Row

if TYPE_CHECKING:
  from rich.console import Group
  from rich.table import Table

TITLES = {
  'rank': '',
  'accuracy, %': 'accuracy, %',
  'seeds': 'seeds',
  'to supervised, points': 'to supervised',
  'linear, all, %': 'linear',
  'kNN, %': 'kNN',
  'ECE': 'ECE',
  's per epoch': 's per epoch',
  'GFLOPs per epoch': 'GFLOPs per epoch',
}


def terminal(board: Board) -> 'Group':
  """Something that rich can print; the page has the rest."""
  from rich.console import Group
  from rich.text import Text

  parts: list = []
  for section in board.sections:
    parts.append(Text(f'\n{facts.title(section)}', style='bold'))
    parts += [_table(budget, board.timing) for budget in section.budgets]
    parts += [
      Text(f'{t.method}, {t.labels} labels: {t.status}. {t.record.get("error") or ""}')
      for t in section.failed
    ]
  return Group(*parts)


def _table(budget: Budget, timing: bool) -> 'Table':
  from rich import box
  from rich.table import Table
  from rich.text import Text

  columns = [c for c in RANKING if c.title in TITLES and (timing or c.title != 's per epoch')]
  table = Table(title=f'{budget.labels:,} labels', title_justify='left', title_style='', box=box.SIMPLE_HEAD)
  table.add_column(TITLES[columns[0].title], justify='right')
  table.add_column('method')
  for column in columns[1:]:
    table.add_column(TITLES[column.title], justify='right', no_wrap=column.title.startswith('to '))
  swept = [row for row in budget.sweep if row.variant]
  for i, row in enumerate((*budget.rows, *swept)):
    if i == len(budget.rows):
      table.add_section()
    cells = [column.cell(row) for column in columns]
    texts = [Text(_short(cell.text), style='bold' if cell.strong else '') for cell in cells]
    table.add_row(texts[0], Text(_name(row)), *texts[1:])
  return table


def _short(text: str) -> str:
  return text.removesuffix(' not separable')


def _name(row: Row) -> str:
  return f'{row.method} [{say_variant(row.variant)}]' if row.variant else row.method
