"""Ranks of numbers, by which areas under ROC curves are counted and methods are compared."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def midranks(values: ArrayLike, counts: ArrayLike | None = None) -> Array:
  """The rank of each value [n], from 1; ties share the middle of theirs, and where a value is NaN all are.

  With counts [..., n] the ranks [..., n] are those in samples that hold value i counts[..., i] times.
  Without, it is `scipy.stats.rankdata`, whose module takes half a second to import.

    >>> midranks([3.0, 1.0, 3.0]).tolist()
    [2.5, 1.0, 2.5]
  """
  values = np.asarray(values, np.float64)
  counts = np.ones(len(values)) if counts is None else np.asarray(counts, np.float64)
  ranks = np.full(counts.shape, np.nan)
  if len(values) and not np.isnan(values).any():
    order = np.argsort(values, kind='stable')
    starts = np.flatnonzero(np.append(True, values[order][1:] > values[order][:-1]))
    grouped = np.add.reduceat(counts[..., order], starts, axis=-1)
    middle = grouped.cumsum(-1) - (grouped - 1) / 2
    ranks[..., order] = np.repeat(middle, np.diff(np.append(starts, len(values))), axis=-1)
  return ranks


def probability_above(values: ArrayLike, others: ArrayLike) -> float:
  """The probability that one of `values` [m] is above one of `others` [n], a tie being half: an AUROC.

  >>> probability_above([2.0, 3.0], [1.0, 2.0])
  0.875
  """
  values, others = np.asarray(values, np.float64), np.asarray(others, np.float64)
  m, n = len(values), len(others)
  above = midranks(np.concatenate([values, others]))[:m].sum() - m * (m + 1) / 2
  return float(above / (m * n))
