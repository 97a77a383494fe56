"""Proper scores and calibration errors on the test part, before and after scaling fitted on validation.

An error of a small test set is mostly noise; see `evaluate.calibration`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ssl_bench.evaluation import calibration, scores
from ssl_bench.measures import ABSENT, Measure, share_of_test

if TYPE_CHECKING:
  from ssl_bench.evaluation.trained import Scored, Trained

Score = Callable[['Trained', 'Scored'], Any]
SCALINGS = {  # where a record keeps them -> (how their columns are called, what they are)
  'scaled': ('temperature scaled', 'after temperature scaling'),
  'isotonic': ('isotonic', 'after isotonic regression'),
  'raw': ('raw weights', 'of the weights without their average'),
}


def _nll(t: 'Trained', s: 'Scored') -> float:
  return scores.nll(s.logits, t.dataset.test_labels)


def _brier(t: 'Trained', s: 'Scored') -> float:
  return scores.brier(s.probs, t.dataset.test_labels)


def _ece(t: 'Trained', s: 'Scored') -> float:
  return calibration.ece(s.probs, t.dataset.test_labels)


def _interval(t: 'Trained', s: 'Scored') -> list[float]:
  resamples = t.config.evaluate.bootstrap
  return list(calibration.ece_interval(s.probs, t.dataset.test_labels, resamples=resamples))


def _adaptive(t: 'Trained', s: 'Scored') -> float:
  return calibration.adaptive_ece(s.probs, t.dataset.test_labels)


def _classwise(t: 'Trained', s: 'Scored') -> float:
  return calibration.classwise_ece(s.probs, t.dataset.test_labels)


def _mce(t: 'Trained', s: 'Scored') -> float:
  return calibration.mce(s.probs, t.dataset.test_labels)


def _accuracy(t: 'Trained', s: 'Scored') -> float:
  return scores.accuracy(s.probs, t.dataset.test_labels)


def _bins(t: 'Trained', s: 'Scored') -> dict[str, list[float]]:
  seen = calibration.reliability_bins(s.probs, t.dataset.test_labels)
  return {
    'count': seen.counts.tolist(),
    'confidence': seen.confidence.tolist(),
    'accuracy': seen.accuracy.tolist(),
  }


def _of(scaling: str, score: Score) -> Callable[['Trained'], Any]:
  """The score of the predictions under a scaling: plain, scaled, isotonic, raw."""

  def function(t: 'Trained') -> Any:
    scored = t.scored.get(scaling)
    return ABSENT if scored is None else score(t, scored)

  return function


def _plain(name: str, title: str, score: Score, **more: Any) -> Measure:
  more = {'table': 'calibration', 'better': 'lower', 'range': (0, 1), **more}
  return Measure(name, ('metrics', name), title, _of('plain', score), **more)


def _scaled(scaling: str, name: str, score: Score, **more: Any) -> Measure:
  """A row of `PLAIN` under a scaling; recorded, and shown where it is asked for."""
  first = next(row for row in PLAIN if row.name == name)
  title, what = SCALINGS[scaling]
  own: dict[str, Any] = {
    'name': f'{name}_{scaling}',
    'path': ('metrics', scaling, name),
    'title': f'{first.title} {title}',
    'function': _of(scaling, score),
    'hint': f'{first.title} {what}',
    'table': '',
    'main': False,
    'after': '',
  }
  return first._replace(**own | more)


SCORES: dict[str, Score] = {
  'nll': _nll,
  'brier': _brier,
  'ece': _ece,
  'ece_interval': _interval,
  'ece_adaptive': _adaptive,
  'ece_classwise': _classwise,
  'mce': _mce,
}
PLAIN = (
  _plain(
    'nll',
    'NLL',
    _nll,
    hint='negative log-likelihood; before → after temperature scaling, fitted on validation',
    main=True,
    after='nll_scaled',
    range=(0, None),
  ),
  _plain(
    'ece',
    'ECE',
    _ece,
    hint='expected calibration error, 15 bins; before → after temperature scaling',
    source='Guo et al. 2017, equation 3',
    main=True,
    after='ece_scaled',
  ),
  _plain(
    'brier',
    'Brier',
    _brier,
    hint='Brier score, before scaling',
    source='Brier 1950: the sum over classes, in [0, 2]',
    main=True,
    range=(0, 2),
  ),
  _plain(
    'ece_interval',
    'ECE interval',
    _interval,
    hint='95 % percentile bootstrap interval of the ECE over test images; it lies high on small sets',
    source='Efron 1979',
    table='',
    better=None,
    values='interval',
  ),
  _plain(
    'ece_adaptive',
    'ECE adaptive',
    _adaptive,
    hint='ECE over 15 bins of equal mass',
    source="Nguyen & O'Connor 2015",
  ),
  _plain(
    'ece_classwise',
    'ECE class-wise',
    _classwise,
    hint='mean over classes of the ECE of "is it this class?"',
    source='Kull et al. 2019, equation 3',
  ),
  _plain(
    'mce',
    'MCE',
    _mce,
    hint='largest gap between confidence and accuracy of any bin that is not empty',
    source='Guo et al. 2017, equation 5',
  ),
)
SHOWN = {('isotonic', 'nll'): 'NLL isotonic', ('isotonic', 'ece'): 'ECE isotonic'}

MEASURES = (
  Measure(
    'temperature',
    ('metrics', 'temperature'),
    'temperature',
    lambda t: ABSENT if t.temperature is None else t.temperature,
    hint='softmax temperature of least NLL on the validation part, in [0.05, 20]; above 1 a model is '
    'overconfident',
    source='Guo et al. 2017, section 4.2',
    digits=2,
    table='calibration',
    range=(0, None),
  ),
  *(
    _scaled('isotonic', name, SCORES[name], title=title, table='calibration')
    for (_, name), title in SHOWN.items()
  ),
  *PLAIN,
  *(_scaled('scaled', name, score) for name, score in SCORES.items()),
  *(_scaled('isotonic', name, SCORES[name]) for name in SCORES if ('isotonic', name) not in SHOWN),
  *(_scaled('raw', name, SCORES[name]) for name in ('nll', 'brier', 'ece')),
  share_of_test(
    'accuracy_isotonic',
    ('metrics', 'isotonic', 'accuracy'),
    'accuracy isotonic',
    _of('isotonic', _accuracy),
    hint='accuracy after isotonic regression, which may change the order of classes',
  ),
  *(
    Measure(
      name,
      ('metrics', name),
      title,
      _of(scaling, _bins),
      hint='accuracy and mean confidence of the test images in 15 bins of confidence',
      source='DeGroot & Fienberg 1983',
      values='bins',
    )
    for name, title, scaling in (
      ('reliability', 'reliability', 'plain'),
      ('reliability_scaled', 'reliability, temperature scaled', 'scaled'),
    )
  ),
)
