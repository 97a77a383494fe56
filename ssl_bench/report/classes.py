"""Classes: who is taken for whom, and the accuracy of each with its interval."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ssl_bench.evaluation.slices import wilson
from ssl_bench.leaderboard.render.svg import FAINT, INK
from ssl_bench.measures import finite
from ssl_bench.report.drawing import LOOKS, drawing, plain
from ssl_bench.report.parts import Cell, Figure, Figures, Part, Section, Sentence, Table, of_each
from ssl_bench.report.trial import Trial

if TYPE_CHECKING:
  from matplotlib.axes import Axes

MOST = 20  # classes of a matrix that is shown whole
PAIRS = 10  # confused pairs that are named where it is not
DRAWN = 60  # classes whose accuracy is drawn
SHADE = 0.45  # of the darkest cell, so that its number can be read


class Row(NamedTuple):
  """A class: its test examples, its accuracy and its 95 % interval, as shares; None where it is not known."""

  name: str
  examples: int | None
  accuracy: float | None
  interval: tuple[float, float] | None


def section(trials: Sequence[Trial]) -> Section:
  """Confusion and accuracy by class of each trial."""
  return of_each('classes', 'Classes', [(trial.name, _parts(trial)) for trial in trials])


def _parts(trial: Trial) -> list[Part]:
  counts, rows = confusion_of(trial), rows_of(trial)
  if not rows:
    return [Sentence('The record holds no accuracy by class: nothing is classified.')]
  parts: list[Part] = []
  if counts is None:
    parts.append(Sentence(f'The record holds no confusion matrix, and none can be computed. {trial.judged}'))
  elif len(counts) <= MOST:
    parts += [Sentence('Rows are classes, columns are predictions; test examples.'), _matrix(trial, counts)]
  else:
    parts.append(_pairs(trial, counts))
  if all(row.interval is None for row in rows):
    parts.append(Sentence('The record holds no intervals of the accuracy by class.'))
  if len(rows) <= DRAWN:
    parts.append(Figures([_figure(trial, rows)]))
  return [*parts, _table(rows)]


def confusion_of(trial: Trial) -> np.ndarray | None:
  """int [C, C], test examples by class (row) and prediction (column), recorded or of kept predictions."""
  if (found := trial.at('confusion')) is not None:
    return np.array(found)
  return None if isinstance(trial.judged, str) else trial.judged.confusion


def rows_of(trial: Trial) -> list[Row]:
  """Every class, as recorded; intervals that the record lacks are Wilson's, where its counts are known."""
  accuracy, counts = trial.at('accuracy_by_class'), confusion_of(trial)
  intervals = trial.at('accuracy_by_class_interval')
  if accuracy is None:
    return []
  return [
    Row(
      name,
      None if counts is None else int(counts[k].sum()),
      finite(accuracy[k]),
      _interval(intervals, counts, k),
    )
    for k, name in enumerate(trial.class_names(len(accuracy)))
  ]


def _interval(intervals: Any, counts: np.ndarray | None, k: int) -> tuple[float, float] | None:
  if intervals is not None:
    ends = [finite(end) for end in intervals[k] or ()]
    return (ends[0], ends[1]) if len(ends) == 2 and None not in ends else None  # type: ignore[return-value]
  if counts is None or not counts[k].sum():
    return None
  return wilson(int(counts[k, k]), int(counts[k].sum()))


def _matrix(trial: Trial, counts: np.ndarray) -> Table:
  names = trial.class_names(len(counts))
  shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
  rows: list[list[str | Cell]] = [
    [
      name,
      *(Cell(f'{n:,}', round(SHADE * float(shares[i, j]), 3), i == j) for j, n in enumerate(counts[i])),
    ]
    for i, name in enumerate(names)
  ]
  return Table('Confusion matrix', ['class', *names], rows)


def _pairs(trial: Trial, counts: np.ndarray) -> Table:
  """The largest numbers beside the diagonal."""
  names, wrong = trial.class_names(len(counts)), counts.copy()
  np.fill_diagonal(wrong, 0)
  order = [int(i) for i in np.argsort(-wrong, axis=None, kind='stable')[:PAIRS]]
  places = [(i // len(counts), i % len(counts)) for i in order]
  rows = [[names[i], names[j], f'{wrong[i, j]:,}', f'{counts[i].sum():,}'] for i, j in places if wrong[i, j]]
  heads = ['class', 'predicted', 'examples', 'of the class']
  return Table(f'The {PAIRS} most confused pairs of {len(counts)} classes', heads, rows)


def _figure(trial: Trial, rows: Sequence[Row]) -> Figure:
  color = LOOKS[trial.letter == 'B'][0]
  places = list(range(len(rows)))

  def draw(ax: 'Axes') -> None:
    for place, row in zip(places, rows):
      if row.interval:
        ax.plot([100 * end for end in row.interval], [place, place], color=color, lw=1.5)
      if row.accuracy is not None:
        ax.plot([100 * row.accuracy], [place], color=color, marker='o', ms=5)
    if (whole := finite(trial.at('accuracy'))) is not None:
      ax.axvline(100 * whole, color=INK, lw=0.8, ls=':')
    ax.set(xlim=(-1, 101), ylim=(len(rows) - 0.5, -0.5), xlabel='accuracy, % (dotted: all classes)')
    ax.set_yticks(places, [plain(row.name)[:24] for row in rows])
    ax.grid(axis='y', color=FAINT, lw=0.3)

  told = '; '.join(f'{row.name} {100 * row.accuracy:.1f} %' for row in rows if row.accuracy is not None)
  title = 'Accuracy by class, % with 95 % intervals'
  if all(row.interval is None for row in rows):
    title = 'Accuracy by class, %'
  return drawing(title, f'{title}: {told}.', draw, width=4.2, height=0.7 + 0.2 * len(rows))


def _table(rows: Sequence[Row]) -> Table:
  percent = lambda share: '' if share is None else f'{100 * share:.1f}'
  heads = ['class', 'test examples', 'accuracy, %', '95 % interval (Wilson)']
  shown = [
    [
      row.name,
      '' if row.examples is None else f'{row.examples:,}',
      percent(row.accuracy),
      '' if row.interval is None else f'{percent(row.interval[0])} to {percent(row.interval[1])}',
    ]
    for row in rows
  ]
  return Table('Accuracy by class', heads, shown)
