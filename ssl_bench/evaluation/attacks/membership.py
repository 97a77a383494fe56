"""Membership inference on an encoder: views of an example that it was trained on may be more alike.

Liu et al., "EncoderMI: Membership Inference against Pre-trained Encoders in Contrastive Learning" (2021): an
encoder that overfits gives more similar features to augmented versions of an example of its training set.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from ssl_bench.evaluation.anomaly import auroc
from ssl_bench.evaluation.intervals import FEWEST
from ssl_bench.evaluation.ranks import midranks

Array = NDArray[np.float64]
VIEWS = 10
RATE = 0.01  # of others that are called members, at most
SHORTEST = 1e-12  # a shorter row of features has no direction


class Told(NamedTuple):
  """How well a score tells members from others.

  Attributes:
    auc: probability that a member has the larger score, a tie being half; NaN if a score is not finite.
    auc_interval: 95 %, over members and others; None below 3 of either, or without an AUC.
    tpr: share of members above a threshold that at most 1 % of the others pass; None below 100 others.
  """

  auc: float
  auc_interval: list[float] | None
  tpr: float | None


class Consistency:
  """The similarity of views of n examples, view by view: nothing but two sums is kept."""

  def __init__(self, n: int) -> None:
    self.views, self.squares = 0, np.zeros(n)
    self.total: Array | None = None

  def add(self, features: ArrayLike) -> None:
    """Adds one view's features, [n, d]."""
    features = np.asarray(features, np.float64)
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), SHORTEST)
    self.views += 1
    self.squares += (unit**2).sum(1)
    self.total = unit if self.total is None else self.total + unit

  def mean(self) -> Array:
    """[n]: the mean cosine similarity of two different views of each example; needs two views.

    Σ_{i≠j} u_i · u_j = ‖Σ u‖² − Σ ‖u‖²; a row of zeros is at similarity 0 to all.
    """
    assert self.total is not None
    return ((self.total**2).sum(1) - self.squares) / (self.views * (self.views - 1))


def told(members: ArrayLike, others: ArrayLike) -> Told:
  """What a score [m] of members and [n] of others, larger for members, is worth.

  >>> told([0.9, 0.8, 0.7], [0.6, 0.5, 0.75]).auc.__round__(3)
  0.889
  """
  members, others = np.asarray(members, np.float64), np.asarray(others, np.float64)
  auc = auroc(others, members)
  return Told(auc, auc_interval(members, others), tpr_at(members, others))


def auc_interval(members: ArrayLike, others: ArrayLike, level: float = 0.95) -> list[float] | None:
  """The normal interval of the AUC by DeLong, DeLong & Clarke-Pearson (1988), cut to [0, 1].

  Its variance is that of the members' placements among the others over m, plus the other way round over n.
  Of scores that are wholly apart it is zero, so the interval is then too short.
  """
  members, others = np.asarray(members, np.float64), np.asarray(others, np.float64)
  m, n = len(members), len(others)
  if min(m, n) < FEWEST or not (np.isfinite(members).all() and np.isfinite(others).all()):
    return None
  ranks = midranks(np.concatenate([members, others]))
  below = (ranks[:m] - midranks(members)) / n  # share of others below each member
  above = 1 - (ranks[m:] - midranks(others)) / m  # share of members above each other
  half = special.ndtri((1 + level) / 2) * np.sqrt(below.var(ddof=1) / m + above.var(ddof=1) / n)
  return [max(float(below.mean() - half), 0.0), min(float(below.mean() + half), 1.0)]


def tpr_at(members: ArrayLike, others: ArrayLike, rate: float = RATE) -> float | None:
  """The largest share of members above a threshold that at most a share `rate` of others passes.

  Carlini et al., "Membership Inference Attacks From First Principles" (2022), ask for this number: an attack
  that is sure of a few members is worse than its AUC says.  Scores that tie pass together.  None where
  `rate` of the others is less than one, or a score is not finite.
  """
  members, others = np.asarray(members, np.float64), np.asarray(others, np.float64)
  allowed = int(np.floor(rate * len(others) + 1e-9))
  if not allowed or not (np.isfinite(members).all() and np.isfinite(others).all()):
    return None
  highest = np.sort(others)[::-1][allowed]  # the first other that may not pass
  return float((members > highest).mean())
