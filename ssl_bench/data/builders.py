"""TFDS' official builders without TensorFlow: the same names, versions, checksums and records.

Each builder is a subclass of the official class.  It reads the official files in Python and passes PNG bytes
to TFDS, where the official class extracts and encodes with TensorFlow.
"""

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ssl_bench.data import formats
from ssl_bench.data.files import Official
from ssl_bench.data.formats import Example

FOLDS_FILE = 'folds.json'
CIFAR10_TRAIN = tuple(f'data_batch_{i}.bin' for i in range(1, 6))
# As batches.meta.txt of the archive has them.
CIFAR10_NAMES = ('airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck')
STL10 = 'stl10_binary'

Splits = dict[str, Iterable[Example]]


def make_builder(
  name: str, root: Path, expected: Mapping[str, Official], local: Mapping[str, Path] | None = None
) -> Any:
  """A `tfds.core.DatasetBuilder` for `name` that writes below `root`.

  `expected` are the files that TFDS downloads and checks; `local` are verified paths to read instead.
  """
  import tensorflow_datasets as tfds

  official: Any = tfds.builder_cls(name)
  urls = {file: entry.url for file, entry in expected.items()}
  infos = {
    entry.url: tfds.download.checksums.UrlInfo(entry.size, entry.sha256, file)
    for file, entry in expected.items()
  }

  def split_generators(self: Any, downloads: Any) -> Splits:
    files = {file: Path(path) for file, path in (local or downloads.download(urls)).items()}
    splits = READERS[name](self, files)
    return {split: _encoded(examples) for split, examples in splits.items()}

  body = {
    'name': name,
    'pkg_dir_path': official.pkg_dir_path,
    'url_infos': infos,
    '_split_generators': split_generators,
    '__module__': __name__,
  }
  return type(f'{official.__name__}InPython', (official,), body, skip_registration=True)(data_dir=str(root))


def png(image: np.ndarray) -> bytes:
  """uint8 [H, W, 1 or 3] as a lossless PNG file."""
  from PIL import Image

  pixels = image[..., 0] if image.shape[-1] == 1 else image
  file = io.BytesIO()
  Image.fromarray(np.ascontiguousarray(pixels)).save(file, format='PNG', compress_level=1)
  return file.getvalue()


def _encoded(examples: Iterable[Example]) -> Iterator[Example]:
  for key, example in examples:
    yield key, example | {'image': png(example['image'])}


def _idx(builder: Any, files: Mapping[str, Path]) -> Splits:
  def examples(part: str) -> Iterator[Example]:
    images, labels = files[f'{part}-images-idx3-ubyte.gz'], files[f'{part}-labels-idx1-ubyte.gz']
    return formats.idx_examples(images, labels)

  return {'train': examples('train'), 'test': examples('t10k')}


def _cifar10(builder: Any, files: Mapping[str, Path]) -> Splits:
  if CIFAR10_TRAIN[0] in files:  # extracted
    builder.info.features['label'].names = CIFAR10_NAMES
    blocks = {file: path.read_bytes() for file, path in files.items()}
    return _cifar_splits([blocks[file] for file in CIFAR10_TRAIN], blocks['test_batch.bin'], ('label',))
  archive, folder = files['cifar-10-binary.tar.gz'], 'cifar-10-batches-bin'
  return _cifar(builder, archive, folder, {'label': 'batches.meta.txt'}, CIFAR10_TRAIN, 'test_batch.bin')


def _cifar100(builder: Any, files: Mapping[str, Path]) -> Splits:
  if 'meta' in files:  # extracted from the version for Python
    names, *parts = (formats.unpickled(files[file]) for file in ('meta', 'train', 'test'))
    for key, listed in (('coarse_label', b'coarse_label_names'), ('label', b'fine_label_names')):
      builder.info.features[key].names = [name.decode() for name in names[listed]]
    train, test = map(formats.cifar100_rows, parts)
    return _cifar_splits([train], test, ('coarse_label', 'label'))
  archive, folder = files['cifar-100-binary.tar.gz'], 'cifar-100-binary'
  labels = {'coarse_label': 'coarse_label_names.txt', 'label': 'fine_label_names.txt'}
  return _cifar(builder, archive, folder, labels, ('train.bin',), 'test.bin')


def _cifar(
  builder: Any, archive: Path, folder: str, labels: Mapping[str, str], train: tuple[str, ...], test: str
) -> Splits:
  content = formats.members(archive, [f'{folder}/{file}' for file in (*labels.values(), *train, test)])
  for key, file in labels.items():
    builder.info.features[key].names = content[f'{folder}/{file}'].decode().split()
  blocks = [content[f'{folder}/{file}'] for file in train]
  return _cifar_splits(blocks, content[f'{folder}/{test}'], tuple(labels))


def _cifar_splits(train: Iterable[bytes], test: bytes, labels: tuple[str, ...]) -> Splits:
  return {
    'train': formats.cifar_examples(train, labels, 'train_'),
    'test': formats.cifar_examples([test], labels, 'test_'),
  }


def _svhn(builder: Any, files: Mapping[str, Path]) -> Splits:
  return {
    split: formats.svhn_examples(files[f'{split}_32x32.mat'], f'{split}_')
    for split in ('train', 'test', 'extra')
  }


def _stl10(builder: Any, files: Mapping[str, Path]) -> Splits:
  archive = files['stl10_binary.tar.gz']
  parts = ('class_names.txt', 'fold_indices.txt', 'train_X.bin', 'train_y.bin', 'test_X.bin', 'test_y.bin')
  content = formats.members(archive, [f'{STL10}/{part}' for part in parts])
  names, folds, train, train_labels, test, test_labels = (content[f'{STL10}/{part}'] for part in parts)
  builder.info.features['label'].names = names.decode().split()
  _write_folds(Path(builder.data_dir), folds, train)
  return {
    'train': formats.stl10_examples(train, train_labels),
    'test': formats.stl10_examples(test, test_labels),
    'unlabelled': formats.stl10_unlabeled(archive, f'{STL10}/unlabeled_X.bin'),
  }


def _write_folds(folder: Path, folds: bytes, train: bytes) -> None:
  """Keeps STL-10's folds and the digest of each image: TFDS drops the folds and shuffles the images."""
  digests = [image_digest(image) for image in formats.stl10_images(train)]
  rows = [[int(index) for index in line.split()] for line in folds.decode().splitlines() if line.strip()]
  (folder / FOLDS_FILE).write_text(json.dumps({'folds': rows, 'sha256': digests}), encoding='utf-8')


def image_digest(image: np.ndarray) -> str:
  return hashlib.sha256(np.ascontiguousarray(image).data).hexdigest()


READERS = {
  'mnist': _idx,
  'fashion_mnist': _idx,
  'kmnist': _idx,
  'cifar10': _cifar10,
  'cifar100': _cifar100,
  'svhn_cropped': _svhn,
  'stl10': _stl10,
}
