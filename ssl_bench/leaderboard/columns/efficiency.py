"""Columns of efficiency: what a point over `supervised` costs, labels to a target, trials that succeed."""

import math
from typing import Literal, NamedTuple

from ssl_bench.leaderboard.columns import Column
from ssl_bench.leaderboard.render.cells import NOTHING, Cell, percent_of, rounded, significant
from ssl_bench.leaderboard.rows import Bounds, PerPoint, Row, Section
from ssl_bench.settings import plural

GROUP = 'cost'
NO_GAIN = 'no gain'
SHARED = 'the device was shared while it was timed'
COSTS = {  # name -> title, what it is of
  'gflops': ('GFLOPs per point', "training GFLOPs, the teacher's included,"),
  'seconds': ('s per point', 'seconds of all training steps'),
  'money': ('money per point', 'device-hours of all training steps at the price that was given,'),
}
TITLES = {'to_target': 'labels to target', 'saved': 'labels saved, times'}


class Efficiency(NamedTuple):
  """A column by its name, and which direction is better."""

  name: str
  better: Literal['lower', 'higher']
  column: Column


def columns() -> tuple[Efficiency, ...]:
  """All of them; those that no row has a number in are left out where they are shown."""
  return (
    *(Efficiency(f'{name}_per_point', 'lower', _per_point(name)) for name in COSTS),
    Efficiency(
      'labels_to_target',
      'lower',
      Column(
        TITLES['to_target'],
        'at which the mean accuracy reaches what supervised has with the most labels, or the target that was '
        'asked for: interpolated between the numbers of labels that were measured, ≤ or ≥ outside of them',
        lambda row: bounded(row.to_target),
        optional=True,
      ),
    ),
    Efficiency(
      'labels_saved',
      'higher',
      Column(
        TITLES['saved'],
        'how many times as many labels supervised needs for the same target',
        lambda row: bounded(row.saved),
        optional=True,
      ),
    ),
    Efficiency(
      'trials_done',
      'higher',
      Column('trials done, %', 'of those that left a record; the others failed or diverged', _done),
    ),
  )


def _per_point(name: str) -> Column:
  title, of = COSTS[name]
  hint = (
    f'{of} per point of accuracy over supervised on the same splits: ratio of means, with its 95 % bootstrap '
    f'interval over splits; "{NO_GAIN}" where the mean gain is not positive'
  )

  def cell(row: Row) -> Cell:
    found = cost(row.per_point.get(name))
    busy = row.shared and name != 'gflops' and found.value is not None
    return found._replace(text=f'{found.text} *', note=f'{found.note}; {SHARED}') if busy else found

  return Column(title, hint, cell, optional=True)


def cost(found: PerPoint | None) -> Cell:
  """`'7.81 (6.58 to 9.46)'`; the sign of no gain sorts behind all numbers."""
  if found is None:
    return NOTHING
  over = f'over {plural.count(found.splits, "split")}'
  if found.value is None:
    return Cell(NO_GAIN, None, note=f'supervised is as good or better, {over}')
  if found.low is None or found.high is None:
    return Cell(significant(found.value), found.value, note=over)
  high = significant(found.high) if math.isfinite(found.high) else '∞'
  return Cell(f'{significant(found.value)} ({significant(found.low)} to {high})', found.value, note=over)


def bounded(found: Bounds | None) -> Cell:
  """`'28.3'`, `'≤ 20'`, `'≥ 1,000'`; nothing where neither bound says anything."""
  if found is None or (found.low == 0 and math.isinf(found.high)):
    return NOTHING
  if found.value is not None:
    return Cell(_number(found.value), found.value)
  if math.isinf(found.high):
    return Cell(f'≥ {_number(found.low)}', found.low)
  return Cell(f'≤ {_number(found.high)}', found.high)


def _number(value: float) -> str:
  return f'{value:,.0f}' if value == round(value) else significant(value)


def said_target(section: Section) -> str:
  """`'92.93 %, that of supervised with 100 labels'`."""
  target = section.target
  if target is None:
    return 'a target, which one number of labels does not give'
  said = f'{rounded(100 * target.accuracy, 2)} %'
  most = target.labels
  return f'{said}, that of supervised with {most:,} labels' if most else f'{said}, as was asked'


def _done(row: Row) -> Cell:
  started = len(row.trials) + row.failed
  return percent_of(len(row.trials), started)
