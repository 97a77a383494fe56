"""Pseudo-labels: how many there were in the last log interval, and whether they can be believed."""

from typing import TYPE_CHECKING, Any

from ssl_bench.evaluation import pseudo_labels
from ssl_bench.measures import ABSENT, Measure, part_of

if TYPE_CHECKING:
  from ssl_bench.evaluation.trained import Trained

LAST = 'over the last log interval only'


def _of(name: str, title: str, key: str, hint: str, **more: Any) -> Measure:
  more = {'unit': '%', 'digits': 1, 'better': 'higher', 'range': (0, 1), **more}
  path = ('metrics', 'pseudo_labels', name)
  return Measure(name, path, title, part_of('last_log', key), hint=hint, **more)


def _looks(t: 'Trained') -> list[dict[str, Any]]:
  """The looks at the sample of unlabeled images."""
  return [row for row in t.fitted.history['evaluations'] if 'pseudo_ece' in row]


def _at_looks(name: str, title: str, value: Any, hint: str) -> Measure:
  """A measure of the looks, where there were some."""
  return Measure(
    f'pseudo_{name}',
    ('metrics', 'pseudo_labels', name),
    title,
    lambda t: value(looks) if (looks := _looks(t)) else ABSENT,
    hint=hint,
    table='pseudo_labels',
    better='lower',
    range=(0, 1),
  )


MEASURES = (
  _of(
    'precision',
    'precision of pseudo-labels',
    'pseudo/precision',
    f'share of the pseudo-labels that are the true label, {LAST}',
    table='pseudo_labels',
    main=True,
  ),
  _of(
    'coverage',
    'coverage of pseudo-labels',
    'pseudo/coverage',
    f'share of the unlabeled images seen that got a pseudo-label, {LAST}',
    table='pseudo_labels',
    main=True,
    better=None,
  ),
  _of(
    'skew',
    'skew of pseudo-labels',
    'pseudo/skew',
    'least share of the pseudo-labels that would have to be of another class for their classes to be as '
    f'frequent as those of the images seen (total variation), {LAST}',
    table='pseudo_labels',
    better='lower',
  ),
  _of(
    'precision_by_class',
    'precision by class',
    'pseudo/precision_by_class',
    'the same by pseudo-label; null where there is none',
    values='shares',
  ),
  _of(
    'coverage_by_class',
    'coverage by class',
    'pseudo/coverage_by_class',
    'the same by true class; null where no image was seen',
    values='shares',
    better=None,
  ),
  _at_looks(
    'ece',
    'ECE of pseudo-labels',
    lambda looks: looks[-1]['pseudo_ece'],
    'expected calibration error of the confidence of pseudo-labels on a fixed sample of unlabeled images, at '
    'the last look; null where there were none',
  ),
  _at_looks(
    'confirmation',
    'confirmed errors',
    pseudo_labels.confirmed,
    'share of wrong pseudo-labels that are the same when the image has one again, from look to look at a '
    'fixed sample of unlabeled images, over all of training; null where none was wrong',
  ),
  _of(
    'agreement',
    'agreement',
    'agreement',
    "unlabeled images whose predicted class is the target's: that of another view under the same network, or "
    f'that of a teacher, as the method has it; {LAST}',
    digits=-1,
    table='pseudo_labels',
    better=None,
  ),
)
