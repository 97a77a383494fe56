"""Training in a pattern beside the same without: which rows stand together, and what their columns say."""

from collections.abc import Sequence

from ssl_bench import measures
from ssl_bench.leaderboard.aggregate import nearest
from ssl_bench.leaderboard.columns import Column, of
from ssl_bench.leaderboard.columns.ranking import ACCURACY, METHOD, SPLITS
from ssl_bench.leaderboard.read import Settings
from ssl_bench.leaderboard.render.cells import NOTHING, Cell, digits_of, signed, words
from ssl_bench.leaderboard.rows import Row
from ssl_bench.leaderboard.statistics import compare
from ssl_bench.leaderboard.variants import patterns, say_variant
from ssl_bench.measures import Measure
from ssl_bench.pattern import Pattern

MOST = 1e9  # sorts behind every number


def beside_without(pattern: Pattern, rows: Sequence[Row]) -> tuple[Row, ...]:
  """The rows of a pattern, a method's by its settings, each after the row that it is compared to.

  That is the row of the same method whose settings differ the least; `to_usual` is then the difference to it.
  """

  def place(row: Row) -> tuple[str, list[tuple[float, str]], str]:
    return row.method, [_number(row.settings.get(n, '')) for n in shown], say_variant(row.variant)

  shown = [f'{pattern.name}.{m.path[-1]}' for m in _measures(pattern) if _is_setting(pattern, m)]
  groups: dict[tuple[str, str], list[Row]] = {}
  for row in sorted((row for row in rows if _is_of(pattern, row)), key=place):
    plain = [other for other in rows if other.method == row.method and not _is_of(pattern, other)]
    other = nearest(_without(pattern, row.settings), plain)
    name = (row.method, say_variant(other.variant) if other else '')
    groups.setdefault(name, [other] if other else []).append(row._replace(to_usual=compare(row, other)))
  return tuple(row for name in sorted(groups) for row in groups[name])


def columns(pattern: Pattern) -> tuple[Column, ...]:
  """Of the table of a pattern."""
  variant = lambda row: words(say_variant(_without(pattern, row.variant)))
  difference = lambda row: signed(row.to_usual, digits_of(row)) if _is_of(pattern, row) else NOTHING
  hint = 'paired difference to the same method without the pattern, in the settings that are nearest'
  return (
    METHOD,
    Column('variant', '', variant, numeric=False, prose=True, optional=True),
    *(_column(pattern, measure) for measure in _measures(pattern)),
    SPLITS,
    ACCURACY,
    Column('to without, points', hint, difference),
  )


def _measures(pattern: Pattern) -> list[Measure]:
  return [measures.get(name) for name in pattern.table.columns] if pattern.table else []


def _column(pattern: Pattern, measure: Measure) -> Column:
  """What was asked, where a setting is meant; the texts of all trials; or a mean over them."""

  def cell(row: Row) -> Cell:
    if _is_setting(pattern, measure):
      return words(row.settings.get(f'{pattern.name}.{measure.path[-1]}', ''))
    if measure.values == 'text':
      return words(', '.join(sorted({t.texts[measure.name] for t in row.trials if measure.name in t.texts})))
    missing = measure.null and measure.name not in row.measures and _is_of(pattern, row)
    return Cell(measure.null, MOST) if missing else numbers.cell(row)

  numbers = of(measure.name)
  return numbers._replace(cell=cell, numeric=measure.values != 'text')


def _is_setting(pattern: Pattern, measure: Measure) -> bool:
  """Whether a measure only repeats a setting of the pattern's section."""
  return measure in pattern.measures and measure.path[-1] in pattern.settings.model_fields


def _is_of(pattern: Pattern, row: Row) -> bool:
  return pattern.name in patterns(row.settings)


def _without(pattern: Pattern, settings: Settings) -> dict[str, str]:
  return {k: v for k, v in settings.items() if not k.startswith(f'{pattern.name}.')}


def _number(text: str) -> tuple[float, str]:
  try:
    return float(text), ''
  except ValueError:
    return MOST, text
