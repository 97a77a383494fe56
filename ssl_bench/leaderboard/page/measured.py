"""The measures that the page can show, and their numbers: whole ones, in the unit that is shown."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ssl_bench import measures, plugins
from ssl_bench.leaderboard.page.words import Words, whole
from ssl_bench.leaderboard.rows import Mean, Row
from ssl_bench.measures import Measure

SPARE = 2  # decimals that are kept beyond those that are shown
PERCENT = ('%', 'points')


class Shown(NamedTuple):
  """A measure of the page: the group of columns that it is in, and its decimals that are kept."""

  measure: Measure
  group: str
  kept: int

  @property
  def factor(self) -> float:
    """From a record's number to the one that is shown."""
    return 100 if self.measure.unit in PERCENT else self.measure.scale

  def number(self, value: float | None) -> int | None:
    """A record's number as the page holds it: in the unit that is shown, times 10 ** `kept`."""
    return None if value is None else whole(value * self.factor, self.kept)


def shown() -> list[Shown]:
  """Those that are shown anywhere: with a table, a `main` one, one of a pattern, or one after scaling."""
  rows = [row for row in measures.all_measures() if row.is_numeric]
  after = {row.after for row in rows if row.table or row.main}
  patterns = {
    row.name: name for name in plugins.names('patterns') for row in plugins.get('patterns', name).measures
  }
  kept = [row for row in rows if row.table or row.main or row.name in patterns or row.name in after]
  return [Shown(row, row.table or patterns.get(row.name) or _subject(row), _kept(row)) for row in kept]


def _subject(row: Measure) -> str:
  """The group of the measure that this one is after scaling; else the part of the record."""
  before = next((one.table for one in measures.all_measures() if one.after == row.name), '')
  return before or row.path[0]


def _kept(row: Measure) -> int:
  return (2 if row.digits < 0 else row.digits) + SPARE


def facts(one: Shown, words: Words) -> dict[str, Any]:
  """What the page has to know of a measure."""
  row = one.measure
  return {
    'name': row.name,
    'title': words.of(row.heading),
    'hint': words.of(row.hint),
    'group': words.of(one.group),
    'digits': row.digits,
    'kept': one.kept,
    'percent': row.unit in PERCENT,
    'better': row.better,
    'main': row.main,
    'clock': row.clock,
    'after': row.after,
  }


def of_rows(one: Shown, rows: Sequence[Row]) -> dict[str, Any] | None:
  """The means of a measure and their half widths, a number a row; None where no row has it."""
  means: list[Mean | None] = [row.measures.get(one.measure.name) for row in rows]
  if not any(means):
    return None
  return {
    'value': [one.number(mean.value) if mean else None for mean in means],
    'half': [one.number(mean.half) if mean else None for mean in means],
  }
