"""Real images for the tests of the augmentation room, and Pillow on batches of them."""

from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image


@cache
def photos(side: int = 32) -> np.ndarray:
  """uint8 [16, side, side, 3]: crops of scikit-learn's two photographs, four of them with little contrast."""
  from sklearn.datasets import load_sample_images

  cut = []
  for photo in load_sample_images().images:
    for top, left in ((0, 0), (60, 200), (200, 90), (290, 420), (150, 400), (240, 250)):
      crop = Image.fromarray(photo[top : top + 128, left : left + 128])
      cut.append(np.asarray(crop.resize((side, side), Image.Resampling.BILINEAR)))
  faint = [image // (2 + i) + 40 * i for i, image in enumerate(cut[:4])]
  return np.stack([*cut, *faint]).astype(np.uint8)


@cache
def digits() -> np.ndarray:
  """uint8 [16, 8, 8, 1]."""
  from sklearn.datasets import load_digits

  return np.round(load_digits().images[:16, :, :, None] * 255 / 16).astype(np.uint8)


def through_pillow(apply: Callable[[Image.Image], Image.Image], image: np.ndarray) -> np.ndarray:
  """`apply` to an image [height, width, 1 or 3] as a Pillow image."""
  shown = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
  return np.asarray(apply(shown)).reshape(*apply(shown).size[::-1], image.shape[2])


def largest_difference(a: np.ndarray, b: np.ndarray) -> int:
  return int(np.abs(np.asarray(a, int) - np.asarray(b, int)).max())
