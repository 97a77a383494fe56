"""Readers of the official files: each yields (key, example) with the keys and fields of TFDS.

Images are uint8 [H, W, C]; nothing is extracted to disk.
"""

import gzip
import lzma
import pickle
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

Example = tuple[int, dict[str, Any]]


def open_any(path: Path) -> BinaryIO:
  """The decompressed content of a plain, .gz or .xz file."""
  openers: dict[str, Any] = {'.gz': gzip.open, '.xz': lzma.open}
  return openers.get(path.suffix, open)(path, 'rb')


def read_idx(path: Path) -> np.ndarray:
  """An idx file of unsigned bytes (LeCun et al., MNIST page): two zeros, type 8, rank, big-endian sizes."""
  with open_any(path) as file:
    magic = file.read(4)
    if magic[:3] != b'\x00\x00\x08':
      raise ValueError(f'{path.name} does not begin like an idx file of bytes')
    shape = np.frombuffer(file.read(4 * magic[3]), '>u4').astype(int)
    return np.frombuffer(file.read(), np.uint8).reshape(shape)


def idx_examples(images: Path, labels: Path) -> Iterator[Example]:
  for key, (image, label) in enumerate(zip(read_idx(images)[..., None], read_idx(labels), strict=True)):
    yield key, {'image': image, 'label': int(label)}


def cifar_examples(blocks: Iterable[bytes], label_keys: tuple[str, ...], prefix: str) -> Iterator[Example]:
  """Rows of one byte a label and 3,072 bytes an image, planes first (CIFAR page, binary version)."""
  width = len(label_keys)
  key = 0
  for block in blocks:
    for row in np.frombuffer(block, np.uint8).reshape(-1, width + 3072):
      labels = dict(zip(label_keys, map(int, row[:width])))
      image = row[width:].reshape(3, 32, 32).transpose(1, 2, 0)
      yield key, labels | {'id': f'{prefix}{key:05d}', 'image': image}
      key += 1


def unpickled(path: Path) -> dict[bytes, Any]:
  """The content of a file of CIFAR's version for Python; only for a file whose checksum is right."""
  return pickle.loads(path.read_bytes(), encoding='bytes')


def cifar100_rows(part: dict[bytes, Any]) -> bytes:
  """A part of CIFAR-100's version for Python as the binary version has it: two labels, then planes."""
  labels = np.array([part[b'coarse_labels'], part[b'fine_labels']], np.uint8).T
  return np.concatenate([labels, part[b'data']], axis=1).tobytes()


def svhn_examples(path: Path, prefix: str) -> Iterator[Example]:
  """A MATLAB file: X uint8 [32, 32, 3, N], y [N, 1] in 1 … 10, where 10 is the digit 0."""
  from scipy.io import loadmat

  content = loadmat(str(path))
  for key, label in enumerate(content['y'].ravel()):
    yield key, {'image': content['X'][..., key], 'label': int(label) % 10, 'id': f'{prefix}{key:06d}'}


def stl10_images(block: bytes) -> np.ndarray:
  """uint8 [N, 96, 96, 3] from planes first, each plane column by column (STL-10 page)."""
  return np.frombuffer(block, np.uint8).reshape(-1, 3, 96, 96).transpose(0, 3, 2, 1)


def stl10_examples(images: bytes, labels: bytes) -> Iterator[Example]:
  for key, (image, label) in enumerate(zip(stl10_images(images), labels, strict=True)):
    yield key, {'image': image, 'label': label - 1}


def stl10_unlabeled(archive: Path, member: str) -> Iterator[Example]:
  """The 100,000 images without a label (2.8 GB), one at a time out of the archive."""
  size = 3 * 96 * 96
  with tarfile.open(archive, 'r|*') as tar:
    for entry in tar:
      if entry.name == member and (file := tar.extractfile(entry)):
        for key in range(entry.size // size):
          yield key, {'image': stl10_images(file.read(size))[0], 'label': -1}


def members(archive: Path, names: Iterable[str]) -> dict[str, bytes]:
  """The content of the named files of a tar archive, read in one pass."""
  wanted, found = set(names), {}
  with tarfile.open(archive, 'r|*') as tar:
    for entry in tar:
      if entry.name in wanted and (file := tar.extractfile(entry)):
        found[entry.name] = file.read()
  if absent := sorted(wanted - found.keys()):
    raise ValueError(f'{archive.name} has no {absent[0]}')
  return found
