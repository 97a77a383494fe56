"""The part of `ssl-bench drift` that compares the encoders of two records on the same images."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssl_bench.settings.signature import BadSetting

if TYPE_CHECKING:
  from ssl_bench.api import TrainedNetwork
  from ssl_bench.evaluation.intervals import Interval
  from ssl_bench.evaluation.probes import Features

VERDICTS = {
  'keep': 'The old head may stay as it is.',
  'rotate': 'The old head may stay behind the rotation, not as it is.',
  'refit': 'The old head may not stay: fit it again.',
}


def compare_encoders(old: Path, new: Path, margin: float) -> dict[str, Any]:
  """Compares the networks of two records on the test images of their set, prints and returns the numbers."""
  from ssl_bench.api import load_trained
  from ssl_bench.evaluation.drift import encoders

  before, after = load_trained(old), load_trained(new)
  dataset = before.plan.dataset
  _check(before, after)
  features = _features(before), _features(after)
  found = encoders.head(*features, dataset, margin=margin)
  values: dict[str, Any] = {
    'cka': _or_null(encoders.linear_cka(features[0].test, features[1].test)),
    'procrustes': _or_null(encoders.procrustes(features[0].test, features[1].test)),
    'head': {
      **found._asdict(),
      'change': None if found.change is None else list(found.change),
      'change_rotated': list(found.change_rotated),
    },
    'margin': margin,
    'test': len(dataset.test_labels),
  }
  print(f'old: {old}\nnew: {new}\non the {values["test"]:,} test images of {dataset.name}\n')
  for what, name in (
    ('linear CKA, 1 where alike', 'cka'),
    ('Procrustes distance, 0 where alike', 'procrustes'),
  ):
    said = 'features do not vary' if values[name] is None else f'{values[name]:.4f}'
    print(f'{what:44}{said:>12}')
  print(f'\n{"linear head, fitted on old features, on":44}{"accuracy, %":>12}{"change":>18}')
  _line('  old features', found.old)
  _line('  new features', found.as_is, found.change)
  _line('  new features, rotated', found.rotated, found.change_rotated)
  _line('head fitted on new features', found.refitted)
  print(f'\n{VERDICTS[found.verdict]} (margin {100 * margin:g} %)')
  return values


def _or_null(value: float) -> float | None:
  return value if math.isfinite(value) else None


def _line(what: str, accuracy: float | None, change: 'Interval | None' = None) -> None:
  if accuracy is None:
    print(f'{what:44}{"other width":>12}')
    return
  half = '' if change is None or change.half_width is None else f' ± {100 * change.half_width:.2f}'
  said = '' if change is None else f'{100 * change.mean:+.2f}{half}'
  print(f'{what:44}{100 * accuracy:12.2f}{said:>18}')


def _features(network: 'TrainedNetwork') -> 'Features':
  """Of the three parts of the network's set."""
  from ssl_bench.evaluation.probes import Features

  data = network.plan.dataset
  return Features(*map(network.features, (data.train_images, data.validation_images, data.test_images)))


def _check(before: 'TrainedNetwork', after: 'TrainedNetwork') -> None:
  """Raises `BadSetting` unless both networks have the same images with labels."""
  one, other = before.plan.dataset, after.plan.dataset
  if (one.name, one.fingerprint) != (other.name, other.fingerprint):
    raise BadSetting(
      f'The records are of {one.name} and {other.name}, or of two versions; compare records of one set.'
    )
  if before.config.stress != after.config.stress:
    raise BadSetting(
      "The records' stress differs, and so may their images; compare records under one stress."
    )
  if one.classes == 1:
    raise BadSetting(f'{one.name} has no labels, so there is no head; compare features as two sets.')
