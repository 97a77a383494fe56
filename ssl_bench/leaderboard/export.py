"""The rankings as text for another program or a paper, and the figures as files."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from ssl_bench.leaderboard.flat import by_method
from ssl_bench.leaderboard.frame import flat_rows
from ssl_bench.leaderboard.named import named, plain, to_json
from ssl_bench.leaderboard.rows import Board
from ssl_bench.leaderboard.signs import Curves, signs
from ssl_bench.leaderboard.transfer import transfer_rows
from ssl_bench.records.disk import write_whole

Form = Literal['csv', 'json', 'latex', 'markdown']
FigureForm = Literal['svg', 'pdf']


def export(board: Board, form: Form, curves: Curves = lambda name: None) -> str:
  """All rankings in one text; `curves` gives the learning curves of a record by its id.

  `csv` has one line a ranked row with unrounded numbers; `json` has the same rows under `rows`, the
  statistics over tasks under `figures`, what signs are worth under `signs`, targets and trials by method
  under `efficiency`, and what `transfer_rows` gives, if that is anything, under `transfer`; `latex`
  (booktabs) and `markdown` have a table a dataset and budget, rounded as on the board, with at most seven
  columns.
  """
  if form == 'csv':
    return _csv(board)
  if form == 'json':
    found = plain(signs(board, curves))
    whole = {'rows': flat_rows(board), 'figures': to_json(named(board)), 'signs': found}
    whole['efficiency'] = by_method(board)
    if transferred := transfer_rows(board):
      whole['transfer'] = transferred
    return json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + '\n'
  return _tables(board, form)


def _csv(board: Board) -> str:
  from ssl_bench.leaderboard.render.csv_files import plain_text

  rows = flat_rows(board)
  buffer = io.StringIO()
  writer = csv.writer(buffer, lineterminator='\n')
  writer.writerow(rows[0] if rows else ('dataset',))
  writer.writerows([plain_text(_said(value)) for value in row.values()] for row in rows)
  return buffer.getvalue()


def _said(value: object) -> str:
  if value is None:
    return ''
  return repr(value) if isinstance(value, float) else str(value)


def _tables(board: Board, form: Form) -> str:
  from ssl_bench.leaderboard.render import notes
  from ssl_bench.leaderboard.render.escape import escape
  from ssl_bench.leaderboard.render.latex import PREAMBLE, latex
  from ssl_bench.leaderboard.render.markdown import markdown
  from ssl_bench.leaderboard.render.short import short

  parts = [PREAMBLE + '\n'] if form == 'latex' else []
  for section in board.sections:
    for budget in section.budgets:
      if budget.rows:
        table = short(f'{notes.title(section)}, {budget.labels:,} labels', budget.rows)
        parts.append(latex(table) if form == 'latex' else f'## {escape(table.title)}\n\n{markdown(table)}')
  return '\n'.join(parts)


def write_figures(board: Board, folder: Path, form: FigureForm) -> list[Path]:
  """Writes each figure of the board to `folder`, byte-stable, and returns the files' paths."""
  from ssl_bench.leaderboard.render.svg import to_file

  paths = []
  for one in _figures(board):
    path = folder / f'{re.sub(r"[^A-Za-z0-9_.-]+", "-", one.name)}.{form}'
    write_whole(path, to_file(one.figure, form, one.name))
    paths.append(path)
  return paths


def _figures(board: Board) -> Iterator:
  from ssl_bench.leaderboard.render import across, figures

  if (picture := across.what_to_use(board)) is not None:
    yield figures.Drawn('what-to-use', '', picture)
  yield from across.drawn(board)
  for section in board.sections:
    yield from figures.drawn(section)
