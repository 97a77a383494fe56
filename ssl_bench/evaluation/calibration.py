"""Whether confidence can be believed: calibration errors, and the maps that repair them.

Probs are [N, C] with rows that sum to 1, labels [N] integers.  An error of a small test set is mostly noise:
a perfectly calibrated model shows ECE 0.03-0.06 on 360 images.  Binned errors are no proper scores (a model
that always says the class frequencies has none), so read them beside NLL and Brier.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from ssl_bench.evaluation.intervals import bootstrap_interval
from ssl_bench.evaluation.scores import correct, nll

Array = NDArray[np.float64]

BINS = 15
LOWEST, HIGHEST = 0.05, 20.0  # temperatures that a fit may return
CLOSEST = 1e-15  # scores that are closer are one to isotonic regression


class Reliability(NamedTuple):
  """A reliability diagram over B bins (edges[b], edges[b + 1]] of the top label's confidence.

  edges [B + 1]; counts [B]; confidence and accuracy [B] are means over the bin, 0 where it is empty.
  """

  edges: Array
  counts: NDArray[np.int64]
  confidence: Array
  accuracy: Array


def reliability_bins(probs: ArrayLike, labels: ArrayLike, bins: int = BINS) -> Reliability:
  """Count, mean confidence and accuracy in bins of equal width (DeGroot & Fienberg 1983)."""
  confidence, right = _top(probs, labels)
  where = _bin(confidence, bins)
  count = np.bincount(where, minlength=bins)
  some = np.maximum(count, 1)
  return Reliability(
    np.linspace(0, 1, bins + 1),
    count,
    np.bincount(where, confidence, bins) / some,
    np.bincount(where, right, bins) / some,
  )


def ece(probs: ArrayLike, labels: ArrayLike, bins: int = BINS) -> float:
  """Expected calibration error of the top label, bins of equal width (Guo et al. 2017, eq. 3), in [0, 1]."""
  return float(_mean_gap(np.ones(len(np.asarray(labels))), _gaps(probs, labels, bins)))


def ece_interval(
  probs: ArrayLike,
  labels: ArrayLike,
  bins: int = BINS,
  *,
  level: float = 0.95,
  resamples: int = 1000,
  seed: int = 0,
) -> tuple[float, float]:
  """Percentile bootstrap interval (low, high) of `ece` over images.

  ECE is biased upward by noise, and a resample is noisier than the sample: on small sets the interval lies
  high, and may even lie above the ECE that it belongs to.
  """
  gaps = _gaps(probs, labels, bins)
  return bootstrap_interval(_mean_gap, gaps, level=level, resamples=resamples, seed=seed)


def mce(probs: ArrayLike, labels: ArrayLike, bins: int = BINS) -> float:
  """Maximum calibration error: the largest gap of any bin that is not empty (Guo et al. 2017, eq. 5)."""
  reliability = reliability_bins(probs, labels, bins)
  return float(np.abs(reliability.accuracy - reliability.confidence).max())


def adaptive_ece(probs: ArrayLike, labels: ArrayLike, bins: int = BINS) -> float:
  """ECE of the top label over bins of equal mass (Nguyen & O'Connor 2015), in [0, 1].

  Sizes differ by at most one.  Examples of equal confidence share the mean of their hits, so that the result
  does not depend on their order.
  """
  confidence, right = _top(probs, labels)
  levels, place, count = np.unique(confidence, return_inverse=True, return_counts=True)
  gap = np.repeat(np.bincount(place, right) / count - levels, count)
  return float(sum(abs(part.sum()) for part in np.array_split(gap, bins)) / len(gap))


def classwise_ece(probs: ArrayLike, labels: ArrayLike, bins: int = BINS) -> float:
  """The mean over classes of the ECE of 'is it class c?' (Kull et al. 2019, eq. 3), bins of equal width."""
  probs = np.asarray(probs, np.float64)
  n, classes = probs.shape
  gap = (np.asarray(labels)[:, None] == np.arange(classes)) - probs
  where = _bin(probs, bins) + bins * np.arange(classes)
  total = np.bincount(where.ravel(), gap.ravel(), bins * classes)
  return float(np.abs(total).sum() / (n * classes))


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
  """The temperature T in [0.05, 20] whose softmax(logits / T) has the least NLL (Guo et al. 2017, sec. 4.2).

  NLL is convex in 1 / T, so the bounded search over log T finds the minimum.  Two cases have none.  Where no
  label's logit is below another class's, NLL falls all the way to T = 0 and no temperature is identified, so
  logits are left as they are: T = 1.  Where logits are no better than chance, T is the upper bound.  Raises
  ValueError if a logit is not finite.
  """
  logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
  if not np.isfinite(logits).all():
    raise ValueError('a temperature can be fitted to finite logits only.')
  if (logits[np.arange(len(logits)), labels] >= logits.max(-1)).all():
    return 1.0
  found = scipy.optimize.minimize_scalar(
    lambda log_t: nll(logits * np.exp(-log_t), labels),
    bounds=(np.log(LOWEST), np.log(HIGHEST)),
    method='bounded',
    options={'xatol': 1e-6},
  )
  return float(np.exp(found.x))


def fit_isotonic(probs: ArrayLike, labels: ArrayLike) -> Callable[[ArrayLike], Array]:
  """A map probs -> probs: one isotonic regression per class, normalized (Zadrozny & Elkan 2002, sec. 4).

  The N images that it is fitted on are joined by one more that is spread over all classes: the result is
  (N p + 1 / C) / (N + 1), so that no probability is 0 and NLL stays finite.  The order of classes within an
  image may change, and accuracy with it.
  """
  probs, labels = np.asarray(probs, np.float64), np.asarray(labels)
  n, classes = probs.shape
  maps = [_isotonic(probs[:, c], labels == c) for c in range(classes)]

  def calibrate(probs: ArrayLike) -> Array:
    columns = np.asarray(probs, np.float64).T
    fitted = np.stack([np.interp(column, *one) for one, column in zip(maps, columns)], -1)
    total = fitted.sum(-1, keepdims=True)
    shares = np.divide(fitted, total, out=np.full_like(fitted, 1 / classes), where=total > 0)
    return (n * shares + 1 / classes) / (n + 1)

  return calibrate


def _isotonic(scores: Array, hits: NDArray[np.bool_]) -> tuple[Array, Array]:
  """Rising scores and the share of hits at each, by isotonic regression; between them it is linear.

  Scores less than 1e-15 apart count as one.  That is scikit-learn's `IsotonicRegression`, to the last bit,
  whose import takes longer than the evaluation of a short trial.
  """
  order = np.argsort(scores, kind='stable')
  scores, hits = scores[order], hits[order]
  starts = [0]
  for i, score in enumerate(scores.tolist()):
    if score - scores[starts[-1]] >= CLOSEST:
      starts.append(i)
  counts = np.diff([*starts, len(scores)])
  shares = np.add.reduceat(hits.astype(np.float64), starts) / counts
  return scores[starts], scipy.optimize.isotonic_regression(shares, weights=counts).x


def _top(probs: ArrayLike, labels: ArrayLike) -> tuple[Array, NDArray[np.bool_]]:
  probs = np.asarray(probs, np.float64)
  return probs.max(-1), correct(probs, labels)


def _bin(confidence: Array, bins: int) -> NDArray[np.intp]:
  """The b with edges[b] < confidence <= edges[b + 1]; 0 belongs to the first."""
  return np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence)


def _gaps(probs: ArrayLike, labels: ArrayLike, bins: int) -> Array:
  """[N, B]: correct - confidence in the column of the example's bin, 0 elsewhere."""
  confidence, right = _top(probs, labels)
  gaps = np.zeros((len(confidence), bins))
  gaps[np.arange(len(gaps)), _bin(confidence, bins)] = right - confidence
  return gaps


def _mean_gap(weights: Array, gaps: Array) -> Array:
  """ECE under weights [..., N]: sum_b |sum_{i in b} w_i (correct_i - confidence_i)| / sum w."""
  return np.abs(weights @ gaps).sum(-1) / weights.sum(-1)
