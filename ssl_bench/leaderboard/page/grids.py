"""Tables of cells for the page: heads, and rows of a text and what it sorts by."""

from collections.abc import Sequence
from typing import Any

from ssl_bench.leaderboard.columns import efficiency
from ssl_bench.leaderboard.page.words import Words
from ssl_bench.leaderboard.render.cells import DASH, Cell
from ssl_bench.leaderboard.render.tables import Table
from ssl_bench.leaderboard.rows import Row


def grid(table: Table, words: Words) -> dict[str, Any]:
  """A table; a cell is the number of its text, or [number of its text, what it sorts by, note]."""
  heads = [
    [words.of(head.title), words.of(head.hint), int(head.numeric), int(head.prose)] for head in table.heads
  ]
  rows = [[_cell(cell, words) for cell in row] for row in table.rows]
  return {'title': words.of(table.title), 'heads': heads, 'rows': rows}


def derived(rows: Sequence[Row], words: Words) -> list[dict[str, Any]]:
  """Columns of the ranking that no record holds, as cells of all rows; empty ones are left out."""
  found = []
  for name, better, column in efficiency.columns():
    cells = [column.cell(row) for row in rows]
    if any(cell.text != DASH for cell in cells):
      said = {'name': words.of(name), 'title': words.of(column.title), 'hint': words.of(column.hint)}
      found.append(
        {
          **said,
          'group': words.of(efficiency.GROUP),
          'better': better,
          'cells': [_cell(cell, words) for cell in cells],
        }
      )
  return found


def _cell(cell: Cell, words: Words) -> Any:
  text, value = words.of(cell.text), cell.value
  if (value is None or value == cell.text) and not cell.note:
    return text
  key = float(f'{value:.6g}') if isinstance(value, float) else value if isinstance(value, int) else None
  return [text, key, words.of(cell.note)] if cell.note else [text, key]
