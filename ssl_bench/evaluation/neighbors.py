"""The cosine k-nearest-neighbor classifier: what features know without a trained head.

Wu et al. 2018 (InstDisc, arXiv 1805.01978), section 3.4; DINO evaluates in the same way.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

TEMPERATURE = 0.07
SPARE = 64  # candidates beyond k
GROUPS = 4  # of the bank, for each candidate
_CHUNK = 2**23  # similarities held at once


class Votes(NamedTuple):
  """What the neighbors say: predictions [N]; scores [N, C], shares that sum to 1; k, how many voted."""

  predictions: NDArray[np.intp]
  scores: Array
  k: int


def knn(
  bank_features: ArrayLike,
  bank_labels: ArrayLike,
  features: ArrayLike,
  classes: int,
  ks: Iterable[int] = (20, 200),
  *,
  temperature: float | None = TEMPERATURE,
) -> dict[int, Votes]:
  """Votes of the k most similar images of the bank, for each k of `ks`.

  bank_features [M, D], bank_labels [M] and features [N, D] give one `Votes` per k; a k above M is cut to M.
  A neighbor of cosine similarity s votes with exp(s / temperature), or with 1 where temperature is None.  A
  tie goes to the lower class.  Similarities are computed once for all ks, in chunks of queries.
  """
  asked = {k: min(k, len(np.asarray(bank_labels))) for k in ks}
  similarity, index = nearest(bank_features, features, max(asked.values()))
  labels = np.asarray(bank_labels)[index]
  return {k: vote(similarity[:, :held], labels[:, :held], classes, temperature) for k, held in asked.items()}


def nearest(bank: ArrayLike, queries: ArrayLike, k: int) -> tuple[Array, NDArray[np.intp]]:
  """Cosine similarity [N, k], highest first, and index in the bank [N, k] of each query's neighbors.

  bank [M, D] with M >= k; queries [N, D].  A zero vector has similarity 0 to everything.

  In a large bank, candidates are found in float32 and compared in float64.  A query for which one that was
  left out could be as similar as the last is compared with all of the bank.
  """
  bank, queries = unit(bank), unit(queries)
  groups = GROUPS * (k + SPARE)
  if len(bank) < 2 * groups:
    return _nearest_of_all(bank, queries, k)
  quick = bank.astype(np.float32)
  error = (bank.shape[1] + 2) * np.finfo(np.float32).eps  # no float32 product of unit vectors is further off
  similarity, index = np.empty((len(queries), k)), np.empty((len(queries), k), np.intp)
  rows = max(1, _CHUNK // len(bank))
  room = np.empty((min(rows, len(queries)), len(bank)), np.float32)
  unsure = []
  for start in range(0, len(queries), rows):
    own = queries[start : start + rows]
    all_of = np.matmul(own.astype(np.float32), quick.T, out=room[: len(own)])
    for i, (row, least) in enumerate(zip(all_of, _least(all_of, groups, k + SPARE)), start):
      candidates = np.flatnonzero(row >= least)
      exact = bank[candidates] @ queries[i]
      best = np.argsort(-exact, kind='stable')[:k]
      if len(best) == k and exact[best[-1]] > least + error:  # neither where one is not a number
        similarity[i], index[i] = exact[best], candidates[best]
      else:
        unsure.append(i)
  if unsure:
    similarity[unsure], index[unsure] = _nearest_of_all(bank, queries[unsure], k)
  return similarity, index


def _least(similarity: NDArray[np.float32], groups: int, count: int) -> NDArray[np.float32]:
  """[N]: a similarity that at least `count` of each row of [N, M] reach, by the maxima of so many groups."""
  each = similarity.shape[1] // groups
  maxima = similarity[:, : each * groups].reshape(len(similarity), each, groups).max(1)
  return np.partition(maxima, groups - count, axis=-1)[:, groups - count]


def _nearest_of_all(bank: Array, queries: Array, k: int) -> tuple[Array, NDArray[np.intp]]:
  """`nearest` of unit vectors, by every product in float64."""
  similarity, index = np.empty((len(queries), k)), np.empty((len(queries), k), np.intp)
  rows = max(1, _CHUNK // len(bank))
  for start in range(0, len(queries), rows):
    here = slice(start, start + rows)
    all_of = queries[here] @ bank.T
    top = np.argpartition(all_of, len(bank) - k, axis=-1)[:, len(bank) - k :]
    of_top = np.take_along_axis(all_of, top, -1)
    order = np.argsort(-of_top, axis=-1, kind='stable')
    similarity[here] = np.take_along_axis(of_top, order, -1)
    index[here] = np.take_along_axis(top, order, -1)
  return similarity, index


def vote(
  similarity: Array, labels: NDArray[np.integer], classes: int, temperature: float | None = TEMPERATURE
) -> Votes:
  """Votes of neighbors given by similarity [N, k] and label [N, k]; see `knn`."""
  n, k = similarity.shape
  weights = np.ones((n, k))
  if temperature is not None:
    weights = np.exp((similarity - similarity.max(-1, keepdims=True)) / temperature)
  ballot = labels + classes * np.arange(n)[:, None]
  cast = np.bincount(ballot.ravel(), weights.ravel(), n * classes).reshape(n, classes)
  scores = cast / cast.sum(-1, keepdims=True)
  return Votes(scores.argmax(-1), scores, k)


def unit(features: ArrayLike) -> Array:
  """Rows of [N, D] at Euclidean length 1, in float64; a zero row stays zero."""
  features = np.asarray(features, np.float64)
  length = np.linalg.norm(features, axis=-1, keepdims=True)
  return np.divide(features, length, out=np.zeros_like(features), where=length != 0)
