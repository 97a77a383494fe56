"""Small gray pictures of images, on which perceptual hashes and comparisons of pixels are computed."""

from collections.abc import Iterator

import numpy as np
import scipy

SIDE = 32  # the most pixels of a thumbnail's side
CHUNK = 4096  # images at a time


def chunks(count: int, size: int = CHUNK) -> Iterator[slice]:
  """[0, count) in consecutive slices."""
  return (slice(start, start + size) for start in range(0, count, size))


def gray(images: np.ndarray) -> np.ndarray:
  """Luma, uint8 [N, H, W], of uint8 images [N, H, W, 1 or 3]: ITU-R 601-2 in Pillow's whole numbers."""
  if images.shape[-1] == 1:
    return np.asarray(images[..., 0])
  r, g, b = (images[..., channel].astype(np.uint32) for channel in range(3))
  return ((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16).astype(np.uint8)


def resize(pictures: np.ndarray, height: int, width: int) -> np.ndarray:
  """Pictures [N, H, W] at another size, in 0 … 255 and whole: rows, then columns, as Pillow's LANCZOS."""
  across, down = lanczos(pictures.shape[2], width), lanczos(pictures.shape[1], height)
  wide = _whole(pictures.astype(np.float32) @ across.T)
  return _whole(down @ wide)


def lanczos(size: int, target: int) -> np.ndarray:
  """float32 [target, size]: Lanczos-3 weights, stretched where the target is smaller, each row's sum 1."""
  scale = size / target
  stretch = max(scale, 1.0)
  weights = np.zeros((target, size))
  for row in range(target):
    center = (row + 0.5) * scale
    first = max(int(center - 3 * stretch + 0.5), 0)
    last = min(int(center + 3 * stretch + 0.5), size)
    x = (np.arange(first, last) + 0.5 - center) / stretch
    window = np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)
    weights[row, first:last] = window / window.sum()
  return weights.astype(np.float32)


def details(images: np.ndarray) -> np.ndarray:
  """float32 [N, h, w], h and w at most `SIDE`: thumbnails less their blurred selves.

  The blur's deviation is a sixteenth of the longer side.  Without what is blurred, pictures that share no
  more than a bright sky are not alike.
  """
  height, width = images.shape[1:3]
  shrink = min(1.0, SIDE / max(height, width))
  h, w = max(1, round(height * shrink)), max(1, round(width * shrink))
  found = np.empty((len(images), h, w), np.float32)
  for part in chunks(len(images)):
    small = gray(images[part]).astype(np.float32)
    if shrink < 1:
      small = resize(small, h, w)
    found[part] = small - scipy.ndimage.gaussian_filter(small, (0, *[max(h, w) / 16] * 2), truncate=3)
  return found


def _whole(values: np.ndarray) -> np.ndarray:
  return np.floor(np.clip(values, 0, 255) + 0.5)
