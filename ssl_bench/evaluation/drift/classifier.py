"""The classifier two-sample test: two sets differ where a classifier can tell them apart."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ssl_bench.evaluation.linear import fit_path

Array = NDArray[np.float64]

L2 = 0.01  # of the logistic regression on standardized features; nothing chooses it
MOST = 20_000  # rows of a set that are used


def classifier_test(a: ArrayLike, b: ArrayLike, *, l2: float = L2, seed: int = 0) -> tuple[float, float]:
  """(held-out accuracy, p-value) of a classifier of two sets [n, d] and [m, d].

  Lopez-Paz & Oquab, "Revisiting Classifier Two-Sample Tests" (2017): as many rows of either set, half of them
  to fit, half to test; 0.5 is a guess.  The classifier is logistic regression on standardized features, so it
  sees sets whose means differ, and not those that differ in variance or shape alone.  The paper takes the
  accuracy of a guess as normal; here the p-value is exact at any size: given what is predicted and how many
  test rows each set has, the number of right ones is hypergeometric where the sets are one (Fisher's exact
  test, one-sided).
  """
  a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
  rng = np.random.default_rng(seed)
  count = min(len(a), len(b), MOST)
  both = np.concatenate([part[rng.permutation(len(part))[:count]] for part in (a, b)])
  labels = np.repeat([0, 1], count)
  order = rng.permutation(len(both))
  fit, test = order[:count], order[count:]
  if len(np.unique(labels[fit])) < 2:
    return 0.5, 1.0
  predicted = _predicted(both[fit], labels[fit], both[test], l2)
  return accuracy_and_p(predicted, labels[test])


def _predicted(fit: Array, labels: NDArray, test: Array, l2: float) -> NDArray:
  """The likelier set, 0 or 1, of test rows [m, d], by logistic regression on fit rows [n, d]."""
  mean, std = fit.mean(0), fit.std(0)
  std = np.where(std > 1e-9 * np.abs(mean), std, 1.0)  # a feature that does not vary is only centered
  _, weights, bias = next(fit_path((fit - mean) / std, labels, 2, [l2]))
  return (((test - mean) / std) @ weights + bias).argmax(-1)


def accuracy_and_p(predicted: NDArray, labels: NDArray) -> tuple[float, float]:
  """The share of predictions [n], 0 or 1, that are right, and how likely as many are by chance."""
  n, ones, said = len(labels), int(labels.sum()), int(predicted.sum())
  hits = int((predicted & labels).sum())
  p = stats.hypergeom.sf(hits - 1, n, ones, said)
  return float((predicted == labels).mean()), float(p)
