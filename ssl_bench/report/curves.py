"""Learning curves: one small panel for each column of a record's curve and of its evaluations."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ssl_bench.leaderboard.render.svg import REST
from ssl_bench.measures import finite
from ssl_bench.report.drawing import LOOKS, drawing, legend, number, plain
from ssl_bench.report.parts import Figure, Figures, Part, Section, Sentence
from ssl_bench.report.trial import Trial

if TYPE_CHECKING:
  from matplotlib.axes import Axes

MOST = 500  # rows of a curve that are drawn
PERCENT = {  # columns that hold shares, with their titles
  'validation_accuracy': 'validation accuracy, %',
  'test_accuracy': 'test accuracy, %',
  'knn': 'kNN accuracy, %',
  'pseudo/coverage': 'pseudo/coverage, %',
  'pseudo/precision': 'pseudo/precision, %',
  'pseudo/coverage_by_class': 'pseudo/coverage_by_class, %',
  'pseudo/precision_by_class': 'pseudo/precision_by_class, %',
  'pseudo/skew': 'pseudo/skew, %',
  'pseudo/labeled_by_class': 'pseudo/labeled_by_class, %',
  'pseudo/seen_by_class': 'pseudo/seen_by_class, %',
  'pseudo_confirmation': 'confirmed errors of pseudo-labels, %',
}
TITLES = {
  'pretext_loss': 'held-out pretext loss',
  'feature_std': 'std × √d of features',
  'rankme': 'RankMe',
  'pseudo_ece': 'ECE of pseudo-labels',
  'pseudo_confirmation_of': 'images whose last pseudo-label was wrong',
}
Chooses = Callable[[str], bool]


class Line(NamedTuple):
  """One column of one trial: a value a step, NaN where there is none; several lines where it is by class."""

  trial: Trial
  steps: list[int]
  values: list[list[float]]


def sections(trials: Sequence[Trial]) -> list[Section]:
  """Losses, further signs, pseudo-labels and evaluations; those of which there is something."""
  return [
    _section('losses', 'Loss terms', trials, 'curve', is_loss),
    _section('signs', 'Health signs of training', trials, 'curve', is_sign),
    _section('pseudo-labels', 'Pseudo-labels over training', trials, 'curve', is_pseudo),
    _section('evaluations', 'Evaluations over training', trials, 'evaluations', lambda name: True),
  ]


def is_loss(name: str) -> bool:
  return name == 'loss' or name.startswith('loss/')


def is_pseudo(name: str) -> bool:
  return name.startswith('pseudo/')


def is_sign(name: str) -> bool:
  return not is_loss(name) and not is_pseudo(name)


def columns(trials: Sequence[Trial], table: str) -> list[str]:
  """The names of the columns of all trials, sorted; a name alone before those below it."""
  return sorted({name for one in trials for row in one.tree[table] for name in row if name != 'step'})


def _section(id_: str, title: str, trials: Sequence[Trial], table: str, chooses: Chooses) -> Section:
  names = [name for name in columns(trials, table) if chooses(name)]
  found: list[Part] = []
  many = max((len(one.tree[table]) for one in trials), default=0)
  if names and many > MOST:
    found.append(Sentence(f'At most {MOST} of the {many:,} logged steps are drawn, evenly spaced.'))
  if names:
    found.append(Figures([_panel(name, [line_of(one, table, name) for one in trials]) for name in names]))
  return Section(id_, title, found or [Sentence(_absent(table, title))])


def _absent(table: str, title: str) -> str:
  if table == 'evaluations':
    return 'The record holds no evaluations during training.'
  return f'The record holds no {title[0].lower()}{title[1:]}.'


def line_of(trial: Trial, table: str, name: str) -> Line:
  """A column, thinned to `MOST` rows: the first, the last, and evenly spaced ones between them."""
  rows = [row for row in trial.tree[table] if name in row]
  if len(rows) > MOST:
    rows = [rows[round(i * (len(rows) - 1) / (MOST - 1))] for i in range(MOST)]
  factor = 100 if name in PERCENT else 1
  cells = [row[name] if isinstance(row[name], list) else [row[name]] for row in rows]
  width = max(map(len, cells), default=0)
  values = [[_value(cell[i] if i < len(cell) else None, factor) for cell in cells] for i in range(width)]
  return Line(trial, [row['step'] for row in rows], values)


def _value(value: Any, factor: float) -> float:
  found = finite(value)
  return math.nan if found is None else factor * found


def _panel(name: str, lines: Sequence[Line]) -> Figure:
  title = PERCENT.get(name) or TITLES.get(name) or name
  lines = [line for line in lines if line.steps]

  def draw(ax: 'Axes') -> None:
    for line in lines:
      _draw(ax, line, is_named=len(lines) > 1)
    ax.set(xlabel='step')
    if name in PERCENT:
      ax.set_ylim(0, 101)
    if len(lines) > 1:
      legend(ax)

  return drawing(title, f'{plain(title)}. {" ".join(map(_said, lines))}', draw)


def _draw(ax: 'Axes', line: Line, is_named: bool) -> None:
  color, style, mark = LOOKS[line.trial.letter == 'B']
  by_class = len(line.values) > 1
  for i, values in enumerate(line.values):
    ax.plot(
      line.steps,
      values,
      color=color if is_named or not by_class else REST,
      ls=style,
      lw=0.7 if by_class else 1.5,
      alpha=0.7 if by_class else 1,
      marker=mark if len(values) < 3 else None,
      ms=4,
      label=line.trial.letter if is_named and not i else None,
    )


def _said(line: Line) -> str:
  """First, last, least and greatest value in words."""
  who = f'{line.trial.letter}: ' if line.trial.letter else ''
  flat = [(v, step) for values in line.values for v, step in zip(values, line.steps) if math.isfinite(v)]
  if not flat:
    return f'{who}no finite value.'
  if len(line.values) > 1:
    last = [values[-1] for values in line.values if math.isfinite(values[-1])]
    ends = f', {number(min(last))} to {number(max(last))} at step {line.steps[-1]:,}' if last else ''
    return f'{who}{len(line.values)} classes{ends}.'
  (first, begin), (end, stop) = flat[0], flat[-1]
  low, high = min(flat), max(flat)
  return (
    f'{who}{number(first)} at step {begin:,}, {number(end)} at step {stop:,}; '
    f'least {number(low[0])} at step {low[1]:,}, greatest {number(high[0])} at step {high[1]:,}.'
  )
