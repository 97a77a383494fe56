"""Risk and review: what error is left where the least confident images go to a human.

Everything is of the kept predictions, before scaling; see `evaluation.risk`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ssl_bench.evaluation import risk
from ssl_bench.measures import Measure

if TYPE_CHECKING:
  from ssl_bench.evaluation.judged import Judged

GEIFMAN = 'Geifman, Uziel & El-Yaniv 2019'
HENDRYCKS = 'Hendrycks & Gimpel 2017'
ERRORS = (1, 5)  # percent of what is kept that may be wrong


def _of(name: str, title: str, function: 'Callable[[Judged], Any]', **more: Any) -> Measure:
  more = {'table': 'risk', 'better': 'lower', 'range': (0, 1), **more}
  return Measure(name, ('metrics', 'risk', name), title, function, reads='predictions', **more)


def _told(name: str, title: str, hint: str, **more: Any) -> Measure:
  function = lambda seen: getattr(risk.told(seen.confidence, seen.right), name)
  return _of(name, title, function, hint=hint, source=HENDRYCKS, better='higher', **more)


def _review(percent: int) -> tuple[Measure, ...]:
  """The share to review for an error, with the threshold of the test images and with that of validation."""
  error = percent / 100
  same: dict[str, Any] = {'unit': '%', 'digits': 1}
  kept = f'error of what is kept is at most {percent} %'

  def at_best(seen: 'Judged') -> float:
    lowest = risk.threshold(seen.confidence, seen.right, error)
    return risk.review(seen.confidence, seen.right, lowest).share

  def chosen(seen: 'Judged') -> risk.Review:
    lowest = risk.threshold(seen.validation_confidence, seen.validation_right, error)
    return risk.review(seen.confidence, seen.right, lowest)

  return (
    _of(
      f'review_{percent}',
      f'to review for {percent} % error',
      at_best,
      hint=f'least share of test images to a human such that the {kept}; 100 % where no threshold reaches it',
      **same,
    ),
    _of(
      f'review_{percent}_chosen',
      f'to review, threshold for {percent} % chosen on validation',
      lambda seen: chosen(seen).share,
      hint=f'share of test images below the confidence from which on the {kept} on validation images',
      **{**same, 'table': ''},
    ),
    _of(
      f'error_{percent}_chosen',
      f'error left, threshold for {percent} % chosen on validation',
      lambda seen: chosen(seen).error,
      hint='share of wrong ones among the test images at or above that confidence; null where there is none',
      source='Geifman & El-Yaniv 2017, without their bound',
      **same,
    ),
  )


MEASURES = (
  _of(
    'aurc',
    'AURC',
    lambda seen: risk.aurc(seen.confidence, seen.right),
    hint='area under the risk-coverage curve: the error among the most confident images, mean over coverages',
    source=GEIFMAN,
    digits=4,
  ),
  _of(
    'excess_aurc',
    'excess AURC',
    lambda seen: risk.excess_aurc(seen.confidence, seen.right),
    hint='AURC minus that of the same predictions if each right one were more confident than each wrong one',
    source=GEIFMAN,
    digits=4,
  ),
  *(row for percent in ERRORS for row in _review(percent)),
  _told(
    'auroc',
    'AUROC of being right',
    'probability that a right prediction is more confident than a wrong one; 0.5 is a guess; null where all '
    'are right or all wrong',
  ),
  _told(
    'aupr_right',
    'AUPR of being right',
    'average precision of confidence for what is right; accuracy is a guess',
  ),
  _told(
    'aupr_wrong',
    'AUPR of being wrong',
    'average precision of doubt for what is wrong; the error is a guess',
  ),
  _of(
    'risk_coverage',
    'risk-coverage curve',
    lambda seen: risk.thinned(risk.selective_risks(seen.confidence, seen.right)),
    hint='error among the most confident images at 20 coverages',
    source=GEIFMAN,
    table='',
    values='curve',
    better=None,
  ),
)
