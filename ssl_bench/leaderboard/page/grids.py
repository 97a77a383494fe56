"""Tables of cells for the page: heads, and rows of a text and what it sorts by."""

from typing import Any

from ssl_bench.leaderboard.page.words import Words
from ssl_bench.leaderboard.render.cells import Cell
from ssl_bench.leaderboard.render.tables import Table


def grid(table: Table, words: Words) -> dict[str, Any]:
  """A table; a cell is the number of its text, or [number of its text, what it sorts by, note]."""
  heads = [
    [words.of(head.title), words.of(head.hint), int(head.numeric), int(head.prose)] for head in table.heads
  ]
  rows = [[_cell(cell, words) for cell in row] for row in table.rows]
  return {'title': words.of(table.title), 'heads': heads, 'rows': rows}


def _cell(cell: Cell, words: Words) -> Any:
  text, value = words.of(cell.text), cell.value
  if (value is None or value == cell.text) and not cell.note:
    return text
  key = float(f'{value:.6g}') if isinstance(value, float) else value if isinstance(value, int) else None
  return [text, key, words.of(cell.note)] if cell.note else [text, key]
