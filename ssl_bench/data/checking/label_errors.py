"""Confident learning: which labels are probably wrong, from probabilities that did not see them.

Own code, since it is short and the package `cleanlab` brings a hundred megabytes; the tests compare the two.
"""

from typing import NamedTuple

import numpy as np

ROUNDING = 1e-6  # by which a probability may miss its threshold


class Suspects(NamedTuple):
  """Labels that are probably wrong, the least likely first.

  `positions` int64 [S]; `suggested` int64 [S], the class that they are counted as; `margin` float [S] in
  [0, 1], (p of the given label - the largest p of another + 1) / 2; `joint` int64 [classes, classes], how
  many labels given as the row are confidently of the column's class.
  """

  positions: np.ndarray
  suggested: np.ndarray
  margin: np.ndarray
  joint: np.ndarray


def thresholds(labels: np.ndarray, probs: np.ndarray) -> np.ndarray:
  """float [classes]: the mean probability of each class over what is labeled so; 2 where nothing is.

  Source: Northcutt, Jiang and Chuang, Confident learning (JAIR 2021), equation 2.
  """
  return np.array(
    [probs[labels == k, k].mean() if (labels == k).any() else 2.0 for k in range(probs.shape[1])]
  )


def suspects(labels: np.ndarray, probs: np.ndarray) -> Suspects:
  """Labels, int [N], that out-of-fold probabilities [N, classes] confidently give to another class.

  An example is counted as a class whose probability reaches the class's threshold, the likeliest if several
  do (equation 1); off the diagonal of these counts are the suspects.  Those whose given label is as likely as
  any other are left out.  They are ranked by normalized margin.
  """
  rows = np.arange(len(labels))
  confident = probs >= thresholds(labels, probs) - ROUNDING
  counted = np.where(confident, probs, -1).argmax(1)
  sure = confident.any(1)
  joint = np.zeros((probs.shape[1],) * 2, np.int64)
  np.add.at(joint, (labels[sure], counted[sure]), 1)
  others = probs.copy()
  others[rows, labels] = -1
  margin = (probs[rows, labels] - others.max(1) + 1) / 2
  found = np.flatnonzero(sure & (counted != labels) & (probs[rows, labels] < probs.max(1)))
  found = found[np.argsort(margin[found], kind='stable')]
  return Suspects(found, counted[found], margin[found], joint)
