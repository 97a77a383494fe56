"""Calibration without bins, with their noise taken off, and by parts; and classes predicted too often.

Probs are [N, C] with rows that sum to 1, labels [N] integers, as in `evaluation.calibration`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from ssl_bench.evaluation.calibration import BINS, ece, reliability_bins
from ssl_bench.evaluation.scores import correct

Array = NDArray[np.float64]


def ks_error(probs: ArrayLike, labels: ArrayLike) -> float:
  """Kolmogorov-Smirnov calibration error of the top label, in [0, 1] (Gupta et al. 2021).

  The largest |Σ_{i ≤ k} (confidence_i − right_i)| / N over k, images in the order of their confidence.  Those
  of equal confidence come in together, so that the result does not depend on the order of images.

      >>> ks_error([[0.5, 0.5], [1.0, 0.0]], [1, 0])
      0.25
  """
  probs = np.asarray(probs, np.float64)
  _, place = np.unique(probs.max(-1), return_inverse=True)
  gaps = np.bincount(place, probs.max(-1) - correct(probs, labels))
  return float(np.abs(np.cumsum(gaps)).max() / len(probs))


def debiased_ece(probs: ArrayLike, labels: ArrayLike, bins: int = BINS) -> float:
  """ECE minus what the noise of its bins adds, in [-1, 1]; at 0 and below, noise explains all of it.

  2 ECE − E[ECE*], where the accuracy of each bin is drawn anew from a normal distribution around the one that
  was seen, of variance a (1 − a) / n: the authors' code for Kumar et al. 2019, with the expectation in closed
  form in place of a mean over draws.  A bin of one image is not corrected.
  """
  seen = reliability_bins(probs, labels, bins)
  some = np.maximum(seen.counts, 1)
  mean, error = seen.accuracy - seen.confidence, np.sqrt(seen.accuracy * (1 - seen.accuracy) / some)
  drawn = np.where(error > 0, _folded(mean, np.where(error > 0, error, 1)), np.abs(mean))
  return 2 * ece(probs, labels, bins) - float(seen.counts @ drawn / seen.counts.sum())


def _folded(mean: Array, deviation: Array) -> Array:
  """E|X| of normal X."""
  z = mean / deviation
  return deviation * np.sqrt(2 / np.pi) * np.exp(-(z**2) / 2) + mean * (1 - 2 * special.ndtr(-z))


def debiased_l2(probs: ArrayLike, labels: ArrayLike, bins: int = BINS) -> float:
  """The debiased root mean squared calibration error of the top label, in [0, 1].

  √ max(0, Σ_b n_b / N [(confidence_b − a_b)² − a_b (1 − a_b) / (n_b − 1)]), a_b the accuracy of a bin; a bin
  of less than two images adds nothing (Kumar et al. 2019, definition 5.2).
  """
  seen = reliability_bins(probs, labels, bins)
  noise = seen.accuracy * (1 - seen.accuracy) / np.maximum(seen.counts - 1, 1)
  squares = (seen.confidence - seen.accuracy) ** 2 - noise
  return float(np.sqrt(max(0.0, seen.counts[seen.counts > 1] @ squares[seen.counts > 1] / seen.counts.sum())))


class BrierParts(NamedTuple):
  """Brier ≈ reliability − resolution + uncertainty; what is left is the spread of probabilities in bins.

  Attributes:
    reliability: the squared gap between probability and frequency, ≥ 0; 0 is calibrated.
    resolution: how far frequencies in bins are from those of all images, ≥ 0; more is better.
    uncertainty: Brier score of who always says the frequencies of the classes; the test part's own.
  """

  reliability: float
  resolution: float
  uncertainty: float


def brier_parts(probs: ArrayLike, labels: ArrayLike, bins: int = BINS) -> BrierParts:
  """The parts of Murphy 1973 for "is it class c?", over bins of equal width, summed over classes.

  Exact where all probabilities of a bin are equal.
  """
  probs, labels = np.asarray(probs, np.float64), np.asarray(labels)
  n, classes = probs.shape
  found = np.zeros(3)
  for c in range(classes):
    is_it, p = labels == c, probs[:, c]
    where = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], p)
    count = np.bincount(where, minlength=bins)
    said, seen = (np.bincount(where, of, bins) / np.maximum(count, 1) for of in (p, is_it))
    base = is_it.mean()
    found += [count @ (said - seen) ** 2 / n, count @ (seen - base) ** 2 / n, base * (1 - base)]
  return BrierParts(*map(float, found))


class Skew(NamedTuple):
  """How far the mean predicted distribution q is from the labels' p."""

  total_variation: float  # ½ Σ |q_c − p_c|, in [0, 1]
  kl: float  # Σ p_c log(p_c / q_c) in nats, ≥ 0


def skew(probs: ArrayLike, labels: ArrayLike) -> Skew:
  """Whether some classes are predicted too often, whatever image by image is right."""
  said = np.asarray(probs, np.float64).mean(0)
  seen = np.bincount(np.asarray(labels), minlength=len(said)) / len(np.asarray(labels))
  some = seen > 0
  kl = float((seen[some] * np.log(seen[some] / said[some])).sum())
  return Skew(float(np.abs(said - seen).sum() / 2), max(kl, 0.0))
