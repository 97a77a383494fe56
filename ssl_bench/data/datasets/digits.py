"""`digits`, the bundled default: scikit-learn's 1,797 real images of 8×8 pixels, without a download."""

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
  from sklearn.datasets import load_digits

  raw = load_digits()
  images = np.rint(raw.images * (255 / 16)).astype(np.uint8)[..., None]
  labels = raw.target.astype(np.int32)
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
