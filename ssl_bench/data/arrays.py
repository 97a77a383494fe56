"""A dataset is a tuple of uint8 images and int32 labels in three fixed parts, with a fingerprint."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np


class Dataset(NamedTuple):
  """One dataset under its fixed protocol: a training, a validation and a test part.

  Images are uint8 [N, H, W, C] (possibly memory-mapped, read-only), labels int32 [N] in 0 … classes - 1.
  `train_index` and `validation_index` are the parts' positions in the official training split,
  `test_index` those in the official test split (for digits: all three in scikit-learn's order).
  `unlabeled_images` is an official split without labels (STL-10), `folds` the official labeled subsets
  (STL-10: ten, as positions in `train_images`).
  """

  name: str
  version: str
  train_images: np.ndarray
  train_labels: np.ndarray
  validation_images: np.ndarray
  validation_labels: np.ndarray
  test_images: np.ndarray
  test_labels: np.ndarray
  classes: int
  label_names: tuple[str, ...]
  fingerprint: str
  train_index: np.ndarray
  validation_index: np.ndarray
  test_index: np.ndarray
  unlabeled_images: np.ndarray | None = None
  folds: tuple[np.ndarray, ...] | None = None
  license: str = ''

  @property
  def shape(self) -> tuple[int, int, int]:
    """(height, width, channels) of one image."""
    return self.train_images.shape[1:]

  @property
  def channels(self) -> int:
    return self.train_images.shape[-1]

  @property
  def n_train(self) -> int:
    return len(self.train_images)

  @property
  def n_unlabeled(self) -> int:
    """Images in the unlabeled stream: the training part, labeled images included, and the extra split."""
    return self.n_train + (0 if self.unlabeled_images is None else len(self.unlabeled_images))

  def stream_images(self) -> np.ndarray:
    """uint8 [n_unlabeled, H, W, C]: what the unlabeled stream's indices point at, `train_images` first."""
    if self.unlabeled_images is None:
      return self.train_images
    return np.concatenate([self.train_images, self.unlabeled_images])


def fingerprint(arrays: Iterable[tuple[str, np.ndarray]]) -> str:
  """sha256 (hex) of named arrays: name, dtype, shape and bytes of each, in the order given."""
  digest = hashlib.sha256()
  for name, array in arrays:
    array = np.ascontiguousarray(array)
    little = array.dtype.newbyteorder('<')
    digest.update(f'{name} {little.str} {array.shape}\n'.encode())
    digest.update(array.astype(little, copy=False).data)
  return digest.hexdigest()
