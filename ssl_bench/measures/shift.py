"""Shift: accuracy and calibration on corrupted test inputs, of each shift that `evaluate.shifts` names."""

from collections.abc import Callable
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ssl_bench.evaluation import scores
from ssl_bench.measures import ABSENT, Measure
from ssl_bench.settings.sections import SHIFTS

if TYPE_CHECKING:
  from ssl_bench.evaluation.shifts import Shifted
  from ssl_bench.evaluation.trained import Trained

SOURCE = 'Hendrycks & Dietterich 2019 for the idea; severities: docs/shift.md'
ACCURACY: dict[str, Any] = {'unit': '%', 'digits': -1, 'better': 'higher', 'source': SOURCE}
ECE: dict[str, Any] = {'better': 'lower', 'source': SOURCE}
FROZEN = 'under the temperature fitted on clean validation images'


def _of(name: str, value: 'Callable[[Trained, Shifted], Any]') -> 'Callable[[Trained], Any]':
  """A function that reads a shift, where the trial asks for it."""

  def function(t: 'Trained') -> Any:
    found = t.shifted.get(name)
    return ABSENT if found is None else value(t, found)

  return function


def _over_all(value: 'Callable[[Trained, list[Shifted]], float]') -> 'Callable[[Trained], Any]':
  """A function that reads all shifts that the trial asks for."""
  return lambda t: value(t, list(t.shifted.values())) if t.shifted else ABSENT


def _drop(t: 'Trained', *found: 'Shifted') -> float:
  """The share of the clean accuracy that is lost; NaN where that is 0."""
  assert t.logits is not None
  clean = scores.accuracy(t.logits.test, t.dataset.test_labels)
  return 1 - fmean(fmean(one.accuracy) for one in found) / clean if clean else float('nan')


def _by_severity(name: str) -> tuple[Measure, ...]:
  path = ('metrics', 'shifts', name)
  where = f'on test inputs under {name}'
  return (
    Measure(
      f'shift_{name}_accuracies',
      (*path, 'accuracy'),
      f'{name}, accuracy by severity',
      _of(name, lambda t, found: list(found.accuracy)),
      hint=f'accuracy {where} at severities 1 to 5',
      values='severities',
      **ACCURACY,
    ),
    Measure(
      f'shift_{name}_eces',
      (*path, 'ece'),
      f'{name}, ECE by severity',
      _of(name, lambda t, found: list(found.ece)),
      hint=f'expected calibration error {where} at severities 1 to 5, {FROZEN}',
      values='severities',
      **ECE,
    ),
    Measure(
      f'shift_{name}_drop',
      (*path, 'drop'),
      f'{name}, drop',
      _of(name, _drop),
      unit='%',
      hint=f'share of the clean test accuracy that is lost {where}, mean over severities',
      digits=1,
      better='lower',
      range=(None, 1),
    ),
  )


def _means(name: str) -> tuple[Measure, ...]:
  """What the board shows of a shift: the means of what is recorded by severity."""
  path = ('metrics', 'shifts', name)
  return (
    Measure(
      f'shift_{name}',
      (*path, 'accuracy'),
      f'{name}, accuracy',
      None,
      hint=f'accuracy on test inputs under {name}, mean over five severities',
      table='shift',
      reduce=fmean,
      range=(0, 1),
      **ACCURACY,
    ),
    Measure(
      f'shift_{name}_ece',
      (*path, 'ece'),
      f'{name}, ECE',
      None,
      hint=f'ECE under {name}, mean over five severities, {FROZEN}',
      table='shift',
      reduce=fmean,
      range=(0, 1),
      **ECE,
    ),
  )


MEASURES = (
  Measure(
    'shift_accuracy',
    ('metrics', 'shifts', 'mean', 'accuracy'),
    'under shift',
    _over_all(lambda t, found: fmean(fmean(one.accuracy) for one in found)),
    hint='accuracy, mean over the shifts that were asked for and their severities',
    table='shift',
    range=(0, 1),
    **ACCURACY,
  ),
  Measure(
    'shift_drop',
    ('metrics', 'shifts', 'mean', 'drop'),
    'drop under shift',
    _over_all(lambda t, found: _drop(t, *found)),
    unit='%',
    hint='share of the clean test accuracy that is lost, mean over shifts and severities',
    digits=1,
    table='shift',
    better='lower',
    range=(None, 1),
  ),
  Measure(
    'shift_ece',
    ('metrics', 'shifts', 'mean', 'ece'),
    'ECE under shift',
    _over_all(lambda t, found: fmean(fmean(one.ece) for one in found)),
    hint=f'ECE, mean over the shifts that were asked for and their severities, {FROZEN}',
    table='shift',
    range=(0, 1),
    **ECE,
  ),
  *(row for name in SHIFTS for row in (*_by_severity(name), *_means(name))),
)
