"""Pseudo-labels of the training's last log interval: how many there were, and how many of them were right."""

from typing import Any

from ssl_bench.measures import Measure, part_of

LAST = 'over the last log interval only'


def _of(name: str, title: str, key: str, hint: str, **more: Any) -> Measure:
  more = {'unit': '%', 'digits': 1, 'better': 'higher', 'range': (0, 1), **more}
  path = ('metrics', 'pseudo_labels', name)
  return Measure(name, path, title, part_of('last_log', key), hint=hint, **more)


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
