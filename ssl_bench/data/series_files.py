"""The .ts files of the UCR archive: a header of lines with @, then a series a line."""

from pathlib import Path
from typing import Any

import numpy as np

from ssl_bench.data.arrays import Dataset, fingerprint
from ssl_bench.data.extras import FACTS, folder_of
from ssl_bench.data.split import cut
from ssl_bench.data.tables import standardize
from ssl_bench.settings.signature import BadSetting


def read_ts(path: Path) -> tuple[list[np.ndarray], list[str]]:
  """The series of a file, each float64 [length, channels], and their classes.

  A line is its channels, a colon between two, each numbers with commas (`?` and `NaN` are missing), and the
  class at the end.  Raises `BadSetting` for a line that is none.
  """
  series, labels, in_data = [], [], False
  for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1):
    line = line.strip()
    if line.lower() == '@data':
      in_data = True
    elif in_data and line and not line.startswith('#'):
      *channels, label = line.split(':')
      try:
        values = [list(map(float, channel.replace('?', 'nan').split(','))) for channel in channels]
        series.append(np.array(values, np.float64).T)
      except ValueError:
        raise BadSetting(f'{path}, line {number}: channels of one length must be numbers.') from None
      labels.append(label.strip())
  if not series or any(one.ndim != 2 for one in series):
    raise BadSetting(
      f'{path} holds no series with classes; it should have lines such as 0.5,0.25:1 after @data.'
    )
  return series, labels


def padded(series: list[np.ndarray], length: int) -> np.ndarray:
  """float64 [N, length, channels], NaN after the end of a series."""
  whole = np.full((len(series), length, series[0].shape[1]), np.nan)
  for row, one in zip(whole, series):
    row[: len(one)] = one
  return whole


def ucr(name: str, folder: str) -> Dataset:
  """A set of the UCR archive inside the package aeon: its official test part, and its training part less
  a class-balanced validation part, which a hash of the name draws.

  Each channel is standardized by the training part.  A series that is shorter than the longest is padded at
  its end by 0, the mean, after that; a missing value becomes 0 too.

  Args:
    name: of the set; its sizes stand in `extras.FACTS`.
    folder: the set's name in the archive.
  """
  facts, where = FACTS[name], folder_of(name) / folder
  (train, train_labels), (test, test_labels) = (
    read_ts(where / f'{folder}_{part}.ts') for part in ('TRAIN', 'TEST')
  )
  names = sorted(set(train_labels), key=lambda one: (len(one), one))
  whole = padded([*train, *test], facts.shape[0])
  labels = np.array([names.index(label) for label in (*train_labels, *test_labels)], np.int32)
  salt = f'{name} {facts.version}'
  validation, rest = cut(labels[: len(train)], [facts.validation], salt=salt, classes=len(names))
  values = standardize(whole, rest)
  places = {'train': rest, 'validation': validation, 'test': np.arange(len(train), len(whole))}
  arrays: dict[str, Any] = {}
  for part, at in places.items():
    first = len(train) if part == 'test' else 0
    arrays |= {f'{part}_images': values[at], f'{part}_labels': labels[at]}
    arrays[f'{part}_index'] = (at - first).astype(np.int32)
  return Dataset(
    name=name,
    version=facts.version,
    classes=len(names),
    label_names=tuple(names),
    fingerprint=fingerprint(arrays.items()),
    license=facts.license,
    kind='series',
    **arrays,
  )
