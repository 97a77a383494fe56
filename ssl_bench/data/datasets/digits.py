"""`digits`, the bundled default: scikit-learn's 1,797 real images of 8×8 pixels, without a download."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ssl_bench.data.arrays import Dataset, fingerprint
from ssl_bench.data.split import cut

VERSION = '1.0.0'
SIZES = {'train': 1197, 'validation': 200, 'test': 400}
LICENSE = 'CC BY 4.0'


def digits() -> Dataset:
  """1,197 training, 200 validation (20 a class) and 400 test images (40 a class), uint8 [N, 8, 8, 1].

  The 17 gray levels 0 … 16 are scaled to 0 … 255 and rounded.  The parts are fixed by a hash and depend
  on no seed.  Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits (UCI, 1998), test
  set, as in `sklearn.datasets.load_digits`.
  """
  rows = _read()
  images = np.rint(rows[:, :-1].reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
  labels = rows[:, -1].astype(np.int32)
  test, validation, train = cut(
    labels, [SIZES['test'], SIZES['validation']], salt=f'digits {VERSION}', classes=10
  )
  arrays: dict[str, Any] = {}
  for part, index in [('train', train), ('validation', validation), ('test', test)]:
    arrays |= {f'{part}_images': images[index], f'{part}_labels': labels[index], f'{part}_index': index}
  return Dataset(
    name='digits',
    version=VERSION,
    classes=10,
    label_names=tuple(map(str, range(10))),
    fingerprint=fingerprint(arrays.items()),
    license=LICENSE,
    **arrays,
  )


def _read() -> np.ndarray:
  """float64 [1797, 65]: 64 gray levels and a label a row, from scikit-learn's file.

  The package is found and not imported, which takes a second: a board of records only asks whether the
  images are still those that were trained on.
  """
  spec = find_spec('sklearn')
  assert spec is not None and spec.origin is not None, 'scikit-learn comes with the installation'
  return np.loadtxt(Path(spec.origin).parent / 'datasets/data/digits.csv.gz', delimiter=',')
