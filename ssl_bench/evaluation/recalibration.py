"""Maps from probabilities to probabilities with more parameters than a temperature, fitted on validation."""

from collections.abc import Callable

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from ssl_bench.evaluation.calibration import BINS, HIGHEST, LOWEST
from ssl_bench.evaluation.scores import correct, nll, softmax

Array = NDArray[np.float64]
Map = Callable[[ArrayLike], Array]

MOST = 20.0  # of a bias, in nats


def fit_vector(log_probs: ArrayLike, labels: ArrayLike) -> Map:
  """A map log-probs -> probs: softmax(w ∘ log p + b) of least NLL, w and b [C] (Guo et al. 2017, sec. 4.2).

  Of log-probabilities, as in the linear layer of Kull et al. 2019, where Guo et al. have logits: kept
  predictions do not tell what all logits of an image have in common.  w is in [0.05, 20], 1 / w being the
  temperature of a class, and b in [-20, 20].  NLL is convex.  Where the map makes every validation image
  right, larger w and b would lower NLL without end, so that no map is identified: predictions stay as they
  are, as in `fit_temperature`.
  """
  log_probs, labels = np.asarray(log_probs, np.float64), np.asarray(labels)
  n, classes = log_probs.shape
  is_it = np.eye(classes)[labels]

  def loss(both: Array) -> tuple[float, Array]:
    scaled = both[:classes] * log_probs + both[classes:]
    error = (softmax(scaled) - is_it) / n
    return nll(scaled, labels), np.concatenate([(error * log_probs).sum(0), error.sum(0)])

  start = np.concatenate([np.ones(classes), np.zeros(classes)])
  bounds = [(1 / HIGHEST, 1 / LOWEST)] * classes + [(-MOST, MOST)] * classes
  with threadpool_limits(1, 'blas'):  # several wait for each other ten times as long as they compute
    found = scipy.optimize.minimize(
      loss, start, jac=True, method='L-BFGS-B', bounds=bounds, options={'maxiter': 500}
    )
  scale = lambda log_probs: found.x[:classes] * np.asarray(log_probs, np.float64) + found.x[classes:]
  return softmax if correct(scale(log_probs), labels).all() else lambda log_probs: softmax(scale(log_probs))


def fit_histogram(probs: ArrayLike, labels: ArrayLike, bins: int = BINS) -> Map:
  """A map probs -> probs: histogram binning of each class, normalized (Zadrozny & Elkan 2001).

  A probability of a class becomes the share of images of the class among the validation images whose
  probability is in the same of `bins` bins of equal width; in a bin without any it stays.  Several classes as
  Guo et al. 2017 have them: one against the rest, and normalized.  As in `fit_isotonic` one more
  image is spread over all classes, so that no probability is 0.  The order of classes within an image may
  change, and accuracy with it.
  """
  probs, labels = np.asarray(probs, np.float64), np.asarray(labels)
  n, classes = probs.shape
  edges, columns = np.linspace(0, 1, bins + 1)[1:-1], np.arange(classes)
  cells = lambda probs: np.searchsorted(edges, probs) + bins * columns
  count = np.bincount(cells(probs).ravel(), minlength=bins * classes)
  hits = np.bincount(cells(probs)[np.arange(n), labels], minlength=bins * classes)
  shares = hits / np.maximum(count, 1)

  def calibrate(probs: ArrayLike) -> Array:
    probs = np.asarray(probs, np.float64)
    where = cells(probs)
    found = np.where(count[where] > 0, shares[where], probs)
    total = found.sum(-1, keepdims=True)
    normal = np.divide(found, total, out=np.full_like(found, 1 / classes), where=total > 0)
    return (n * normal + 1 / classes) / (n + 1)

  return calibrate
