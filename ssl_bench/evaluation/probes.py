"""Probes of frozen features: linear with all labels and with the trial's, cosine kNN, and graphs."""

from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

import numpy as np

from ssl_bench.data.arrays import Dataset
from ssl_bench.evaluation import scores
from ssl_bench.evaluation.linear import Probe, linear_probe
from ssl_bench.evaluation.neighbors import knn

SHOTS = (1, 2, 5)  # labels a class of a few-shot probe
DRAWS = 10  # of the labels of a few-shot probe
NEIGHBORS = 20  # of the probe on another set


class Features(NamedTuple):
  """Frozen features [n, d] of the three parts of a dataset."""

  train: np.ndarray
  validation: np.ndarray
  test: np.ndarray


class ArrayKey:
  """A cache key for arrays: equal bytes, equal key."""

  def __init__(self, *arrays: np.ndarray) -> None:
    self.arrays = arrays
    self.digest = tuple((a.shape, a.dtype.str, sha256(a.tobytes()).digest()) for a in arrays)

  def __eq__(self, other: object) -> bool:
    return isinstance(other, ArrayKey) and self.digest == other.digest

  def __hash__(self) -> int:
    return hash(self.digest)


def with_all_labels(features: Features, dataset: Dataset) -> Probe:
  """The linear probe that is fitted with every label of the training part.

  It takes the longest of all and does not depend on the trial's labels, so the last one is kept.
  """
  key = ArrayKey(features.train, dataset.train_labels, features.validation, dataset.validation_labels)
  return _fit(key, dataset.classes)


@lru_cache(maxsize=1)
def _fit(key: ArrayKey, classes: int) -> Probe:
  train, labels, validation, truth = key.arrays
  return linear_probe(train, labels, validation, truth, classes)


def with_few_labels(features: Features, dataset: Dataset, labeled: np.ndarray) -> Probe:
  """The linear probe of a trial's labels; `labeled` are positions in the training part."""
  return linear_probe(
    features.train[labeled],
    dataset.given_labels[labeled],
    features.validation,
    dataset.validation_labels,
    dataset.classes,
    standardize_on=features.train,
  )


def neighbors(features: Features, dataset: Dataset) -> dict[int, float]:
  """k -> test accuracy of the cosine k-nearest-neighbor classifier, its bank the training part."""
  votes = knn(features.train, dataset.train_labels, features.test, dataset.classes)
  return {k: scores.accuracy(one.scores, dataset.test_labels) for k, one in votes.items()}
