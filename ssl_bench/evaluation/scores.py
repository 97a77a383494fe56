"""How good predictions are: proper scores first, then counts of what is right.

Scores and logits are [N, C] arrays, probs are [N, C] with rows that sum to 1, labels are [N] integers in
[0, C).  Everything is computed in float64 and returned as plain floats or NumPy arrays.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def log_softmax(logits: ArrayLike) -> Array:
  """Log-probabilities [N, C] of logits [N, C]; safe for logits of any size."""
  logits = np.asarray(logits, np.float64)
  shifted = logits - logits.max(-1, keepdims=True)
  return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def softmax(logits: ArrayLike) -> Array:
  """Probabilities [N, C] of logits [N, C]; rows sum to 1."""
  return np.exp(log_softmax(logits))


def losses(logits: ArrayLike, labels: ArrayLike) -> Array:
  """The negative log-likelihood of each image, [N], in nats."""
  log_probs = log_softmax(logits)
  return -log_probs[np.arange(len(log_probs)), np.asarray(labels)]


def nll(logits: ArrayLike, labels: ArrayLike) -> float:
  """Mean negative log-likelihood in nats, >= 0; infinite where a label has probability 0.

  Where only probs are known, `nll(np.log(probs), labels)` is the same number.
  """
  return float(losses(logits, labels).mean())


def brier(probs: ArrayLike, labels: ArrayLike) -> float:
  """Multi-class Brier score in [0, 2]: the mean over images of sum_c (p_c - y_c)^2 (Brier 1950).

  The sum over classes is not divided by their number, so for two classes it is twice the binary form.
  """
  error = np.array(probs, np.float64)
  error[np.arange(len(error)), np.asarray(labels)] -= 1
  return float((error**2).sum(-1).mean())


def correct(scores: ArrayLike, labels: ArrayLike, k: int = 1) -> NDArray[np.bool_]:
  """Whether the label is among the k highest scores, [N]; of tied classes the lower index comes first.

  A row with a NaN is wrong.
  """
  scores, labels = np.asarray(scores), np.asarray(labels)[:, None]
  own = np.take_along_axis(scores, labels, -1)
  ahead = (scores > own) | ((scores == own) & (np.arange(scores.shape[-1]) < labels))
  return (ahead.sum(-1) < k) & ~np.isnan(scores).any(-1)


def accuracy(scores: ArrayLike, labels: ArrayLike) -> float:
  """Share of images whose highest score is their label, in [0, 1]."""
  return top_k(scores, labels, k=1)


def top_k(scores: ArrayLike, labels: ArrayLike, k: int = 5) -> float:
  """Share of images whose label is among the k highest scores, in [0, 1]; 1 where k >= C."""
  return float(correct(scores, labels, k).mean())


def per_class_accuracy(scores: ArrayLike, labels: ArrayLike) -> Array:
  """Accuracy among the images of each class, [C]; NaN for a class without images."""
  scores, labels = np.asarray(scores), np.asarray(labels)
  classes = scores.shape[-1]
  count = np.bincount(labels, minlength=classes)
  right = np.bincount(labels, weights=correct(scores, labels), minlength=classes)
  return np.divide(right, count, out=np.full(classes, np.nan), where=count > 0)
