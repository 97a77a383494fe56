"""A map of the test examples by their features, colored by class and by error."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ssl_bench.data.arrays import Dataset
from ssl_bench.evaluation.judged import Judged
from ssl_bench.leaderboard.render.svg import HUES, INK, REST
from ssl_bench.report.drawing import drawing, legend, plain
from ssl_bench.report.examples import is_of
from ssl_bench.report.maps import SEED, Map, MapBy, neighborly, perplexity, principal
from ssl_bench.report.parts import Figure, Figures, Part, Section, Sentence, of_each
from ssl_bench.report.trial import Trial

if TYPE_CHECKING:
  from matplotlib.axes import Axes

POINTS = 1000  # that are drawn
MARKS = 'osD^vPX'
NAMED = len(HUES) * len(MARKS)  # classes that a color and a mark can tell apart


def section(trials: Sequence[Trial], by: MapBy = 'pca') -> Section:
  """The map of each trial."""
  return of_each('map', 'Map of the features', [(trial.name, _parts(trial, by)) for trial in trials])


def _parts(trial: Trial, by: MapBy) -> list[Part]:
  features, data = trial.features, trial.dataset
  if isinstance(features, str):
    return [Sentence(f'There is no map. {features}')]
  assert isinstance(data, Dataset)
  n = len(features)
  drawn = np.unique(np.linspace(0, n - 1, min(n, POINTS)).round().astype(int))
  if n < 3 or not np.isfinite(features).all() or not np.ptp(features[drawn], 0).any():
    return [Sentence('There is no map: the features do not vary, or are not finite.')]
  judged = trial.judged if isinstance(trial.judged, Judged) and is_of(trial.judged, data) else None
  said = [_method(by, len(drawn))]
  if data.classes > NAMED:
    said.append(f'The {data.classes} classes are not told apart.')
  said.append(
    'A ring marks a wrong prediction; beside it, the same map colored by that alone.'
    if judged
    else 'Errors are not marked: no predictions are kept.'
  )
  if n > POINTS:
    only = 'drawn' if by == 'pca' else 'in it'
    said.append(f'{POINTS:,} of the {n:,} test examples are {only}, evenly spaced.')
  if by == 'pca':
    found = principal(features)
    found = found._replace(places=found.places[drawn])
  else:
    found = neighborly(features[drawn])
  wrong = None if judged is None else ~judged.right[drawn]
  figures = [_by_class(trial, data, found, drawn, wrong)]
  if wrong is not None:
    figures.append(_by_error(found, wrong))
  return [Sentence(' '.join(said)), Figures(figures)]


def _method(by: MapBy, rows: int) -> str:
  """How the map is made, and what it does not show."""
  if by == 'pca':
    return (
      'Principal components of the features of the test examples; distances in the map leave out the rest.'
    )
  made = f'perplexity {perplexity(rows):.3g}, seed {SEED}'
  return (
    f't-SNE of the features of the test examples ({made}), which keeps neighbors together; it does not show '
    'how far groups are from each other, how wide or dense they are, nor in which direction they lie.'
  )


def _by_class(trial: Trial, data: Dataset, found: Map, drawn: np.ndarray, wrong: np.ndarray | None) -> Figure:
  x, y = found.places.T
  labels = np.asarray(data.test_labels)[drawn]
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
    _axes(ax, found)

  title = f'{len(drawn):,} test examples by class'
  marked = '' if wrong is None else f' {int(wrong.sum()):,} wrong predictions are ringed.'
  return drawing(title, f'{title}, {_where(found)}.{marked}', draw, width=4.8, height=3.8)


def _by_error(found: Map, wrong: np.ndarray) -> Figure:
  x, y = found.places.T

  def draw(ax: 'Axes') -> None:
    ax.scatter(x[~wrong], y[~wrong], 10, color=REST, lw=0, alpha=0.7, label='right')
    ax.scatter(x[wrong], y[wrong], 24, color=HUES[1], marker='X', lw=0, label='wrong')
    legend(ax, loc='upper left', bbox_to_anchor=(1, 1))
    _axes(ax, found)

  title = f'{len(wrong):,} test examples by error'
  said = f'{title}, {_where(found)}: {int(wrong.sum()):,} are wrong.'
  return drawing(title, said, draw, width=4.8, height=3.8)


def _axes(ax: 'Axes', found: Map) -> None:
  if found.shares is None:  # places of t-SNE have no unit
    ax.set(xticks=[], yticks=[])
    return
  ax.set(xlabel=f'first, {100 * found.shares[0]:.0f} % of variance')
  ax.set(ylabel=f'second, {100 * found.shares[1]:.0f} % of variance')


def _where(found: Map) -> str:
  if found.shares is None:
    return 'placed by t-SNE'
  shares = ' and '.join(f'{100 * share:.1f} %' for share in found.shares)
  return f'on two principal axes that hold {shares} of the variance'
