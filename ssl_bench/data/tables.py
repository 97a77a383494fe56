"""Columns of a table, numbers or categories, as rows of float32 values that a network reads."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ssl_bench.data.arrays import Dataset, fingerprint
from ssl_bench.data.meta import PARTS
from ssl_bench.data.split import cut


class Rows(NamedTuple):
  """Rows float32 [N, values], and how many values each column has: 1 for numbers, else one a category."""

  values: np.ndarray
  columns: tuple[int, ...]


def encode(columns: Sequence[np.ndarray], train: np.ndarray) -> Rows:
  """Rows of columns; all statistics are those of the training part.

  Numbers (a column of a numeric dtype) are standardized: (x - mean) / deviation, where a constant column
  becomes 0.  A category (any other dtype) becomes as many values as the training part has categories, sorted:
  1 for its own, 0 for the others.  A number that is not finite, an empty text, and a category that the
  training part lacks count as missing: 0 everywhere.

  Args:
    columns: one array [N] for each.
    train: positions of the training part.
  """
  parts = [_numbers(one, train) if is_numeric(one) else _categories(one, train) for one in columns]
  return Rows(np.concatenate(parts, 1).astype(np.float32), tuple(part.shape[1] for part in parts))


def is_numeric(column: np.ndarray) -> bool:
  return np.issubdtype(column.dtype, np.number)


def _numbers(column: np.ndarray, train: np.ndarray) -> np.ndarray:
  return standardize(column.astype(np.float64)[:, None], train)


def _categories(column: np.ndarray, train: np.ndarray) -> np.ndarray:
  texts = column.astype(str)
  known = np.unique(texts[train])
  return (texts[:, None] == known[known != '']).astype(np.float64)


def standardize(values: np.ndarray, train: np.ndarray) -> np.ndarray:
  """Values [N, ..., C] less the mean of each channel C, divided by its deviation, both of the training part.

  A channel that is constant there becomes 0, and so does a value that is not finite, which counts in no mean.
  Sums are exact, so that every machine makes the same bytes.
  """
  found = np.zeros(values.shape, np.float32)
  for channel in range(values.shape[-1]):
    one = values[..., channel].astype(np.float64)
    there = np.isfinite(one)
    seen = one[train][there[train]]
    if not len(seen) or seen.min() == seen.max():
      continue
    mean = math.fsum(seen) / len(seen)
    deviation = math.sqrt(math.fsum((seen - mean) ** 2) / len(seen))
    found[..., channel] = np.where(there, (np.where(there, one, mean) - mean) / deviation, 0)
  return found


def drawn(
  name: str,
  columns: Sequence[np.ndarray],
  labels: np.ndarray,
  *,
  validation: int,
  test: int,
  label_names: Sequence[str],
  version: str,
  license: str,
) -> Dataset:
  """A table whose parts are drawn once, by a hash of its name and version: test and validation balanced.

  Args:
    name: of the set.
    columns: of all rows, as `encode` takes them; the training part standardizes them.
    labels: [N], whole numbers.
    validation, test: rows of these parts, equally many of each class.
    label_names, version, license: of the set.
  """
  labels, classes = labels.astype(np.int32), len(label_names)
  parts = cut(labels, [test, validation], salt=f'{name} {version}', classes=classes)
  index = dict(zip(('test', 'validation', 'train'), parts))
  rows = encode(columns, index['train'])
  arrays: dict[str, Any] = {}
  for part in PARTS:
    at = index[part]
    arrays |= {f'{part}_images': rows.values[at], f'{part}_labels': labels[at], f'{part}_index': at}
  widths = np.asarray(rows.columns, np.int32)
  return Dataset(
    name=name,
    version=version,
    classes=classes,
    label_names=tuple(label_names),
    fingerprint=fingerprint([*arrays.items(), ('columns', widths)]),
    license=license,
    kind='table',
    columns=rows.columns,
    **arrays,
  )
