"""Predictions as they are kept: what every measure of predictions alone can be computed from, again."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ssl_bench.data.arrays import Dataset
from ssl_bench.evaluation.scores import log_softmax

LOWEST = -60_000.0  # of a log-probability: float16 ends at -65,504


class Predictions(NamedTuple):
  """The log-probabilities of a classifier on held-out images, and what the images are.

  Attributes:
    log_probs: of the N test images, float16 [N, C]; see `rounded`.
    labels: theirs, int32 [N].
    positions: of the test images in the official test split, int32 [N].
    validation_log_probs: of the V validation images, float16 [V, C].
    validation_labels: theirs, int32 [V].
    groups: which group a test image is from, such as its speaker, int32 [N]: a position in `group_names`;
      None where the dataset has no groups.
    group_names: theirs.
  """

  log_probs: NDArray[np.float16]
  labels: NDArray[np.int32]
  positions: NDArray[np.int32]
  validation_log_probs: NDArray[np.float16]
  validation_labels: NDArray[np.int32]
  groups: NDArray[np.int32] | None = None
  group_names: tuple[str, ...] = ()


def keep(validation: ArrayLike, test: ArrayLike, dataset: Dataset) -> Predictions:
  """The predictions of finite logits [V, C] and [N, C] on the validation and the test part of a dataset."""
  whole = lambda array: np.asarray(array, np.int32)
  return Predictions(
    rounded(test),
    whole(dataset.test_labels),
    whole(dataset.test_index),
    rounded(validation),
    whole(dataset.validation_labels),
    None if dataset.test_groups is None else whole(dataset.test_groups),
    dataset.group_names,
  )


def rounded(logits: ArrayLike) -> NDArray[np.float16]:
  """The log-probabilities of logits [N, C] in half precision, with the same predicted class.

  A log-probability and not a probability is rounded: near 1 the steps of half precision are 0.0005 wide, in
  which many confident images would tie, and below 0.00000003 a probability would be 0 and its loss infinite.
  Of 1 − p, a log-probability keeps three digits.  Where rounding makes another class tie with the predicted
  one, the other one goes down by one step.

      >>> np.exp(rounded([[8.0, 0.0]]).astype(float)).round(6)
      array([[9.99664e-01, 3.35000e-04]])
  """
  exact = np.maximum(log_softmax(logits), LOWEST)
  rows, top = np.arange(len(exact)), exact.argmax(-1)
  found = exact.astype(np.float16)
  best = found[rows, top].copy()
  found = np.where(found == best[:, None], np.nextafter(found, np.float16(-np.inf)), found)
  found[rows, top] = best
  return found
