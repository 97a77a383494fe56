"""Examples of one data set in the form of another's, so that a network for these reads those."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ssl_bench.data.arrays import Dataset
from ssl_bench.data.checking.thumbnails import chunks, gray
from ssl_bench.data.text import PAD
from ssl_bench.kinds import kind_of
from ssl_bench.settings.signature import BadSetting


def check_conform(other: Dataset, like: Dataset, setting: str) -> None:
  """Raises `BadSetting`, which names the setting, where examples of `other` cannot be brought to `like`."""
  here, there = kind_of(like.kind), kind_of(other.kind)
  why = ''
  if here != there:
    why = f'{other.name} has {there.plural}, and {like.name} has {here.plural}'
  elif here.name == 'graph':
    why = f'a network on a graph reads the nodes of its own graph alone, here {like.name}'
  elif here.name == 'series' and other.channels != like.channels:
    why = f'{other.name} has series of {other.channels} channels, and {like.name} of {like.channels}'
  elif here.name == 'table' and other.columns != like.columns:
    why = f'the rows of {other.name} have other columns than those of {like.name}'
  if why:
    raise BadSetting(f'{setting}: {why}; leave {other.name} out.')


def conform(examples: np.ndarray, like: Dataset) -> np.ndarray:
  """Examples [N, …] as they are stored, in the shape of those of `like`; a pair that `check_conform` lets by.

  * Images: colors become luma (ITU-R 601-2), gray becomes three equal channels; then the height and the width
    are stretched, each for itself, by Pillow's bilinear filter, which is antialiased where it shrinks.
  * Series: the length by linear interpolation, the first and the last point staying where they are.
  * Tokens and sounds: what is too long loses its end, what is too short gets padding or silence behind it.
  * Rows of a table: as they are.

  What has the shape already stays as it is.

  Example:
    >>> from ssl_bench import data
    >>> conform(np.full((2, 28, 28, 3), 80, 'uint8'), data.load('digits')).shape
    (2, 8, 8, 1)
  """
  shape = tuple(like.train_images.shape[1:])
  if examples.shape[1:] == shape or not len(examples):
    return examples if len(examples) else np.empty((0, *shape), like.train_images.dtype)
  if like.kind == 'image':
    return _images(examples, shape)
  return _series(examples, shape[0]) if like.kind == 'series' else _cut_or_padded(examples, shape[0])


def _images(images: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
  height, width, channels = shape
  found = np.empty((len(images), *shape), np.uint8)

  def fill(part: slice) -> None:
    own = np.asarray(images[part])
    if channels == 1:
      own = gray(own)[..., None]
    for i, image in enumerate(own, part.start):
      found[i] = _stretched(image, height, width)

  with ThreadPoolExecutor(4) as pool:  # Pillow leaves the interpreter to others while it resizes
    list(pool.map(fill, chunks(len(images))))
  return found


def _stretched(image: np.ndarray, height: int, width: int) -> np.ndarray:
  """uint8 [height, width, 1 or 3] of an image [H, W, 1 or 3]."""
  if image.shape[:2] == (height, width):
    return image
  from PIL import Image

  picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
  pixels = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))
  return pixels.reshape(height, width, image.shape[-1])


def _series(series: np.ndarray, length: int) -> np.ndarray:
  places = np.linspace(0, series.shape[1] - 1, length)
  before = np.minimum(places.astype(int), max(series.shape[1] - 2, 0))
  after = np.minimum(before + 1, series.shape[1] - 1)
  share = (places - before)[:, None].astype(np.float32)
  return np.asarray(series)[:, before] * (1 - share) + np.asarray(series)[:, after] * share


def _cut_or_padded(examples: np.ndarray, length: int) -> np.ndarray:
  kept = np.asarray(examples)[:, :length]
  ends = [(0, 0), (0, length - kept.shape[1]), *[(0, 0)] * (kept.ndim - 2)]
  return np.pad(kept, ends, constant_values=PAD)  # which is silence, too
