"""Pairs of close hashes, found by sorting: the work grows with the number of hashes, not with its square."""

from collections.abc import Callable

import numpy as np

ORDERS = 16  # random orders of the bits
WINDOW = 16  # neighbors in each sorted list
EACH = 4  # of these that are kept
MOST = 8  # candidates that an image keeps


def close_pairs(
  hashes: np.ndarray, within: int, *, most: int = MOST, should_stop: Callable[[], bool] = lambda: False
) -> np.ndarray:
  """Pairs of positions, int64 [P, 2], i < j, whose hashes uint64 [N, K] differ in at most `within` bits.

  The 64 K bits are put into `ORDERS` random orders.  Hashes that are close are likely to begin alike in one
  of them, so each is compared with the next `WINDOW` of each sorted list, and the `EACH` nearest are kept
  (Charikar, Similarity estimation techniques from rounding algorithms, STOC 2002).  Equal hashes beyond the
  window and pairs that never begin alike are missed; of those found an image keeps its `most` nearest.

  Raises `TimeoutError` where `should_stop` is true.
  """
  count, words = hashes.shape
  bits = np.unpackbits(np.ascontiguousarray(hashes).astype('>u8').view(np.uint8), axis=1)
  rng = np.random.Generator(np.random.PCG64(0))
  found: list[np.ndarray] = []
  for _ in range(ORDERS):
    if should_stop():
      raise TimeoutError
    key = np.ascontiguousarray(np.packbits(bits[:, rng.permutation(64 * words)[:64]], axis=1)).view('>u8')
    order = np.argsort(key[:, 0].astype(np.uint64), kind='stable')
    places, steps = _nearest_next(hashes[order], within)
    i, j = order[places], order[places + steps]
    found.append(np.minimum(i, j) * count + np.maximum(i, j))
  codes = np.sort(np.concatenate(found))
  codes = codes[np.r_[True, codes[1:] != codes[:-1]]] if len(codes) else codes
  pairs = np.stack(np.divmod(codes, max(count, 1)), axis=1)
  apart = np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]]).sum(1)
  return pairs[first_of_either(pairs, apart, most)]


def _nearest_next(listed: np.ndarray, within: int) -> tuple[np.ndarray, np.ndarray]:
  """Of each hash the `EACH` nearest of the next `WINDOW` in the list: places, and steps from there."""
  count = len(listed)
  apart = np.full((count, WINDOW), 255, np.uint8)
  for step in range(1, min(WINDOW, count - 1) + 1):
    apart[:-step, step - 1] = np.bitwise_count(listed[:-step] ^ listed[step:]).sum(1)
  chosen = np.argpartition(apart, EACH - 1, axis=1)[:, :EACH]
  places, column = np.nonzero(np.take_along_axis(apart, chosen, 1) <= within)
  return places, chosen[places, column] + 1


def first_of_either(pairs: np.ndarray, cost: np.ndarray, most: int) -> np.ndarray:
  """Which pairs [P, 2] are among the `most` of least cost [P] of one of their two; bool [P]."""
  keep = np.zeros(len(pairs), bool)
  if not len(pairs):
    return keep
  owner = pairs.ravel()
  pair = np.arange(len(pairs)).repeat(2)
  order = np.lexsort((cost[pair], owner))
  starts = np.flatnonzero(np.r_[True, np.diff(owner[order]) != 0])
  rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
  keep[pair[order[rank < most]]] = True
  return keep
