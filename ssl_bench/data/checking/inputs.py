"""Inputs and labels, looked at one by one: what is broken, and what is empty or uneven."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ssl_bench.data.checking.thumbnails import chunks

BLANK = 2.0  # gray levels: the standard deviation of a blank image is below
END = 0.99  # the share of pixels at one end of the scale, of which an image is saturated


class Counts(NamedTuple):
  """The labels of one part: how many of each class, int64 [classes], and what is out of range."""

  counts: np.ndarray
  outside: np.ndarray  # positions of labels that are not in 0 … classes - 1

  @property
  def missing(self) -> list[int]:
    """Classes of which there is none."""
    return np.flatnonzero(self.counts == 0).tolist()

  @property
  def imbalance(self) -> float:
    """The largest class over the smallest one that is there; 1 where all are of one size."""
    there = self.counts[self.counts > 0]
    return float(there.max() / there.min()) if len(there) else 1.0


def count_labels(labels: np.ndarray, classes: int) -> Counts:
  inside = (labels >= 0) & (labels < classes)
  return Counts(np.bincount(labels[inside], minlength=classes), np.flatnonzero(~inside))


def non_finite(inputs: np.ndarray) -> np.ndarray:
  """Positions of inputs [N, …] with a value that is NaN or infinite; none where values are whole numbers."""
  if not np.issubdtype(inputs.dtype, np.inexact):
    return np.zeros(0, np.int64)
  return _where(inputs, lambda rows: ~np.isfinite(rows).all(1))


def constant(inputs: np.ndarray) -> np.ndarray:
  """Positions of inputs [N, …] all of whose values, at least two, are the same."""
  return _where(inputs, lambda rows: (rows.shape[1] > 1) & (rows == rows[:, :1]).all(1))


def constant_columns(inputs: np.ndarray) -> np.ndarray:
  """The columns of inputs [N, D] that hold one value."""
  return np.flatnonzero((inputs == inputs[:1]).all(0)) if len(inputs) else np.zeros(0, np.int64)


def blank_images(images: np.ndarray) -> np.ndarray:
  """Positions of images [N, H, W, C], uint8, that are almost one color: deviation below `BLANK`."""

  def blank(rows: np.ndarray) -> np.ndarray:
    channels = rows.reshape(len(rows), -1, images.shape[-1]).astype(np.float32)
    return channels.std(1).max(1) < BLANK

  return _where(images, blank)


def saturated_images(images: np.ndarray) -> np.ndarray:
  """Positions of images [N, H, W, C], uint8, that have `END` of their values at 0 or at 255, and not all."""

  def saturated(rows: np.ndarray) -> np.ndarray:
    share = np.maximum((rows == 0).mean(1), (rows == 255).mean(1))
    return (share >= END) & (share < 1)

  return _where(images, saturated)


def broken(inputs: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray], classes: int) -> list[str]:
  """A clause for each fault with which no trial can run; both mappings are by part."""
  found = []
  for part, array in inputs.items():
    if len(bad := non_finite(array)):
      found.append(f'{len(bad):,} of {len(array):,} {part} inputs are not finite (the first at {bad[0]})')
    elif len(array) > 1 and (array == array[:1]).all():
      found.append(f'all {len(array):,} {part} inputs are equal')
  for part, given in labels.items():
    counted = count_labels(given, classes)
    if len(bad := counted.outside):
      found.append(
        f'{len(bad):,} {part} labels are not in 0 to {classes - 1} (the first: {given[bad[0]]} at {bad[0]})'
      )
    elif part == 'train' and np.count_nonzero(counted.counts) == 1 < classes:
      found.append(f'all train labels are {int(given[0])}')
  return found


def _where(inputs: np.ndarray, is_so) -> np.ndarray:
  found = [np.zeros(0, np.int64)]
  for part in chunks(len(inputs)):
    rows = np.asarray(inputs[part])
    found.append(np.flatnonzero(is_so(rows.reshape(len(rows), -1))) + part.start)
  return np.concatenate(found)
