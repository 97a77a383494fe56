"""Decodes TFDS' records once, into uint8 arrays on disk, cut into the protocol's parts."""

import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ssl_bench.data.arrays import fingerprint
from ssl_bench.data.builders import FOLDS_FILE, image_digest
from ssl_bench.data.meta import META, PARTS, Meta, Sizes
from ssl_bench.data.sources import Source, check_prepared, prepared_folder, source_of
from ssl_bench.data.split import cut

CHUNK = 1000
Progress = Callable[[str], None]


def decode(name: str, root: Path, folder: Path, progress: Progress = lambda text: None) -> None:
  """Writes the parts of `name`, prepared below `root`, into the empty `folder`.

  Raises `ValueError` for a label that is not in 0 … classes - 1.
  """
  import tensorflow_datasets as tfds

  check_prepared(name, root)
  source = source_of(name)
  versioned, raw = f'{name}:{source.version}', {'image': tfds.decode.SkipDecoding()}
  splits = tfds.data_source(versioned, data_dir=str(root), download=False, decoders=raw)
  images, labels = _in_memory(splits['train'], source, progress)
  validation, train = cut(
    labels, [source.validation], salt=f'{name} {source.version} validation', classes=source.classes
  )
  arrays = {
    'train_images': images[train],
    'train_labels': labels[train],
    'train_index': train,
    'validation_images': images[validation],
    'validation_labels': labels[validation],
    'validation_index': validation,
  }
  arrays['test_images'], arrays['test_labels'] = _in_memory(splits['test'], source, progress)
  arrays['test_index'] = np.arange(len(arrays['test_labels']), dtype=np.int32)
  folds = _read_folds(prepared_folder(name, root) / FOLDS_FILE, images, train)
  arrays |= {f'fold_{i}': fold for i, fold in enumerate(folds)}
  for key, array in arrays.items():
    _save(folder / f'{key}.npy', array)
  if source.unlabeled:
    arrays['unlabeled_images'] = _on_disk(splits['unlabelled'], source.shape, folder, progress)
  sizes = {part: len(arrays[f'{part}_index']) for part in PARTS}
  meta = Meta(
    version=source.version,
    classes=source.classes,
    label_names=tuple(tfds.builder(versioned, data_dir=str(root)).info.features['label'].names),
    sizes=Sizes(**sizes | {'unlabeled': len(arrays.get('unlabeled_images', ()))}),
    shape=source.shape,
    fingerprint=fingerprint(arrays.items()),
    folds=len(folds),
  )
  _write(folder / META, json.dumps(meta.model_dump(exclude_none=True), indent=1).encode())


def _in_memory(split: Sequence, source: Source, progress: Progress) -> tuple[np.ndarray, np.ndarray]:
  images = np.empty((len(split), *source.shape), np.uint8)
  labels = np.empty(len(split), np.int32)
  _fill(split, images, labels, progress)
  if beyond := set(labels[(labels < 0) | (labels >= source.classes)].tolist()):
    raise ValueError(f'a label of {min(beyond)} in a set of {source.classes} classes')
  return images, labels


def _on_disk(source: Sequence, shape: tuple[int, ...], folder: Path, progress: Progress) -> np.ndarray:
  path = folder / 'unlabeled_images.npy'
  images = np.lib.format.open_memmap(path, mode='w+', dtype=np.uint8, shape=(len(source), *shape))
  _fill(source, images, None, progress)
  images.flush()
  return images


def _fill(source: Any, images: np.ndarray, labels: np.ndarray | None, progress: Progress) -> None:
  """Decodes into `images` and `labels`, in threads and in the order of the records."""
  from PIL import Image

  def fill_chunk(start: int) -> int:
    stop = min(start + CHUNK, len(source))
    for i, example in zip(range(start, stop), source.__getitems__(list(range(start, stop)))):
      images[i] = np.asarray(Image.open(io.BytesIO(example['image']))).reshape(images.shape[1:])
      if labels is not None:
        labels[i] = example['label']
    return stop

  with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
    for done in pool.map(fill_chunk, range(0, len(source), CHUNK)):
      progress(f'decoded {done:,} of {len(source):,} images')


def _read_folds(file: Path, images: np.ndarray, train: np.ndarray) -> list[np.ndarray]:
  """The official folds as ascending positions in the training part, validation images left out."""
  if not file.is_file():
    return []
  saved = json.loads(file.read_text(encoding='utf-8'))
  places: dict[str, list[int]] = {}
  for place, image in enumerate(images):
    places.setdefault(image_digest(image), []).append(place)
  official = [places[digest].pop(0) for digest in saved['sha256']]  # official position -> TFDS position
  in_part = np.full(len(images), -1, np.int32)
  in_part[train] = np.arange(len(train), dtype=np.int32)
  folds = [in_part[[official[i] for i in fold]] for fold in saved['folds']]
  return [np.sort(fold[fold >= 0]) for fold in folds]


def save_all(folder: Path, arrays: Mapping[str, np.ndarray], meta: Meta) -> None:
  """Writes the arrays and meta.json of a decoded set into an empty folder."""
  for key, array in arrays.items():
    _save(folder / f'{key}.npy', array)
  _write(folder / META, json.dumps(meta.model_dump(exclude_none=True), indent=1).encode())


def _save(path: Path, array: np.ndarray) -> None:
  with path.open('wb') as file:
    np.save(file, array)
    file.flush()
    os.fsync(file.fileno())


def _write(path: Path, content: bytes) -> None:
  with path.open('wb') as file:
    file.write(content)
    file.flush()
    os.fsync(file.fileno())
