"""The board in a terminal: one compact table for each label budget."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ssl_bench.leaderboard import facts
from ssl_bench.leaderboard.aggregate import say_variant
from ssl_bench.leaderboard.columns import RANKING
from ssl_bench.leaderboard.rows import Board, Row

if TYPE_CHECKING:
  from rich.console import Group
  from rich.table import Table

TITLES = {  # the board's titles, as they are called here
  'accuracy, %': 'accuracy, %',
  'to supervised, points': 'to supervised',
  'ECE': 'ECE',
  's per epoch': 's/epoch',
}
SWEEP = {title: TITLES[title] for title in ('accuracy, %', 'to supervised, points')}


def terminal(board: Board) -> 'Group':
  """Something that rich can print; the page has the rest."""
  from rich.console import Group
  from rich.text import Text

  parts: list = []
  for section in board.sections:
    parts.append(Text(f'\n{facts.title(section)}', style='bold'))
    for budget in section.budgets:
      if budget.rows:
        parts.append(_table(f'{budget.labels:,} labels', budget.rows, board.timing))
      if swept := [row for row in budget.sweep if row.variant]:
        parts.append(_table(f'{budget.labels:,} labels, other augmentations', swept, board.timing, SWEEP))
      for rows in budget.stressed:
        parts.append(_table(f'{budget.labels:,} labels, under stress', rows, board.timing, SWEEP))
    parts += [
      Text(f'{t.method}, {t.labels} labels: {t.status}. {t.record.get("error") or ""}')
      for t in section.failed
    ]
  return Group(*parts)


def _table(title: str, rows: Sequence[Row], timing: bool, titles: Mapping[str, str] = TITLES) -> 'Table':
  from rich import box
  from rich.table import Table
  from rich.text import Text

  columns = [c for c in RANKING if c.title in titles and (timing or c.title != 's per epoch')]
  table = Table(title=title, title_justify='left', title_style='', box=box.SIMPLE_HEAD, pad_edge=False)
  table.add_column('method', no_wrap=titles is TITLES)
  for column in columns:
    table.add_column(titles[column.title], justify='right', no_wrap=True)
  for row in rows:
    cells = [column.cell(row) for column in columns]
    texts = [Text(_short(cell.text), style='bold' if cell.strong else '') for cell in cells]
    table.add_row(Text(_name(row)), *texts)
  return table


def _short(text: str) -> str:
  return text.removesuffix(' not separable')


def _name(row: Row) -> str:
  differs = say_variant({**row.stress, **row.variant})
  return f'{row.method} [{differs}]'.replace('augment.', '') if differs else row.method
