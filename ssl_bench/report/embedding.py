"""A map of the test examples: their features on the two axes along which they vary most."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ssl_bench.data.arrays import Dataset
from ssl_bench.evaluation.judged import Judged
from ssl_bench.leaderboard.render.svg import HUES, INK, REST
from ssl_bench.report.drawing import drawing, legend, plain
from ssl_bench.report.examples import is_of
from ssl_bench.report.parts import Figure, Figures, Part, Section, Sentence, of_each
from ssl_bench.report.trial import Trial

if TYPE_CHECKING:
  from matplotlib.axes import Axes

POINTS = 1000  # that are drawn
MARKS = 'osD^vPX'
NAMED = len(HUES) * len(MARKS)  # classes that a color and a mark can tell apart


class Map(NamedTuple):
  """Places [N, 2] of rows on their first two principal axes, and the share of variance along each."""

  places: np.ndarray
  shares: tuple[float, float]


def principal(features: np.ndarray) -> Map:
  """Principal components (Pearson 1901) of rows [N, d], d ≥ 1; of each axis the largest weight is positive.

  >>> principal(np.array([[0.0, 0.0], [2.0, 0.0], [4.0, 0.0]])).places[:, 0].tolist()
  [-2.0, 0.0, 2.0]
  """
  rows = np.asarray(features, np.float64)
  rows = rows - rows.mean(0)
  _, sizes, axes = np.linalg.svd(rows, full_matrices=False)
  axes, power = axes[:2], sizes**2
  axes = axes * np.where(np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], 1) < 0, -1, 1)
  places = np.zeros((len(rows), 2))
  places[:, : len(axes)] = rows @ axes.T
  shares = [*(power[:2] / max(power.sum(), np.finfo(float).tiny)), 0.0]
  return Map(places, (float(shares[0]), float(shares[1])))


def section(trials: Sequence[Trial]) -> Section:
  """The map of each trial."""
  return of_each('map', 'Map of the features', [(trial.name, _parts(trial)) for trial in trials])


def _parts(trial: Trial) -> list[Part]:
  features, data = trial.features, trial.dataset
  if isinstance(features, str):
    return [Sentence(f'There is no map. {features}')]
  assert isinstance(data, Dataset)
  if len(features) < 3 or not np.isfinite(features).all() or not np.ptp(features, 0).any():
    return [Sentence('There is no map: the features do not vary, or are not finite.')]
  judged = trial.judged if isinstance(trial.judged, Judged) and is_of(trial.judged, data) else None
  said = [
    'Principal components of the features of the test examples; distances in the map leave out the rest.'
  ]
  if data.classes > NAMED:
    said.append(f'The {data.classes} classes are not told apart.')
  said.append(
    'A ring marks a wrong prediction.' if judged else 'Errors are not marked: no predictions are kept.'
  )
  if len(features) > POINTS:
    said.append(f'{POINTS:,} of the {len(features):,} test examples are drawn, evenly spaced.')
  return [Sentence(' '.join(said)), Figures([_figure(trial, data, principal(features), judged)])]


def _figure(trial: Trial, data: Dataset, found: Map, judged: Judged | None) -> Figure:
  n = len(found.places)
  drawn = np.unique(np.linspace(0, n - 1, min(n, POINTS)).round().astype(int))
  x, y = found.places[drawn].T
  labels = np.asarray(data.test_labels)[drawn]
  wrong = None if judged is None else ~judged.right[drawn]
  names = [plain(name)[:24] for name in trial.class_names(data.classes)]

  def draw(ax: 'Axes') -> None:
    if data.classes > NAMED or data.classes == 1:
      ax.scatter(x, y, 10, color=REST, lw=0, alpha=0.8)
    else:
      for k, name in enumerate(names):
        inside = labels == k
        color, mark = HUES[k % len(HUES)], MARKS[(k // len(HUES)) % len(MARKS)]
        ax.scatter(x[inside], y[inside], 12, color=color, marker=mark, lw=0, alpha=0.8, label=name)
      legend(ax, loc='upper left', bbox_to_anchor=(1, 1), ncols=1 + data.classes // 20)
    if wrong is not None:
      ax.scatter(x[wrong], y[wrong], 34, facecolors='none', edgecolors=INK, lw=0.9)
    ax.set(xlabel=f'first, {100 * found.shares[0]:.0f} % of variance')
    ax.set(ylabel=f'second, {100 * found.shares[1]:.0f} % of variance')

  title = f'{len(drawn):,} test examples by class'
  marked = '' if wrong is None else f' {int(wrong.sum()):,} wrong predictions are ringed.'
  shares = ' and '.join(f'{100 * share:.1f} %' for share in found.shares)
  said = f'{title}, on two principal axes that hold {shares} of the variance.{marked}'
  return drawing(title, said, draw, width=4.8, height=3.8)
