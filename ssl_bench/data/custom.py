"""A dataset of one's own: made of images and labels, and checked before it is used."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from ssl_bench.data.arrays import Dataset, fingerprint
from ssl_bench.data.meta import PARTS
from ssl_bench.kinds import KINDS, SIZES
from ssl_bench.plugins.blame import blame
from ssl_bench.settings.signature import BadSetting, short

Part = tuple[np.ndarray, np.ndarray]  # images, labels
MADE = ('image', 'tokens', 'series', 'table', 'audio')  # kinds that `from_parts` makes


def from_parts(
  name: str,
  train: Part,
  validation: Part,
  test: Part,
  *,
  classes: int,
  label_names: Sequence[str] = (),
  version: str = '1.0.0',
  license: str = '',
  unlabeled: np.ndarray | None = None,
  kind: Literal['image', 'tokens', 'series', 'table', 'audio'] = 'image',
  columns: Sequence[int] | None = None,
) -> Dataset:
  """A `Dataset` of three parts, with the fingerprint of its arrays as its identity.

  A plugin's dataset, the whole of `shapes.py`, is for example:

      import numpy as np
      from ssl_bench.data.custom import from_parts

      def shapes():
        images = np.load('shapes.npz')
        parts = [(images[f'{p}_x'], images[f'{p}_y']) for p in ('train', 'validation', 'test')]
        return from_parts('shapes', *parts, classes=3, license='CC0')

      PLUGINS = {'datasets': [shapes]}

  Args:
    name: by which a config asks for it.
    train, validation, test: images uint8 [N, H, W, C], C 1 or 3, and labels [N] in 0 … classes - 1.  Choose
      the parts once: they are the protocol of the set.
    classes: how many there are.
    label_names: by default the numbers.
    version: a new one for other images; the fingerprint tells them apart in any case.
    license: of the images.
    unlabeled: further images without labels, uint8 [N, H, W, C].
    kind: 'tokens' where an image is a text (`data.text`), uint8 [N, length, 1, 1]; 'series' for float32 [N,
      length, channels]; 'table' for rows, float32 [N, values], which `data.tables` makes of columns;
      'audio' for clips at 8,000 Hz, int16 [N, samples].
    columns: of a table, how many values each column has; by default one, for a number.
  """
  if kind == 'table' and columns is None:
    columns = (1,) * np.asarray(train[0]).shape[-1]
  arrays: dict[str, Any] = {}
  start = 0
  for part, (images, labels) in zip(PARTS, (train, validation, test)):
    if not np.issubdtype(np.asarray(labels).dtype, np.integer):
      raise BadSetting(f'{part}_labels of {name} must be whole numbers, not {np.asarray(labels).dtype}.')
    first = 0 if part == 'test' else start
    start += len(labels)
    arrays[f'{part}_images'] = np.asarray(images)
    arrays[f'{part}_labels'] = np.asarray(labels).astype(np.int32)
    arrays[f'{part}_index'] = np.arange(first, first + len(labels), dtype=np.int32)
  if unlabeled is not None:
    arrays['unlabeled_images'] = np.asarray(unlabeled)
  given = {} if columns is None else {'columns': np.asarray(columns, np.int32)}
  return Dataset(
    name=name,
    version=version,
    classes=classes,
    label_names=tuple(label_names) or tuple(map(str, range(classes))),
    fingerprint=fingerprint((arrays | given).items()),
    license=license,
    kind=kind,
    columns=None if columns is None else tuple(columns),
    **arrays,
  )


def make_custom(factory: Callable[[], Any], name: str, origin: str) -> Dataset:
  """What a plugin's function makes; raises `BadSetting` where it fails or makes no sound `Dataset`."""
  where = f'The dataset {name!r} of {origin}'
  with blame('datasets', name):
    data = factory()
  if not isinstance(data, Dataset):
    raise BadSetting(f'{where} must be a Dataset, not a value of type {type(data).__name__}.')
  if wrong := fault(data, name):
    raise BadSetting(f'{where} is broken: {wrong}.')
  return data


def fault(data: Dataset, name: str) -> str | None:
  """What is wrong with a dataset that should have that name, in one clause; of images it reads no pixel."""
  if data.name != name:
    return f'it calls itself {short(data.name)}; make its name that of its function'
  if len(data.label_names) != data.classes:
    return f'it has {len(data.label_names)} label_names and {data.classes} classes'
  if not (isinstance(data.fingerprint, str) and len(data.fingerprint) == 64):
    return 'its fingerprint must be that of its arrays, data.arrays.fingerprint'
  if data.kind not in MADE:
    return f'its kind must be one of {", ".join(MADE)}, not {short(data.kind)}'
  rank, stored = KINDS[data.kind].rank, KINDS[data.kind].stored
  if data.kind == 'table' and sum(data.columns or ()) != data.train_images.shape[-1]:
    return f'its columns have {sum(data.columns or ())} values, and a row has {data.train_images.shape[-1]}'
  for part in PARTS:
    images, labels, index = (getattr(data, f'{part}_{what}') for what in ('images', 'labels', 'index'))
    if images.ndim != rank + 1 or images.dtype != stored or images.shape[1:] != data.shape:
      said = f'{images.dtype} {list(images.shape)}'
      return f'{part}_images must be {stored} {SIZES[rank]} of one size, not {said}'
    if stored == 'float32' and not np.isfinite(images).all():
      return f'{part}_images hold a number that is not finite; fill in what is missing'
    if (
      labels.dtype != np.int32 or index.dtype != np.int32 or not len(images) == len(labels) == len(index) > 0
    ):
      return (
        f'{part}_labels and {part}_index must be int32, one for each of its images, of which there are some'
      )
    if labels.min() < 0 or labels.max() >= data.classes:
      return f'{part}_labels must be in 0 to {data.classes - 1}'
  if np.isin(data.train_index, data.validation_index).any():
    return 'train_index and validation_index share a position'
  extra = data.unlabeled_images
  if extra is not None:
    if extra.dtype != stored or extra.shape[1:] != data.shape:
      said = f'{extra.dtype} {list(extra.shape)}'
      return f'unlabeled_images must be {stored} of the size of the others, not {said}'
    if stored == 'float32' and not np.isfinite(extra).all():
      return 'unlabeled_images hold a number that is not finite; fill in what is missing'
  return None
