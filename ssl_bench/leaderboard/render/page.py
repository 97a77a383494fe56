"""The board as one page that opens from disk: tables, figures, sorting and filtering, no outside address."""

from typing import Any

from ssl_bench.leaderboard.render import notes, tables
from ssl_bench.leaderboard.render.cells import Cell
from ssl_bench.leaderboard.render.figures import figures
from ssl_bench.leaderboard.render.reproduced import reproduced, told
from ssl_bench.leaderboard.rows import Board, Section
from ssl_bench.records.strict_json import printable


def page(board: Board) -> str:
  """The whole page as HTML."""
  from jinja2 import Environment, PackageLoader, StrictUndefined

  environment = Environment(
    loader=PackageLoader('ssl_bench', 'leaderboard/render'),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_plain,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  environment.globals.update(sort_key=sort_key)
  template = environment.get_template('page.html.j2')
  sections = [_section(section, board.timing) for section in board.sections]
  elsewhere = tables.elsewhere(board.elsewhere) if board.elsewhere else None
  said = {'counts': notes.counts(board), 'reading': notes.READING, 'columns': notes.columns()}
  published = [(t.name, t.title, t.about, told(t), reproduced(t, board.timing)) for t in board.reproduced]
  return template.render(sections=sections, elsewhere=elsewhere, reproduced=published, **said).rstrip() + '\n'


def _plain(value: Any) -> Any:
  """Text without control characters; what is markup stays as it is."""
  return printable(value) if isinstance(value, str) and not hasattr(value, '__html__') else value


def _section(section: Section, timing: bool) -> dict[str, Any]:
  sweeps = [
    t
    for b in section.budgets
    for t in (tables.sweep(b), *tables.stressed(b), *tables.patterns(b))
    if t is not None
  ]
  return {
    'id': f'{section.dataset}-{section.protocol}',
    'title': notes.title(section),
    'reading': notes.reading(section, timing),
    'budgets': [tables.ranking(b) for b in section.budgets if b.rows],
    'sweeps': sweeps,
    'figures': figures(section),
    'beside': tables.beside(section),
    'further': [tables.further(b) for b in section.budgets if b.rows],
    'trouble': [t for t in (tables.failures(section), tables.stale(section)) if t.rows],
    'settings': notes.settings(section),
    'trials': tables.trials(section),
  }


def sort_key(cell: Cell) -> str:
  """What the page's script sorts a cell by; empty sorts last."""
  if cell.value is None:
    return ''
  return f'{cell.value:.10g}' if isinstance(cell.value, float) else str(cell.value)
