"""Accuracy on the test part: of the final model, by class, of raw weights, and as other protocols have it."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ssl_bench.evaluation import scores
from ssl_bench.measures import ABSENT, Measure, part_of, share_of_test

if TYPE_CHECKING:
  from ssl_bench.evaluation.trained import Trained


def _accuracy(t: 'Trained') -> Any:
  return scores.accuracy(t.logits.test, t.dataset.test_labels) if t.logits else ABSENT


def _on_validation(t: 'Trained') -> Any:
  return scores.accuracy(t.logits.validation, t.dataset.validation_labels) if t.logits else ABSENT


def _by_class(t: 'Trained') -> Any:
  if t.logits is None:
    return ABSENT
  found = scores.per_class_accuracy(t.logits.test, t.dataset.test_labels).tolist()
  return [None if np.isnan(share) else share for share in found]  # None: no test image


def _classifier(t: 'Trained') -> str:
  return 'own' if t.has_classifier else 'probe with the same labels'


def _raw(t: 'Trained') -> Any:
  return ABSENT if t.raw_logits is None else scores.accuracy(t.raw_logits, t.dataset.test_labels)


def _best_on_validation(t: 'Trained') -> dict[str, Any]:
  """The evaluation of highest validation accuracy, of equal ones the last; empty where there is none."""
  return max(t.evaluations, key=lambda e: (e['validation_accuracy'], e['step']), default={})


def _last(t: 'Trained') -> list[float]:
  return [e['test_accuracy'] for e in t.evaluations[-t.config.evaluate.last :]]


def _median(t: 'Trained') -> Any:
  return float(np.median(_last(t))) if t.evaluations else ABSENT


def _best(t: 'Trained') -> Any:
  return max(e['test_accuracy'] for e in t.evaluations) if t.evaluations else ABSENT


def _range(found: Any) -> float:
  return max(found) - min(found)


MEASURES = (
  share_of_test(
    'accuracy',
    ('metrics', 'accuracy'),
    'accuracy',
    _accuracy,
    hint='share of test images that the final model tells right: the evaluated weights after the last step',
    table='accuracy',
    main=True,
    published=('accuracy', 'error'),
  ),
  share_of_test(
    'accuracy_on_validation',
    ('metrics', 'accuracy_on_validation'),
    'accuracy on validation',
    _on_validation,
    hint='share of validation images that the final model tells right',
  ),
  Measure(
    'classifier',
    ('metrics', 'classifier'),
    'classifier',
    _classifier,
    hint="whose accuracy it is: the method's own classifier, or a linear probe with the row's labels",
    values='text',
  ),
  share_of_test(
    'accuracy_raw',
    ('metrics', 'raw', 'accuracy'),
    'raw weights',
    _raw,
    hint='without the average of the parameters',
    table='accuracy',
  ),
  share_of_test(
    'validation_selected',
    ('metrics', 'accuracy_validation_selected'),
    'selected on validation',
    lambda t: _best_on_validation(t).get('test_accuracy', ABSENT),
    hint='test accuracy of the evaluation with the highest validation accuracy',
    table='accuracy',
  ),
  Measure(
    'step_selected',
    ('metrics', 'step_validation_selected'),
    'step selected on validation',
    lambda t: _best_on_validation(t).get('step', ABSENT),
    hint='the step of that evaluation',
    digits=0,
    values='count',
  ),
  share_of_test(
    'median_last',
    ('metrics', 'accuracy_median_last'),
    'median of last',
    _median,
    hint='median test accuracy of the last evaluations',
    source='as MixMatch reports it: Berthelot et al. 2019',
    table='accuracy',
  ),
  Measure(
    'median_over',
    ('metrics', 'median_over'),
    'evaluations in the median',
    lambda t: len(_last(t)) if t.evaluations else ABSENT,
    hint='how many evaluations that median is over',
    digits=0,
    values='count',
  ),
  share_of_test(
    'best_on_test',
    ('metrics', 'accuracy_best_on_test'),
    'best on test ‡',
    _best,
    hint='selected on test: only to be set beside tables that did so',
    table='accuracy',
  ),
  Measure(
    'accuracy_by_class',
    ('metrics', 'accuracy_by_class'),
    'accuracy by class',
    _by_class,
    unit='%',
    hint='accuracy among the test images of each class; null for a class without any',
    values='shares',
  ),
  Measure(
    'worst_class',
    ('metrics', 'accuracy_by_class'),
    'worst class',
    None,
    unit='%',
    hint='lowest accuracy of a class, on its test images',
    digits=-1,
    table='accuracy',
    better='higher',
    reduce=min,
    range=(0, 1),
  ),
  Measure(
    'class_spread',
    ('metrics', 'accuracy_by_class'),
    'best − worst class',
    None,
    unit='points',
    hint='highest minus lowest accuracy of a class',
    digits=-1,
    table='accuracy',
    better='lower',
    reduce=_range,
    range=(0, 1),
  ),
  share_of_test(
    'transductive',
    ('metrics', 'transductive', 'accuracy'),
    'transductive',
    part_of('transduced', 'accuracy'),
    hint="on the training images without a label, which a graph method's graph holds; accuracy is on test "
    'images',
    table='accuracy',
    main=True,
  ),
  Measure(
    'transductive_n',
    ('metrics', 'transductive', 'n'),
    'images of the transductive accuracy',
    part_of('transduced', 'n'),
    hint='how many images that accuracy is over',
    digits=0,
    values='count',
  ),
)
