"""Tables in GitHub's Markdown."""

from collections.abc import Iterable

from ssl_bench.leaderboard.render.cells import Cell
from ssl_bench.leaderboard.render.escape import escape
from ssl_bench.leaderboard.render.tables import Table


def markdown(table: Table) -> str:
  """The table in GitHub's Markdown."""
  lines = [
    _line(escape(head.title) for head in table.heads),
    _line('---:' if head.numeric else ':---' for head in table.heads),
    *(_line(_say(cell) for cell in row) for row in table.rows),
  ]
  return '\n'.join(lines) + '\n'


def _line(cells: Iterable[str]) -> str:
  return f'| {" | ".join(cells)} |'


def _say(cell: Cell) -> str:
  return f'**{escape(cell.text)}**' if cell.strong else escape(cell.text)
