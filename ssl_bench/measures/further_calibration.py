"""Calibration of the kept predictions: without bins, debiased, by parts, and after further scalings.

The first errors are before scaling; see `evaluation.further_calibration` and `evaluation.recalibration`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ssl_bench.evaluation import calibration, further_calibration, scores
from ssl_bench.measures import Measure, share_of_test

if TYPE_CHECKING:
  from ssl_bench.evaluation.judged import Judged

Score = Callable[..., Any]  # of probabilities and labels
KUMAR = 'Kumar et al. 2019'
MURPHY = 'Murphy 1973, one class against the rest, summed over classes'


def _of(name: str, title: str, score: Score, **more: Any) -> Measure:
  more = {'table': 'calibration', 'better': 'lower', 'range': (0, 1), **more}
  function = lambda seen: score(seen.probs, seen.labels)
  return Measure(name, ('metrics', 'calibration', name), title, function, reads='predictions', **more)


def _part(name: str, hint: str, **more: Any) -> Measure:
  score = lambda probs, labels: getattr(further_calibration.brier_parts(probs, labels), name)
  more = {'table': '', 'range': (0, 2), 'hint': hint, 'source': MURPHY, **more}
  return _of(f'brier_{name}', f'Brier, {name}', score, **more)


def _after(scaling: str, title: str, source: str) -> tuple[Measure, ...]:
  """The scores of probabilities after a scaling of `Judged.rescaled`."""

  def of(score: Score) -> 'Callable[[Judged], Any]':
    return lambda seen: score(seen.rescaled[scaling], seen.labels)

  def row(name: str, called: str, score: Score, **more: Any) -> Measure:
    more = {
      'better': 'lower',
      'range': (0, 1),
      'hint': f'{called} after {title}, fitted on validation',
      **more,
    }
    path = ('metrics', scaling, name)
    return Measure(f'{name}_{scaling}', path, f'{called} {title}', of(score), reads='predictions', **more)

  known = {'table': 'calibration', 'source': source}
  return (
    row('nll', 'NLL', lambda probs, labels: scores.nll(np.log(probs), labels), range=(0, None), **known),
    row('ece', 'ECE', calibration.ece, **known),
    row('brier', 'Brier', scores.brier, range=(0, 2)),
    share_of_test(
      f'accuracy_{scaling}',
      ('metrics', scaling, 'accuracy'),
      f'accuracy {title}',
      of(scores.accuracy),
      hint=f'accuracy after {title}, which may change the order of classes',
      reads='predictions',
    ),
  )


MEASURES = (
  _of(
    'ks',
    'KS error',
    further_calibration.ks_error,
    hint='largest distance between running means of confidence and of hits, by rising confidence; no bins',
    source='Gupta et al. 2021',
  ),
  _of(
    'ece_debiased',
    'ECE debiased',
    further_calibration.debiased_ece,
    hint='ECE, 15 bins, minus the part that the noise of the bins adds; at 0 and below, noise explains it',
    source=f"{KUMAR}, the authors' code",
    range=(-1, 1),
  ),
  _of(
    'l2_debiased',
    'L2 calibration error, debiased',
    further_calibration.debiased_l2,
    hint='root of the mean squared gap of 15 bins, minus what noise adds to the square',
    source=f'{KUMAR}, definition 5.2',
  ),
  _part('reliability', 'squared gap between probabilities and frequencies in 15 bins; 0 is calibrated'),
  _part('resolution', 'how far frequencies in bins are from those of all test images', better='higher'),
  _part('uncertainty', "Brier score of who says the classes' frequencies: the test part's own", better=None),
  _of(
    'class_skew',
    'class skew',
    lambda probs, labels: further_calibration.skew(probs, labels).total_variation,
    hint="total variation between the mean predicted distribution and the test labels': 0 is none",
  ),
  _of(
    'class_skew_kl',
    'class skew, KL',
    lambda probs, labels: further_calibration.skew(probs, labels).kl,
    hint="Kullback-Leibler divergence of the mean predicted distribution from the test labels', nats",
    table='',
    range=(0, None),
  ),
  *_after('vector', 'vector scaled', 'Guo et al. 2017, section 4.2, of log-probabilities'),
  *_after('histogram', 'histogram binned', 'Zadrozny & Elkan 2001; of several classes as Guo et al. 2017'),
)
