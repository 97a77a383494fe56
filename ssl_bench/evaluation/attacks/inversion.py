"""Inversion: a decoder that was fitted on public images draws an image from its features.

Dosovitskiy & Brox, "Inverting Visual Representations with Convolutional Networks" (2016), fit an
up-convolutional network for it.  Here it is ridge regression from features to pixels, whose optimum has no
setting but its penalty.  It sees what is linear in the features, so it bounds what they hold from below.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
L2 = tuple(10.0**e for e in range(-6, 2))  # penalties over the number of public images
WINDOW = 7  # pixels: the side of the windows of SSIM


class Errors(NamedTuple):
  """How far reconstructions are from their images.

  Attributes:
    mse: mean squared error over images and pixels in [0, 1].
    psnr: peak signal-to-noise ratio in dB of that error, −10 log10 mse; infinite without an error.
    ssim: mean structural similarity, at most 1, which says that the images are the same.
  """

  mse: float
  psnr: float
  ssim: float


class Decoder(NamedTuple):
  """Ridge regression on (features − mean) / std: weights [d, P], bias [P], mean [d], std [d], its penalty."""

  weights: Array
  bias: Array
  mean: Array
  std: Array
  l2: float

  def __call__(self, features: ArrayLike) -> Array:
    """Pixels [n, P] of features [n, d], cut to [0, 1], where all pixels lie."""
    inputs = (np.asarray(features, np.float64) - self.mean) / self.std
    return np.clip(inputs @ self.weights + self.bias, 0, 1)


def pixels(images: np.ndarray) -> Array:
  """uint8 images as levels in [0, 1]."""
  return np.asarray(images, np.float64) / 255


def fit(features: ArrayLike, targets: ArrayLike, grid: Sequence[float] = L2) -> Decoder:
  """The decoder of least leave-one-out error among those with n · l2 as their penalty, l2 in `grid`.

  Minimizes ‖Y − XW − b‖² + n l2 ‖W‖² over standardized features [n, d] and targets [n, P].  The error that a
  fit without an example makes on it is its residual over 1 − h, h its leverage (Allen's PRESS), so no fit is
  repeated.  Raises ValueError if a feature is not finite.
  """
  features, targets = np.asarray(features, np.float64), np.asarray(targets, np.float64)
  if not np.isfinite(features).all():
    raise ValueError('an inversion needs finite features.')
  n, mean, std = len(features), features.mean(0), features.std(0)
  std = np.where(std > 1e-6 * np.abs(mean), std, 1.0)
  left, sizes, right = np.linalg.svd((features - mean) / std, full_matrices=False)
  bias = targets.mean(0)
  along = left.T @ (targets - bias)
  best, least = grid[0], np.inf
  for l2 in grid:
    kept = sizes**2 / (sizes**2 + n * l2)
    leverage = 1 / n + (left**2) @ kept
    residual = (targets - bias - left @ (kept[:, None] * along)) / (1 - leverage)[:, None]
    if (error := float((residual**2).mean())) < least:
      best, least = l2, error
  weights = right.T @ ((sizes / (sizes**2 + n * best))[:, None] * along)
  return Decoder(weights, bias, mean, std, best)


def errors(images: Array, made: Array) -> Errors:
  """Of images and reconstructions [n, H, W, C] in [0, 1]."""
  mse = float(((images - made) ** 2).mean())
  return Errors(mse, psnr(mse), float(ssim(images, made).mean()))


def psnr(mse: float) -> float:
  """In dB, of a mean squared error of levels in [0, 1]; infinite for 0."""
  return -10 * float(np.log10(mse)) if mse else float('inf')


def ssim(images: Array, made: Array) -> Array:
  """[n]: the structural similarity of images [n, H, W, C] in [0, 1], mean over windows and channels.

  Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity" (2004), with
  K1 = 0.01 and K2 = 0.03.  Windows are 7 × 7, uniform, and lie inside the image, with unbiased variances, as
  scikit-image has them by default; of a smaller image they are as large as its shorter side.
  """
  window = min(WINDOW, *images.shape[1:3])
  count = window**2
  local = lambda values: _box(values, window) / count
  ours, theirs = local(images), local(made)
  unbiased = count / (count - 1) if count > 1 else 0.0
  variances = unbiased * (local(images**2) - ours**2 + local(made**2) - theirs**2)
  covariance = unbiased * (local(images * made) - ours * theirs)
  one, two = 0.01**2, 0.03**2
  level = (2 * ours * theirs + one) / (ours**2 + theirs**2 + one)
  return (level * (2 * covariance + two) / (variances + two)).mean((1, 2, 3))


def _box(values: Array, window: int) -> Array:
  """Sums over all windows of [n, H, W, C] that lie inside."""
  for axis in (1, 2):
    total = np.cumsum(np.insert(values, 0, 0, axis), axis)
    whole = values.shape[axis] + 1
    upper = np.take(total, range(window, whole), axis)
    values = upper - np.take(total, range(whole - window), axis)
  return values
