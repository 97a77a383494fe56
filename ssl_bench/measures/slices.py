"""Parts of the test images: classes, and the groups that a dataset names, such as speakers.

Everything is of the kept predictions, before scaling; see `evaluation.slices`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ssl_bench.evaluation import slices
from ssl_bench.measures import ABSENT, Measure

if TYPE_CHECKING:
  from ssl_bench.evaluation.judged import Judged

MOST = 20  # classes whose confusion matrix is recorded; of more it is computed from the kept predictions
WILSON = 'Wilson 1927'
EFRON = 'Efron 1979, percentile bootstrap'


def _of(name: str, part: str, title: str, function: Any, **more: Any) -> Measure:
  return Measure(name, ('metrics', part, name), title, function, reads='predictions', **more)


def _confusion(seen: 'Judged') -> Any:
  return seen.confusion.tolist() if seen.classes <= MOST else ABSENT


def _of_groups(field: str) -> 'Callable[[Judged], Any]':
  return lambda seen: ABSENT if seen.by_group is None else getattr(seen.by_group, field)


MEASURES = (
  Measure(
    'macro_f1',
    ('metrics', 'macro_f1'),
    'macro F1',
    lambda seen: float(np.nanmean(slices.f1(seen.confusion))),
    hint='mean over classes of the F1 score on test images, without classes that are neither there nor '
    'predicted',
    table='accuracy',
    better='higher',
    range=(0, 1),
    reads='predictions',
  ),
  _of(
    'confusion',
    'by_class',
    'confusion matrix',
    _confusion,
    hint=f'test images by class (row) and predicted class (column); of at most {MOST} classes',
    values='matrix',
  ),
  _of(
    'specificity',
    'by_class',
    'specificity by class',
    lambda seen: slices.specificity(seen.confusion),
    unit='%',
    hint='share of the images of other classes that are not predicted to be of the class; sensitivity is the '
    'accuracy by class',
    better='higher',
    values='shares',
  ),
  _of(
    'accuracy_by_class_interval',
    'by_class',
    'interval of the accuracy by class',
    lambda seen: seen.by_class.accuracy_interval,
    hint='95 % interval of the accuracy of each class; null for a class without test images',
    source=WILSON,
    values='intervals',
    range=(0, 1),
  ),
  _of(
    'gap_by_prediction',
    'by_class',
    'confidence − accuracy by predicted class',
    lambda seen: seen.by_prediction.gap,
    hint='mean confidence minus accuracy of the images predicted to be of each class; above 0 overconfident; '
    'null where none is',
    source='Gupta & Ramdas 2022: calibration given the predicted class',
    values='numbers',
    range=(-1, 1),
  ),
  _of(
    'gap_by_prediction_interval',
    'by_class',
    'interval of confidence − accuracy by predicted class',
    lambda seen: seen.by_prediction.gap_interval,
    hint='95 % interval of it; null below 3 images',
    source=EFRON,
    values='intervals',
    range=(-1, 1),
  ),
  _of(
    'groups',
    'by_group',
    'groups',
    lambda seen: list(seen.kept.group_names) if seen.by_group is not None else ABSENT,
    hint='the groups that the dataset names, such as speakers, in the order of the lists by group',
    values='texts',
  ),
  _of(
    'accuracy_by_group',
    'by_group',
    'accuracy by group',
    _of_groups('accuracy'),
    unit='%',
    hint='accuracy among the test images of each group; null for a group without any',
    values='numbers',
    range=(0, 1),
  ),
  _of(
    'accuracy_by_group_interval',
    'by_group',
    'interval of the accuracy by group',
    _of_groups('accuracy_interval'),
    hint='95 % interval of it',
    source=WILSON,
    values='intervals',
    range=(0, 1),
  ),
  _of(
    'gap_by_group',
    'by_group',
    'confidence − accuracy by group',
    _of_groups('gap'),
    hint='mean confidence minus accuracy of each group; above 0 overconfident',
    values='numbers',
    range=(-1, 1),
  ),
  _of(
    'gap_by_group_interval',
    'by_group',
    'interval of confidence − accuracy by group',
    _of_groups('gap_interval'),
    hint='95 % interval of it; null below 3 images',
    source=EFRON,
    values='intervals',
    range=(-1, 1),
  ),
  Measure(
    'worst_group',
    ('metrics', 'by_group', 'accuracy_by_group'),
    'worst group',
    None,
    unit='%',
    hint='lowest accuracy of a group that the dataset names, on its test images',
    source='Sagawa et al. 2020: worst-group accuracy',
    digits=-1,
    table='accuracy',
    better='higher',
    reduce=min,
    range=(0, 1),
  ),
)
