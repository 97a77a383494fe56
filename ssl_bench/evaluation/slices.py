"""Parts of the test images, such as a class or a speaker: their accuracy and calibration, with intervals."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from ssl_bench.evaluation.intervals import FEWEST, bootstrap_interval, weighted_mean

Array = NDArray[np.float64]
Ends = list[float]


def wilson(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
  """Wilson's score interval (low, high) of a share hits / n (Wilson 1927), in [0, 1]; needs n > 0.

  >>> [round(end, 3) for end in wilson(10, 10)]
  [0.722, 1.0]
  """
  z = special.ndtri((1 + level) / 2)
  center = (hits + z**2 / 2) / (n + z**2)
  half = z / (n + z**2) * np.sqrt(hits * (n - hits) / n + z**2 / 4)
  return max(float(center - half), 0.0), min(float(center + half), 1.0)


class Slices(NamedTuple):
  """S slices: one value each, None for a slice without images.

  Attributes:
    accuracy: share of right images.
    accuracy_interval: Wilson's of it, 95 %.
    gap: mean confidence minus accuracy, in [-1, 1]; above 0 the slice is overconfident.
    gap_interval: percentile bootstrap interval of it over images, 95 %; None below 3 images.
  """

  accuracy: list[float | None]
  accuracy_interval: list[Ends | None]
  gap: list[float | None]
  gap_interval: list[Ends | None]


def by_slice(
  of: ArrayLike, slices: int, confidence: ArrayLike, right: ArrayLike, resamples: int = 1000
) -> Slices:
  """What `Slices` says; `of` is which slice each image is in, [N] in 0 … slices − 1."""
  of, right = np.asarray(of), np.asarray(right, bool)
  gaps = np.asarray(confidence, np.float64) - right
  found = Slices([], [], [], [])
  for index in range(slices):
    inside = of == index
    n, hits, own = int(inside.sum()), int(right[inside].sum()), gaps[inside]
    found.accuracy.append(hits / n if n else None)
    found.accuracy_interval.append([*wilson(hits, n)] if n else None)
    found.gap.append(float(own.mean()) if n else None)
    enough = n >= FEWEST
    found.gap_interval.append(
      [*bootstrap_interval(weighted_mean, own, resamples=resamples)] if enough else None
    )
  return found


def confusion(labels: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.int64]:
  """How many images of each class (row) got each prediction (column), [C, C]."""
  flat = classes * np.asarray(labels, np.int64) + np.asarray(predicted)
  return np.bincount(flat, minlength=classes**2).reshape(classes, classes)


def specificity(counts: NDArray[np.int64]) -> list[float | None]:
  """Share of the images of other classes that are not predicted to be of the class, of each; None for none.

  `counts` is a confusion matrix.  Sensitivity, the share of a class that is found, is its accuracy.
  """
  others = counts.sum() - counts.sum(1)
  false = counts.sum(0) - counts.diagonal()
  return [1 - float(f) / int(n) if n else None for f, n in zip(false, others)]


def f1(counts: NDArray[np.int64]) -> Array:
  """2 hits / (predicted + true) of each class of a confusion matrix, [C]; NaN for a class in neither."""
  total = counts.sum(0) + counts.sum(1)
  return np.divide(2.0 * counts.diagonal(), total, out=np.full(len(counts), np.nan), where=total > 0)
