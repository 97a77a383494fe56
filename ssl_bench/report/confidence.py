"""Whether confidence can be believed: reliability before and after scaling, and risk against coverage."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ssl_bench.evaluation import risk
from ssl_bench.leaderboard.render.svg import FAINT, HUES
from ssl_bench.measures import finite
from ssl_bench.report.drawing import LOOKS, drawing, legend
from ssl_bench.report.parts import Figure, Figures, Part, Section, Sentence
from ssl_bench.report.trial import Trial

if TYPE_CHECKING:
  from matplotlib.axes import Axes


def sections(trials: Sequence[Trial]) -> list[Section]:
  """Reliability, and risk and coverage."""
  return [_reliability(trials), _risk(trials)]


def _reliability(trials: Sequence[Trial]) -> Section:
  figures = [
    _diagram(trial, bins, name, f'{when} temperature scaling', hue)
    for trial in trials
    for name, when, hue in (('reliability', 'before', HUES[1]), ('reliability_scaled', 'after', HUES[0]))
    if (bins := trial.at(name))
  ]
  if not figures:
    return Section(
      'reliability', 'Reliability', [Sentence('The record holds no reliability: nothing is classified.')]
    )
  said = (
    'Accuracy of the test examples in bins of their confidence. Below the diagonal the model is '
    'overconfident. The area of a mark is the share of test examples in its bin. '
    'The temperature is fitted on validation.'
  )
  return Section('reliability', 'Reliability', [Sentence(said), Figures(figures)])


def _diagram(trial: Trial, bins: Mapping[str, Any], name: str, when: str, hue: str) -> Figure:
  counts = [finite(n) or 0 for n in bins['count']]
  full = [i for i, n in enumerate(counts) if n]
  x = [finite(bins['confidence'][i]) or 0 for i in full]
  y = [finite(bins['accuracy'][i]) or 0 for i in full]
  total = sum(counts) or 1
  error = finite(trial.at('ece' if name == 'reliability' else 'ece_scaled'))

  def draw(ax: 'Axes') -> None:
    ax.plot([0, 1], [0, 1], color=FAINT, lw=1)
    ax.plot(x, y, color=hue, lw=1)
    ax.scatter(x, y, [6 + 200 * counts[i] / total for i in full], color=hue, alpha=0.75, lw=0, clip_on=False)
    ax.set(xlim=(0, 1), ylim=(0, 1), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1), aspect='equal')
    ax.set(xlabel='confidence', ylabel='accuracy')

  ends = f', ECE {error:.3f}' if error is not None else ''
  title = f'{trial.letter + ": " if trial.letter else ""}{when}{ends}'
  told = '; '.join(f'{x[k]:.2f} confidence, {y[k]:.2f} accuracy, {counts[i]:.0f}' for k, i in enumerate(full))
  said = f'Reliability {title}. Bins with examples: {told}.'
  return drawing(title[0].upper() + title[1:], said, draw, width=2.7, height=2.5)


def _risk(trials: Sequence[Trial]) -> Section:
  found = [(trial, curve) for trial in trials if (curve := curve_of(trial))]
  without = [_why(trial) for trial in trials if not curve_of(trial)]
  parts: list[Part] = [Sentence(text) for text in without]
  if found:
    said = (
      'The error among the most confident test examples, by the share of examples that are kept. '
      'The rest would go to a human.'
    )
    parts = [Sentence(said), Figures([_risk_figure(found)]), *parts]
  return Section('risk', 'Risk and coverage', parts)


def _why(trial: Trial) -> str:
  who = f'{trial.letter}: ' if trial.letter else ''
  return f'{who}The record holds no risk-coverage curve, and none can be computed. {trial.judged}'


def curve_of(trial: Trial) -> Mapping[str, Any] | None:
  """Coverage and risk as recorded, else of the kept predictions."""
  if (found := trial.at('risk_coverage')) is not None:
    return found
  if isinstance(trial.judged, str):
    return None
  return risk.thinned(risk.selective_risks(trial.judged.confidence, trial.judged.right))


def _risk_figure(found: Sequence[tuple[Trial, Mapping[str, Any]]]) -> Figure:
  curves = [
    (
      trial,
      [100 * (finite(v) or 0) for v in curve['coverage']],
      [100 * (finite(v) or 0) for v in curve['risk']],
    )
    for trial, curve in found
  ]

  def draw(ax: 'Axes') -> None:
    for trial, x, y in curves:
      color, style, mark = LOOKS[trial.letter == 'B']
      ax.plot(x, y, color=color, ls=style, lw=1.5, marker=mark, ms=3, label=trial.letter or None)
    ax.set(xlim=(0, 101), xlabel='coverage, %', ylabel='error of what is kept, %')
    ax.set_ylim(bottom=0)
    if any(trial.letter for trial, _, _ in curves):
      legend(ax)

  told = ' '.join(
    f'{trial.letter + ": " if trial.letter else ""}'
    + '; '.join(f'{b:.2f} % error at {a:.0f} % coverage' for a, b in zip(x, y))
    + '.'
    for trial, x, y in curves
  )
  title = 'Error against coverage, %'
  return drawing(title, f'{title}. {told}', draw, width=4.6, height=2.7)
