"""Stores a set: its arrays and meta.json in an empty folder, room for them taken beforehand."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ssl_bench.data.adding.parts import Divided
from ssl_bench.data.arrays import fingerprint
from ssl_bench.data.meta import META, PARTS, Added, Meta, Sizes
from ssl_bench.settings.plural import count
from ssl_bench.settings.signature import BadSetting

ROWS = 1024  # images that are copied at once
SPARE = 16 << 20  # bytes beside the images


def check_room(folder: Path, images: int, shape: tuple[int, int, int]) -> None:
  """Raises `BadSetting` where the disk lacks the room: the images lie there twice until all is written."""
  needed = 2 * images * int(np.prod(shape)) + SPARE
  free = shutil.disk_usage(folder).free
  if free < needed:
    raise BadSetting(
      f'{count(images, "image")} of {"×".join(map(str, shape))} need {needed / 1e9:.1f} GB in {folder}, and '
      f'{free / 1e9:.1f} GB are free; choose a smaller --size, or set SSL_BENCH_DATA to another folder.'
    )


def empty_images(path: Path, number: int, shape: tuple[int, int, int]) -> np.memmap:
  """A memory-mapped .npy file of uint8 images whose room on the disk is taken.

  Raises `OSError` where there is none, since a write to a mapped file would end the process.
  """
  array = np.lib.format.open_memmap(path, mode='w+', dtype=np.uint8, shape=(number, *shape))
  with path.open('rb+') as file:
    os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
  return array


def write_set(
  folder: Path, pixels: np.ndarray, divided: Divided, added: Added, version: str | None = None
) -> Meta:
  """Writes all files of a set into an empty folder.

  Args:
    folder: where they go.
    pixels: all images, uint8 [N, H, W, C], at the positions that `divided` names.
    divided: the parts.
    added: how the set came about.
    version: by default the first 8 digits of the fingerprint.
  """
  shape = tuple(map(int, pixels.shape[1:]))
  arrays: dict[str, np.ndarray] = {}
  parts, labels = divided.parts, divided.labels
  official = {'train': 0, 'validation': len(parts['train']), 'test': 0}
  for part in PARTS:
    arrays[f'{part}_images'] = _copy(folder / f'{part}_images.npy', pixels, parts[part])
    arrays[f'{part}_labels'] = labels[parts[part]].astype(np.int32)
    first = official[part]
    arrays[f'{part}_index'] = np.arange(first, first + len(parts[part]), dtype=np.int32)
    for key in ('labels', 'index'):
      _save(folder / f'{part}_{key}.npy', arrays[f'{part}_{key}'])
  if len(parts['unlabeled']):
    arrays['unlabeled_images'] = _copy(folder / 'unlabeled_images.npy', pixels, parts['unlabeled'])
  identity = fingerprint(arrays.items())
  meta = Meta(
    version=version or identity[:8],
    classes=len(divided.classes),
    label_names=divided.classes,
    sizes=Sizes(**{part: len(index) for part, index in parts.items()}),
    shape=(shape[0], shape[1], shape[2]),
    fingerprint=identity,
    folds=0,
    added=added,
  )
  write_meta(folder, meta.model_dump(exclude_none=True))
  return meta


def write_meta(folder: Path, tree: Mapping) -> None:
  """Writes meta.json to the disk, the last of a set's files."""
  with (folder / META).open('wb') as file:
    file.write(json.dumps(tree, indent=1).encode())
    file.flush()
    os.fsync(file.fileno())


def _copy(path: Path, pixels: np.ndarray, index: np.ndarray) -> np.ndarray:
  array = empty_images(path, len(index), (pixels.shape[1], pixels.shape[2], pixels.shape[3]))
  for start in range(0, len(index), ROWS):
    array[start : start + ROWS] = pixels[index[start : start + ROWS]]
  array.flush()
  return array


def _save(path: Path, array: np.ndarray) -> None:
  with path.open('wb') as file:
    np.save(file, array)
    file.flush()
    os.fsync(file.fileno())
