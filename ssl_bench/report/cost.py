"""Where the time of a trial went, as far as its record says."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from ssl_bench.measures import finite
from ssl_bench.records.form import Tree
from ssl_bench.report.parts import Cell, Part, Section, Sentence, Table, of_each
from ssl_bench.report.trial import Trial

SHADE = 0.45


class Split(NamedTuple):
  """Seconds; `rest` is None where the parts do not fit into the whole."""

  compiling: float | None
  training: float | None
  whole: float | None
  rest: float | None


def split_of(tree: Tree) -> Split:
  """The seconds of a record: compiling and steps as timed, the whole from its two times, and what is left."""
  compiling, training = (finite(tree['cost'].get(name)) for name in ('compile_seconds', 'train_seconds'))
  times = [tree['time'].get(name) for name in ('started', 'finished')]
  whole = None if None in times else _seconds(*times)
  timed = [part for part in (compiling, training) if part is not None]
  rest = whole - sum(timed) if whole is not None and timed else None
  return Split(compiling, training, whole, rest if rest is None or rest >= 0 else None)


def _seconds(started: str, finished: str) -> float | None:
  """Between two moments; None where the second comes first, or only one knows its time zone."""
  try:
    found = (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds()
  except TypeError:
    return None
  return found if found >= 0 else None


def section(trials: Sequence[Trial]) -> Section:
  """The split of each trial."""
  return of_each('cost', 'Where the time went', [(trial.name, _parts(trial)) for trial in trials])


def _parts(trial: Trial) -> list[Part]:
  split = split_of(trial.tree)
  lines = [
    ('compiling the step', split.compiling),
    ('training steps', split.training),
    ('evaluation, data, saving and all else', split.rest),
    ('from start to record', split.whole),
  ]
  whole = split.whole if split.rest is not None else None
  rows = [_row(name, seconds, whole) for name, seconds in lines if seconds is not None]
  if not rows:
    return [Sentence('The record holds no times.')]
  parts: list[Part] = [Table('Seconds', ['part', 's', 'share, %'], rows)]
  if split.rest is None and split.whole is not None and len(rows) > 1:
    parts.append(
      Sentence(
        'Compiling and training took longer than from start to record, so what is left for the rest is not '
        'known: the program was compiled for an earlier trial, or the training was taken up again.'
      )
    )
  if trial.at('shared') is True:
    parts.append(Sentence('Other work ran on the machine meanwhile, so these times are too long.'))
  if together := trial.at('together'):
    parts.append(Sentence(f'{together} seeds were trained in one program.'))
  return parts


def _row(name: str, seconds: float, whole: float | None) -> list[str | Cell]:
  share = seconds / whole if whole else None
  told = Cell('–') if share is None else Cell(f'{100 * share:.0f}', round(SHADE * share, 3))
  return [name, f'{seconds:,.1f}', told]
