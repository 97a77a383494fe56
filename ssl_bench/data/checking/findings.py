"""The findings on a set: every check in order, as one tree that is kept as JSON under the data folder."""

import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ssl_bench.data.added import CHECKS
from ssl_bench.data.arrays import Dataset
from ssl_bench.data.checking import duplicates, inputs, label_errors, probe
from ssl_bench.data.meta import PARTS
from ssl_bench.data.text import VOCABULARY
from ssl_bench.kinds import scale

SCHEMA = 1
LARGEST = 2**30  # bytes of inputs that are compared at once; beyond, those without labels are left out
NEVER = lambda: False

Findings = dict[str, Any]


def find(
  data: Dataset,
  *,
  wrong_labels: bool = False,
  features: Mapping[str, np.ndarray] | None = None,
  should_stop: Callable[[], bool] = NEVER,
) -> Findings:
  """All that is suspect in a set; every place is a pair of a part and a position in it.

  With `wrong_labels`, labels are suspected by cross-validated probes: on `features` of each part, float
  [N, D], where they are given, else on the inputs.  What is left out is named under `left_out`.
  """
  started = time.monotonic()
  arrays, labels = inputs_of(data), labels_of(data)
  found: Findings = {
    'schema': SCHEMA,
    'name': data.name,
    'version': data.version,
    'fingerprint': data.fingerprint,
    'kind': data.kind,
    'sizes': {part: len(array) for part, array in arrays.items()},
    'label_names': list(data.label_names),
    'left_out': {},
  }
  found['labels'] = {part: _labels(given, data.classes) for part, given in labels.items()}
  found['inputs'] = {part: _inputs(array, data.kind) for part, array in arrays.items()}
  places = Places({part: len(array) for part, array in arrays.items()})
  compared = dict(arrays)
  if sum(array.nbytes for array in arrays.values()) > LARGEST and compared.pop('unlabeled', None) is not None:
    found['left_out']['unlabeled'] = 'the inputs without labels are too many to compare'
  together = np.concatenate(list(compared.values()))
  given = np.concatenate([labels.get(part, np.full(len(array), -1)) for part, array in compared.items()])
  found['equal'] = [_pair(places, given, *pair) for pair in duplicates.equal_pairs(together)]
  if data.kind == 'image':
    try:
      found['twins'] = _twins(duplicates.twins(together, should_stop=should_stop), places, given)
    except TimeoutError:
      found['left_out']['twins'] = 'there was no time left to look for near duplicates'
  if wrong_labels:
    rows = _features(compared, data.kind) if features is None else features
    waves = features is None and data.kind == 'image'
    suspected = _wrong_labels(rows, labels, data.classes, waves=waves)
    found['wrong_labels'] = {'on': 'inputs' if features is None else 'features', **suspected}
  found['seconds'] = round(time.monotonic() - started, 1)
  return found


class Places:
  """Positions in the parts of a set, laid one after the other."""

  def __init__(self, sizes: Mapping[str, int]):
    self.parts = list(sizes)
    self.starts = np.cumsum([0, *sizes.values()])

  def at(self, position: int) -> list:
    """[part, position in it]."""
    number = int(np.searchsorted(self.starts, position, side='right')) - 1
    return [self.parts[number], int(position - self.starts[number])]


def inputs_of(data: Dataset) -> dict[str, np.ndarray]:
  """The inputs of each part, those without labels last."""
  found = {part: getattr(data, f'{part}_images') for part in PARTS}
  return found if data.unlabeled_images is None else {**found, 'unlabeled': data.unlabeled_images}


def labels_of(data: Dataset) -> dict[str, np.ndarray]:
  return {part: getattr(data, f'{part}_labels').astype(np.int64) for part in PARTS}


def _labels(given: np.ndarray, classes: int) -> dict[str, Any]:
  counted = inputs.count_labels(given, classes)
  return {
    'counts': counted.counts.tolist(),
    'missing': counted.missing,
    'imbalance': round(counted.imbalance, 2),
  }


def _inputs(array: np.ndarray, kind: str) -> dict[str, list[int]]:
  """Positions of what is suspect by itself."""
  if kind == 'image':
    return {
      'blank': inputs.blank_images(array).tolist(),
      'saturated': inputs.saturated_images(array).tolist(),
    }
  return {'constant': inputs.constant(array).tolist()}


def _pair(places: Places, given: np.ndarray, i: int, j: int, **more: float) -> dict[str, Any]:
  return {'a': places.at(i), 'b': places.at(j), 'labels': [int(given[i]), int(given[j])], **more}


def _twins(found: duplicates.Twins, places: Places, given: np.ndarray) -> list[dict[str, Any]]:
  """The pairs, the nearest first."""
  order = np.argsort(found.relative, kind='stable')
  numbers = (
    (*found.pairs[k], round(float(found.correlation[k]), 3), round(float(found.relative[k]), 3))
    for k in order
  )
  return [_pair(places, given, i, j, correlation=c, relative=r) for i, j, c, r in numbers]


def _wrong_labels(
  rows: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray], classes: int, *, waves: bool
) -> dict[str, Any]:
  places = Places({part: len(given) for part, given in labels.items()})
  together = np.concatenate([rows[part].reshape(len(given), -1) for part, given in labels.items()])
  given = np.concatenate(list(labels.values()))
  probs = probe.out_of_fold(together, given, classes, waves=waves)
  found = label_errors.suspects(given, probs)
  suspects = [
    {'at': places.at(i), 'given': int(given[i]), 'suggested': int(k), 'margin': round(float(margin), 4)}
    for i, k, margin in zip(found.positions, found.suggested, found.margin)
  ]
  right = float((probs.argmax(1) == given).mean())
  return {
    'agreement': round(right, 4),
    'suspects': suspects,
    'joint': found.joint.tolist(),
  }


def _features(arrays: Mapping[str, np.ndarray], kind: str) -> dict[str, np.ndarray]:
  """What the probes see of each part: pixels, how often each byte is in a text, spectrograms, or values."""
  if kind == 'image':
    return {part: probe.pixels(array) for part, array in arrays.items()}
  if kind == 'tokens':
    return {part: _bytes(array) for part, array in arrays.items()}
  if kind == 'audio':
    return {part: _spectrograms(array) for part, array in arrays.items()}
  return {part: array.reshape(len(array), -1) for part, array in arrays.items()}


def _spectrograms(clips: np.ndarray, rows: int = 256) -> np.ndarray:
  """float32 [N, frames * bands]: the log-mel spectrograms of clips."""
  parts = [clips[start : start + rows] for start in range(0, len(clips), rows)]
  return np.concatenate([np.asarray(scale(part, 'audio')).reshape(len(part), -1) for part in parts])


def _bytes(texts: np.ndarray) -> np.ndarray:
  """float32 [N, 2 * VOCABULARY]: how often each byte, and each pair of bytes by its hash, is in a text."""
  rows = texts.reshape(len(texts), -1).astype(np.int64)
  pairs = VOCABULARY + (rows[:, :-1] * 31 + rows[:, 1:]) % VOCABULARY
  counts = np.zeros((len(rows), 2 * VOCABULARY), np.float32)
  for columns in (rows, pairs):
    np.add.at(counts, (np.arange(len(rows))[:, None], columns), 1)
  return counts


def path_of(name: str, fingerprint: str, root: Path) -> Path:
  """Where the findings on a set lie."""
  return root / 'ssl_bench' / CHECKS / f'{name}-{fingerprint[:12]}.json'


def read(data: Dataset, root: Path) -> Findings | None:
  """The findings on a set that were kept; None where there are none, or of another form."""
  try:
    found = json.loads(path_of(data.name, data.fingerprint, root).read_bytes())
    same = (found['schema'], found['fingerprint']) == (SCHEMA, data.fingerprint)
  except (OSError, ValueError, RecursionError, KeyError, TypeError):
    return None
  return found if same else None


def keep(found: Findings, root: Path) -> Path | None:
  """Writes findings, whole or not at all; None where the folder takes nothing."""
  path = path_of(found['name'], found['fingerprint'], root)
  with suppress(OSError):
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix='.', suffix='.tmp')
    try:
      with os.fdopen(handle, 'w', encoding='utf-8') as file:
        json.dump(found, file)
      os.chmod(temporary, 0o644)
      os.replace(temporary, path)
    except BaseException:
      Path(temporary).unlink(missing_ok=True)
      raise
    return path
  return None
