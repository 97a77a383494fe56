"""`internal_bleeding`: windows of a long series in which one anomaly is labeled; from the package aeon."""

import csv
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ssl_bench.data.arrays import Dataset, fingerprint
from ssl_bench.data.extras import FACTS, folder_of
from ssl_bench.data.tables import standardize

NAME, FOLDER = 'internal_bleeding', 'KDD-TSAD_135'
FILE = '135_UCR_Anomaly_InternalBleeding16_TEST.csv'  # it begins with the points of the TRAIN file
TRAIN, VALIDATION = 960, 1_200  # points at which a part ends; the official training part has 1,200
STRIDES = {'train': 4, 'validation': 4, 'test': 8}  # points between the starts of two windows


class Windows(NamedTuple):
  """Windows float32 [N, length, 1], the points at which they begin, their numbers of anomalous points."""

  values: np.ndarray
  starts: np.ndarray
  anomalous: np.ndarray


def internal_bleeding() -> Dataset:
  """193 training, 13 validation and 739 test windows of 192 points, one channel; 23 windows of an anomaly.

  A period of the series has 183 points.  The official training part, which has no anomaly, gives the training
  windows and, from its end, those to validate; no window reaches into another part.  `anomaly_images` hold
  all 12 anomalous points, windows with a few of them are left out, and the others are the test part.  They
  overlap, so their number says little: there is one anomaly.  All are of one class, since nobody labeled them
  otherwise.

  Source: Keogh, Dutta Roy, Naik and Agrawal, Multi-dataset Time-Series Anomaly Detection Competition, SIGKDD
  2021, series 135 (InternalBleeding16), as in aeon.
  """
  facts = FACTS[NAME]
  length = facts.shape[0]
  values, labels = read_series(folder_of(NAME) / FOLDER / FILE)
  values = standardize(values[:, None], np.arange(TRAIN))
  ends = {'train': (0, TRAIN), 'validation': (TRAIN, VALIDATION), 'test': (VALIDATION, len(values))}
  cut = {part: windows(values, labels, *ends[part], length, STRIDES[part]) for part in ends}
  arrays: dict[str, Any] = {}
  for part, found in cut.items():
    normal = found.anomalous == 0
    arrays[f'{part}_images'] = found.values[normal]
    arrays[f'{part}_labels'] = np.zeros(normal.sum(), np.int32)
    arrays[f'{part}_index'] = found.starts[normal]
  arrays['anomaly_images'] = cut['test'].values[cut['test'].anomalous == labels.sum()]
  return Dataset(
    name=NAME,
    version=facts.version,
    classes=facts.classes,
    label_names=('normal',),
    fingerprint=fingerprint(arrays.items()),
    license=facts.license,
    kind='series',
    **arrays,
  )


def read_series(path: Path) -> tuple[np.ndarray, np.ndarray]:
  """Values float64 [points], and which points are anomalous, bool [points]."""
  with path.open(encoding='utf-8', newline='') as file:
    rows = list(csv.DictReader(file))
  return np.array([float(row['value']) for row in rows]), np.array([row['is_anomaly'] == '1' for row in rows])


def windows(
  values: np.ndarray, labels: np.ndarray, first: int, end: int, length: int, stride: int
) -> Windows:
  """The windows of `length` points that lie in [first, end), every `stride` points."""
  starts = np.arange(first, end - length + 1, stride, dtype=np.int32)
  points = starts[:, None] + np.arange(length)
  return Windows(values[points], starts, labels[points].sum(1))
