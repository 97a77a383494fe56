"""Attribute inference: what a linear probe of frozen features tells of an attribute that is not the label.

Song & Shmatikov, "Overlearning Reveals Sensitive Attributes" (2020): a representation of a model that learned
something else tells an attacker, who has examples with the attribute, that of further examples.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ssl_bench.evaluation.intervals import FEWEST, bootstrap_interval
from ssl_bench.evaluation.linear import linear_probe

Array = NDArray[np.float64]


class Groups(NamedTuple):
  """The attribute of each example of the three parts, int32 [N]: a position among the groups' names."""

  train: np.ndarray
  validation: np.ndarray
  test: np.ndarray


class Told(NamedTuple):
  """How well the attribute of test examples is told.

  Attributes:
    balanced: mean over the groups of the test part of the share that is told right, in [0, 1].
    balanced_interval: percentile bootstrap interval of it over test examples, 95 %; None below 3.
    chance: of `balanced`, one over the number of groups of the test part.
    accuracy: share of test examples that are told right.
    majority: the same of always naming the largest group of the training part.
  """

  balanced: float
  balanced_interval: list[float] | None
  chance: float
  accuracy: float
  majority: float


def told(features: Sequence[ArrayLike], groups: Groups, count: int, resamples: int = 1000) -> Told:
  """What the linear probe of the protocol tells of the groups.

  Args:
    features: [N, d] of the training, the validation and the test part; the attacker knows the attribute of
      the first two, and the second chooses the penalty.
    groups: theirs.
    count: how many groups there are.
    resamples: of the bootstrap.
  """
  train, validation, test = features
  probe = linear_probe(train, groups.train, validation, groups.validation, count)
  right = probe.logits(test).argmax(-1) == groups.test
  statistic = lambda weights, hit, of: balanced_accuracy(weights, hit, of, count)
  interval = bootstrap_interval(statistic, right, groups.test, resamples=resamples)
  return Told(
    balanced=float(statistic(np.ones((1, len(right))), right, groups.test)[0]),
    balanced_interval=[*interval] if len(right) >= FEWEST else None,
    chance=1 / len(np.unique(groups.test)),
    accuracy=float(right.mean()),
    majority=float((groups.test == np.bincount(groups.train).argmax()).mean()),
  )


def balanced_accuracy(weights: Array, right: ArrayLike, of: ArrayLike, count: int) -> Array:
  """[R]: the mean over groups of the share that is right, of [N] examples under rows of [R, N] weights.

  A group that a row leaves without an example does not count in it.
  """
  inside = np.asarray(of)[:, None] == np.arange(count)
  total = weights @ inside
  hits = weights @ (inside & np.asarray(right, bool)[:, None])
  shares = np.divide(hits, total, out=np.zeros_like(hits), where=total > 0)
  return shares.sum(1) / (total > 0).sum(1)
