"""Columns of the board: a title, its explanation, and the cell of a row; measures say their own."""

from collections.abc import Callable
from typing import NamedTuple

from ssl_bench import measures
from ssl_bench.leaderboard.render.cells import Cell, arrow, digits_of, percent, plain
from ssl_bench.leaderboard.rows import Row
from ssl_bench.measures import Measure


class Column(NamedTuple):
  """A title, its explanation, and the cell of a row; `optional` ones are left out where all are empty."""

  title: str
  hint: str
  cell: Callable[[Row], Cell]
  numeric: bool = True
  prose: bool = False
  optional: bool = False
  lowest: str = ''  # the measure whose lowest value is marked, where it may be ranked
  measures: tuple[str, ...] = ()  # those that it shows


def cell_of(measure: Measure, row: Row) -> Cell:
  """The mean of a measure over a row's trials, as its unit and digits say; `before → after` scaling."""
  value = row.measures.get(measure.name)
  if measure.unit in ('%', 'points'):
    return percent(value, digits_of(row) if measure.digits < 0 else measure.digits)
  if measure.after:
    return arrow(value, row.measures.get(measure.after), measure.digits)
  return plain(value, measure.digits, measure.scale)


def of(name: str, *, optional: bool = True, mark: bool = False) -> Column:
  """The column of a measure; `mark` prints its lowest value in bold, where it may be ranked."""
  measure = measures.get(name)
  cell = lambda row: cell_of(measure, row)
  lowest = name if mark else ''
  return Column(measure.heading, measure.hint, cell, optional=optional, lowest=lowest, measures=(name,))
