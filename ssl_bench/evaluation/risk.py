"""Selective prediction: what error is left where the least confident images go to a human.

Confidence is [N], the largest probability of each image; `right` is bool [N], whether its class is right.  An
image is kept where its confidence is high enough, and else goes to review: images of equal confidence share
one fate.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ssl_bench.evaluation.anomaly import auroc

Array = NDArray[np.float64]
ROUNDING = 1e-9  # by which a product of a share and a count may miss a whole number


def selective_risks(confidence: ArrayLike, right: ArrayLike) -> Array:
  """The risk-coverage curve, [N]: the share of wrong ones among the i most confident images, i = 1 … N.

  Geifman, Uziel & El-Yaniv 2019.  Within images of equal confidence it is the expected share under
  a random order of them, so that the result does not depend on the order of images.

      >>> selective_risks([0.9, 0.8, 0.7], [True, True, False]).round(3)
      array([0.   , 0.   , 0.333])
  """
  confidence, wrong = np.asarray(confidence, np.float64), ~np.asarray(right, bool)
  _, place, count = np.unique(-confidence, return_inverse=True, return_counts=True)
  expected = np.repeat(np.bincount(place, wrong) / count, count)
  return np.cumsum(expected) / np.arange(1, len(wrong) + 1)


def aurc(confidence: ArrayLike, right: ArrayLike) -> float:
  """Area under the risk-coverage curve, in [0, 1]: the mean of `selective_risks` over all coverages."""
  return float(selective_risks(confidence, right).mean())


def excess_aurc(confidence: ArrayLike, right: ArrayLike) -> float:
  """AURC minus that of the best order, in which every right image comes before every wrong one; in [0, 1].

  Geifman, Uziel & El-Yaniv 2019.  The best order's area is computed for the N images at hand; it is
  approximated elsewhere by r + (1 − r) ln(1 − r), r the error.
  """
  best = aurc(np.asarray(right, np.float64), right)
  return max(aurc(confidence, right) - best, 0.0)


def thinned(risks: ArrayLike, points: int = 20) -> dict[str, list[float]]:
  """A curve of `selective_risks` at `points` coverages, evenly spaced up to 1: `coverage` and `risk`.

  At fewer images than points each image is a point.
  """
  risks = np.asarray(risks)
  n = len(risks)
  kept = np.unique(np.ceil(np.arange(1, points + 1) * n / points - ROUNDING).astype(int))
  return {'coverage': (kept / n).tolist(), 'risk': risks[kept - 1].tolist()}


def threshold(confidence: ArrayLike, right: ArrayLike, error: float) -> float:
  """The lowest confidence at and above which at most a share `error` of images is wrong; infinite if none."""
  confidence, wrong = np.asarray(confidence, np.float64), ~np.asarray(right, bool)
  levels, place, count = np.unique(-confidence, return_inverse=True, return_counts=True)
  kept, errors = np.cumsum(count), np.cumsum(np.bincount(place, wrong))
  good = np.flatnonzero(errors <= error * kept + ROUNDING)
  return float(-levels[good[-1]]) if len(good) else np.inf


class Review(NamedTuple):
  """The share of images that go to review, and the error of those that are kept: None where none is."""

  share: float
  error: float | None


def review(confidence: ArrayLike, right: ArrayLike, lowest: float) -> Review:
  """What comes of keeping the images whose confidence is at least `lowest`."""
  kept, right = np.asarray(confidence) >= lowest, np.asarray(right, bool)
  return Review(1 - float(kept.mean()), float((~right[kept]).mean()) if kept.any() else None)


class Told(NamedTuple):
  """How well confidence tells right from wrong; None where there are only right or only wrong images."""

  auroc: float | None
  aupr_right: float | None
  aupr_wrong: float | None


def told(confidence: ArrayLike, right: ArrayLike) -> Told:
  """AUROC, and AUPR with either as the positive class (Hendrycks & Gimpel 2017).

  AUPR is the average precision, which interpolates nothing.
  """
  confidence, right = np.asarray(confidence, np.float64), np.asarray(right, bool)
  if right.all() or not right.any():
    return Told(None, None, None)
  return Told(
    auroc(confidence[~right], confidence[right]),
    average_precision(confidence, right),
    average_precision(-confidence, ~right),
  )


def average_precision(scores: ArrayLike, positive: ArrayLike) -> float:
  """Σ (R_k − R_{k−1}) P_k over the distinct scores from the highest down, in [0, 1]; needs a positive."""
  _, place, count = np.unique(-np.asarray(scores, np.float64), return_inverse=True, return_counts=True)
  found = np.bincount(place, np.asarray(positive, bool))
  return float((found * np.cumsum(found) / np.cumsum(count)).sum() / found.sum())
