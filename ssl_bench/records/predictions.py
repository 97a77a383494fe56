"""The predictions of a record: a NumPy file beside it in its run folder, named in the record by a digest.

`<id>.predictions.npz` holds arrays; N are test images, V validation images, C classes::

  log_probabilities float16 [N, C], labels int32 [N], positions int32 [N] (in the official test split),
  validation_log_probabilities float16 [V, C], validation_labels int32 [V],
  groups int32 [N] and group_names [G], where a dataset has groups such as speakers

That is 2 C + 8 bytes a test image, 4 more with groups, and 2 C + 4 a validation image before compression.
The record holds the SHA-256 of the arrays as `predictions`.  To read a file without this package::

  probabilities = numpy.exp(numpy.load('….predictions.npz')['log_probabilities'].astype(float))

`submit` copies no predictions: the board reads none.
"""

import zipfile
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ssl_bench.data.arrays import fingerprint
from ssl_bench.evaluation.predictions import Predictions
from ssl_bench.records.disk import LARGEST_FILE, read_limited, write_whole
from ssl_bench.records.strict_json import printable
from ssl_bench.settings.signature import BadSetting

SUFFIX = '.predictions.npz'
LARGEST = 8 * LARGEST_FILE  # bytes of all arrays
NAMES = ('log_probabilities', 'labels', 'positions', 'validation_log_probabilities', 'validation_labels')
OF_GROUPS = ('groups', 'group_names')


def path_of(record: Path) -> Path:
  """`<id>.json` -> `<id>.predictions.npz`, in the same folder."""
  return record.with_name(record.stem + SUFFIX)


def write(predictions: Predictions, path: Path) -> str:
  """Writes predictions whole or not at all, and returns the digest by which a record names them."""
  arrays, packed = _arrays(predictions), BytesIO()
  np.savez_compressed(packed, allow_pickle=False, **arrays)
  write_whole(path, packed.getvalue())
  return _digest(arrays)


def read(path: Path, record: Mapping[str, Any]) -> Predictions:
  """The predictions of `record`, which was read from the file `path`.

  Raises `BadSetting` where the record names none, and, with the name of their file, where they are missing,
  broken or of another run.
  """
  place, owner = path_of(path), printable(path.name)
  shown = printable(str(place))
  if not (digest := record.get('predictions')):
    raise BadSetting(f'{owner} names no predictions; run ssl-bench train --again, which keeps them.')
  if not place.exists():
    raise BadSetting(f'{shown} is missing; it holds the predictions of {owner}, so copy both files.')
  try:
    arrays = _unpacked(read_limited(place))
    if _digest(arrays) != digest:
      raise ValueError(f'{owner} names predictions with another SHA-256, so copy both files anew')
    return _checked(arrays, record)
  except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
    why = str(error).strip('\'"').rstrip('.') if isinstance(error, ValueError) else 'it is no whole file'
    raise BadSetting(printable(f'{shown} does not hold the predictions of {owner}: {why}.')) from None


def _arrays(kept: Predictions) -> dict[str, np.ndarray]:
  first = (kept.log_probs, kept.labels, kept.positions, kept.validation_log_probs, kept.validation_labels)
  arrays: dict[str, np.ndarray] = dict(zip(NAMES, first))
  if kept.groups is not None:
    arrays |= {'groups': kept.groups, 'group_names': np.array(kept.group_names)}
  return arrays


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
  return fingerprint((name, arrays[name]) for name in sorted(arrays))


def _unpacked(content: bytes) -> dict[str, np.ndarray]:
  """The arrays of a file, which holds nothing that would be run."""
  with zipfile.ZipFile(BytesIO(content)) as archive:
    if sum(entry.file_size for entry in archive.infolist()) > LARGEST:
      raise ValueError(f'it unpacks to more than {LARGEST // 2**20} MiB')
  with np.load(BytesIO(content), allow_pickle=False) as found:
    return {name: found[name] for name in found.files}


def _checked(arrays: Mapping[str, np.ndarray], record: Mapping[str, Any]) -> Predictions:
  """The predictions; raises ValueError unless their shapes, their labels and the record agree."""
  log_probs, labels, positions, of_validation, validation_labels = (arrays[name] for name in NAMES)
  groups, names = (arrays.get(name) for name in OF_GROUPS)
  if {one.dtype for one in (log_probs, of_validation)} != {np.dtype(np.float16)} or log_probs.ndim != 2:
    raise ValueError('its log-probabilities are no float16 matrix')
  n, classes = log_probs.shape
  ends = [labels, positions] + ([] if groups is None else [groups])
  if any(one.shape != (n,) for one in ends) or of_validation.shape != (len(validation_labels), classes):
    raise ValueError('its arrays have different lengths')
  split = record['split']
  if (n, len(of_validation)) != (split.get('test'), split.get('validation')):
    raise ValueError(f'it has {n} test and {len(of_validation)} validation images, and the record others')
  for array, below in ((labels, classes), (validation_labels, classes), (groups, len(_texts(names)))):
    if array is not None and not (array.dtype == np.int32 and (array >= 0).all() and (array < below).all()):
      raise ValueError('it has a label that is no class, or a group without a name')
  if not (np.isfinite(log_probs).all() and np.isfinite(of_validation).all()):
    raise ValueError('it has a log-probability that is not finite')
  return Predictions(log_probs, labels, positions, of_validation, validation_labels, groups, _texts(names))


def _texts(names: np.ndarray | None) -> tuple[str, ...]:
  return () if names is None else tuple(str(name) for name in names.ravel())
