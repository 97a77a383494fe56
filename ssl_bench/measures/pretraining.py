"""Pretraining: its last look at held-out images, and whether its loss fell while its features got worse."""

from typing import TYPE_CHECKING, Any

from ssl_bench.evaluation import loss_and_probe
from ssl_bench.measures import ABSENT, Measure

if TYPE_CHECKING:
  from ssl_bench.evaluation.trained import Trained

PATH = ('metrics', 'pretraining')


def _last(name: str) -> Any:
  """A function that reads a number of the last look at held-out images, of a training without labels."""

  def function(t: 'Trained') -> Any:
    looks = t.fitted.history['evaluations']
    return ABSENT if t.evaluations or not looks else looks[-1].get(name, ABSENT)

  return function


def _verdict(t: 'Trained') -> Any:
  found = loss_and_probe.judge(t.fitted.history['evaluations'], len(t.dataset.validation_labels))
  return ABSENT if found is None else found.said


MEASURES = (
  Measure(
    'held_out_loss',
    (*PATH, 'loss'),
    'held-out pretext loss',
    _last('pretext_loss'),
    hint='loss of the method on views of validation images at the last look; compare within one method only',
    table='health',
  ),
  Measure(
    'held_out_knn',
    (*PATH, 'knn'),
    'kNN on validation',
    _last('knn'),
    unit='%',
    hint='accuracy of the 20 nearest of at most 2,000 training images on validation images at the last look',
    digits=1,
    table='health',
    better='higher',
    range=(0, 1),
  ),
  Measure(
    'loss_and_probe',
    (*PATH, 'verdict'),
    'loss and probe',
    _verdict,
    hint='whether the held-out loss fell from the look of the best kNN accuracy to the last while kNN fell',
    values='text',
  ),
)
