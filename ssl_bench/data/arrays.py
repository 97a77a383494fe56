"""`Dataset`: uint8 images and int32 labels in three fixed parts, and the fingerprint of their bytes."""

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, Optional

import numpy as np

if TYPE_CHECKING:
  from ssl_bench.kinds.graph import Graph  # which imports jax


class Dataset(NamedTuple):
  """One dataset under its fixed protocol: a training, a validation and a test part.

  Images are uint8 [N, H, W, C] (possibly memory-mapped, read-only), labels int32 [N] in 0 … classes - 1.
  Where `kind` is tokens, an "image" is a text: its tokens (`data.text`), uint8 [length, 1, 1].
  `train_index` and `validation_index` are the parts' positions in the official training split,
  `test_index` those in the official test split (for digits: all three in scikit-learn's order).
  `unlabeled_images` is an official split without labels (STL-10), `folds` the official labeled subsets
  (STL-10: ten, as positions in `train_images`).

  Stressed data (`data.stress`) have further arrays: `stream` holds the positions of the unlabeled stream's
  images in `stream_images()`; `noisy_labels` [N] replace `train_labels`, and `shifted_images` the images, in
  training.  None of them changes the data that are evaluated.

  `captions` and `test_captions` describe the training and the test images, uint8 [N, K, L]: K texts an image,
  each as tokens (`data.text`).  `prompts`, uint8 [classes, P, L], name the classes in phrasings that no
  caption uses.  Captions are written from labels, so a method that reads them sees all labels.

  `anomaly_images` are test images of what the training part has none of; only the measures of anomalies see
  them.  `unknown_images` are, under the stress `mismatch`, test images of classes without labels; only the
  measures of the open set see them.

  Where `kind` is graph, an "image" is a node: its position in `graph`, int32 [].  Training is transductive:
  it sees the features and the edges of all nodes, so `unlabeled_images` holds the nodes of the validation and
  the test part too, whose labels stay hidden.

  Where `kind` is series, an "image" is float32 [length, channels].  Where it is table, it is a row, float32
  [values]: `columns` says how many values each column has, 1 for a number and else one a category (`kinds`).
  Both are standardized by the training part where the dataset is made, so the fingerprint covers it.

  Where it is audio, an "image" is a clip at 8,000 Hz, int16 [samples] (`kinds.audio`).

  Examples may come from groups, such as speakers: `train_groups`, `validation_groups` and `test_groups`,
  int32 [N], are positions in `group_names`.  The stress `held_out` tests on a group that training never sees.
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
  stream: np.ndarray | None = None
  noisy_labels: np.ndarray | None = None
  shifted_images: np.ndarray | None = None
  kind: str = 'image'
  captions: np.ndarray | None = None
  test_captions: np.ndarray | None = None
  prompts: np.ndarray | None = None
  graph: Optional['Graph'] = None
  columns: tuple[int, ...] | None = None
  anomaly_images: np.ndarray | None = None
  unknown_images: np.ndarray | None = None
  train_groups: np.ndarray | None = None
  validation_groups: np.ndarray | None = None
  test_groups: np.ndarray | None = None
  group_names: tuple[str, ...] = ()

  @property
  def shape(self) -> tuple[int, ...]:
    """(height, width, channels) of one image; (features,) of a node; else that of an example as stored."""
    return self.train_images.shape[1:] if self.graph is None else (self.graph.width,)

  @property
  def channels(self) -> int:
    return self.shape[-1]

  @property
  def n_train(self) -> int:
    return len(self.train_images)

  @property
  def n_unlabeled(self) -> int:
    """Images in the unlabeled stream: the training part, with its labeled images, and the extra split."""
    return self.n_images if self.stream is None else len(self.stream)

  @property
  def n_images(self) -> int:
    """Images that training may see: the training part and the extra split."""
    return self.n_train + (0 if self.unlabeled_images is None else len(self.unlabeled_images))

  @property
  def given_labels(self) -> np.ndarray:
    """int32 [N]: the labels from which training draws those of its labeled images."""
    return self.train_labels if self.noisy_labels is None else self.noisy_labels

  def hidden_labels(self) -> np.ndarray:
    """int32 [n_unlabeled]: the true labels of the unlabeled stream's images, -1 where they are unknown."""
    extra = np.full(self.n_images - self.n_train, -1, np.int32)
    labels = np.concatenate([self.train_labels.astype(np.int32), extra])
    return labels if self.stream is None else labels[self.stream]

  def stream_images(self) -> np.ndarray:
    """uint8 [n_images, H, W, C]: the images that training sees, the training part first."""
    if self.shifted_images is not None:
      return self.shifted_images
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
