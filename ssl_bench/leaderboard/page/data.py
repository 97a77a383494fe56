"""A board as the tree of data that its page shows: columns of whole numbers, and texts by their number."""

from collections.abc import Mapping, Sequence
from typing import Any

from scipy import special

from ssl_bench.leaderboard.columns.ranking import calibration_is_ranked, cost_is_ranked
from ssl_bench.leaderboard.page import measured, methods, rows, trials
from ssl_bench.leaderboard.page.figures import Figure, drawn
from ssl_bench.leaderboard.page.grids import derived, grid
from ssl_bench.leaderboard.page.words import Words
from ssl_bench.leaderboard.read import Settings
from ssl_bench.leaderboard.render import notes, tables, transfer
from ssl_bench.leaderboard.render.reproduced import reproduced, told
from ssl_bench.leaderboard.render.signs import of_section
from ssl_bench.leaderboard.rows import Board, Row, Section
from ssl_bench.leaderboard.signs import NONE, Signs


def data(
  board: Board,
  *,
  files: Mapping[str, str] | None = None,
  curves: trials.Curves = lambda name: None,
  figures: Sequence[Figure] = (),
  signs: Signs = NONE,
) -> dict[str, Any]:
  """The tree of a board; `files` gives the path of a record by its id, `curves` its learning curves."""
  words = Words()
  shown = measured.shown()
  accuracy = next(one for one in shown if one.measure.name == 'accuracy')
  placed = [
    (place, row, table)
    for place, section in enumerate(board.sections)
    for row, table in rows.of_section(section)
  ]
  every = [row for _, row, _ in placed]
  usual, places = _usual(board.sections, words)
  means = {one.measure.name: found for one in shown if (found := measured.of_rows(one, every))}
  all_trials = [trial for row in every for trial in row.trials]
  tree = {
    'timing': board.timing,
    'counts': words.of(notes.counts(board)),
    'kept': words.of(trials.told_of(all_trials)),
    'reading': words.each((*notes.READING, *notes.priced(board))),
    'hints': [words.each(pair) for pair in notes.columns()],
    'measures': [measured.facts(one, words) for one in shown if one.measure.name in means],
    'sections': [_section(section, board.timing, signs, words) for section in board.sections],
    'usual': usual,
    'rows': rows.columns(placed, accuracy, places, words),
    'means': means,
    'derived': derived(every, words),
    'trials': trials.columns(every, shown, files or {}, words),
    'curves': trials.curves(every, curves),
    'methods': _methods(every, words),
    'reproduced': [_reproduced(table, board.timing, words) for table in board.reproduced],
    'transfer': [grid(table, words) for table in transfer.tables_of(board)],
    'elsewhere': _elsewhere(board, words),
    'figures': drawn(figures),
    'student_t': [round(float(special.stdtrit(n, 0.975)), 6) for n in range(1, _most_splits(every))],
  }
  return {'words': words.texts, **tree}


def _most_splits(every: Sequence[Row]) -> int:
  return max((row.accuracy.n for row in every if row.accuracy), default=1)


def _usual(sections: Sequence[Section], words: Words) -> tuple[list[list[int]], dict[tuple[int, str], int]]:
  """The usual settings of every method of every section, and the place of each; equal ones stand once."""
  found: dict[tuple[int, ...], int] = {}
  places = {}
  for number, section in enumerate(sections):
    for method, settings in section.usual.items():
      places[number, method] = found.setdefault(_numbers(settings, words), len(found))
  return [list(one) for one in found], places


def _numbers(settings: Settings, words: Words) -> tuple[int, ...]:
  return tuple(number for pair in settings.items() for number in words.each(pair))


def _section(section: Section, timing: bool, signs: Signs, words: Words) -> dict[str, Any]:
  others = [
    found
    for budget in section.budgets
    for found in (tables.sweep(budget), *tables.stressed(budget), *tables.patterns(budget))
    if found is not None
  ]
  last = [
    *of_section(section, signs),
    tables.beside(section),
    tables.by_method(section),
    tables.failures(section),
    tables.stale(section),
  ]
  every = section.rows
  return {
    'dataset': words.of(section.dataset),
    'protocol': words.of(section.protocol),
    'reading': words.each((*notes.reading(section, timing), *notes.targeted(section))),
    'unclassified': words.of(notes.unclassified(section)),
    'calibration_ranked': bool(every) and calibration_is_ranked(every),
    'cost_ranked': timing and cost_is_ranked(every),
    'labels': [budget.labels for budget in section.budgets],
    'tables': [grid(table, words) for table in others],
    'last': [grid(table, words) for table in last if table and table.rows],
    'settings': [words.each(pair) for pair in notes.settings(section)],
  }


def _methods(every: Sequence[Row], words: Words) -> dict[str, Any]:
  """What the file of each method says, by the number of its name."""
  found = {name: methods.about(name) for name in sorted({row.method for row in every})}
  return {
    str(words.of(name)): {key: words.of(text) for key, text in said.items()}
    for name, said in found.items()
    if said
  }


def _reproduced(table: Any, timing: bool, words: Words) -> dict[str, Any]:
  return {
    'name': table.name,
    'about': words.of(table.about),
    'told': words.of(told(table)),
    'grid': grid(reproduced(table, timing), words),
  }


def _elsewhere(board: Board, words: Words) -> dict[str, Any] | int:
  """Published values of the datasets that the board has records of; 0 where there are none."""
  here = {section.dataset for section in board.sections}
  found = [one for one in board.elsewhere if one.dataset in here]
  return grid(tables.elsewhere(found), words) if found else 0
