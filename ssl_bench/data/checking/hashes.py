"""Perceptual hashes of images, 64 bits each, equal to those of the package `imagehash`."""

import numpy as np
import scipy

from ssl_bench.data.checking.thumbnails import chunks, gray, resize


def dct_hash(images: np.ndarray) -> np.ndarray:
  """uint64 [N] of uint8 images [N, H, W, 1 or 3]: the signs of 8×8 low frequencies about their median.

  The picture is gray and 32×32 pixels large.  Source: Krawetz, Looks Like It (2011); `imagehash.phash`.
  """
  return _hash(images, (32, 32), _low_frequencies)


def difference_hash(images: np.ndarray) -> np.ndarray:
  """uint64 [N] of uint8 images [N, H, W, 1 or 3]: whether a pixel is brighter than the one left of it.

  The picture is gray and 9×8 pixels large.  Source: Krawetz, Kind of Like That (2013); `imagehash.dhash`.
  """
  return _hash(images, (8, 9), lambda pictures: pictures[:, :, 1:] > pictures[:, :, :-1])


def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
  """Bits in which two hashes differ, uint8, 0 … 64."""
  return np.bitwise_count(a ^ b)


def _low_frequencies(pictures: np.ndarray) -> np.ndarray:
  low = scipy.fft.dctn(pictures, axes=(1, 2))[:, :8, :8]
  return low > np.median(low, axis=(1, 2), keepdims=True)


def _hash(images: np.ndarray, size: tuple[int, int], bits_of) -> np.ndarray:
  found = np.empty(len(images), np.uint64)
  for part in chunks(len(images)):
    bits = bits_of(resize(gray(images[part]), *size))
    found[part] = np.packbits(bits.reshape(len(bits), 64), axis=1).view('>u8')[:, 0]
  return found
