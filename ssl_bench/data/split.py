"""The labeled subset: class-balanced, nested in the budget, and the same on every machine.

Its order is that of sha256 digests of (seed, position), so it depends on no library's random numbers.
"""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

from ssl_bench.data.arrays import fingerprint
from ssl_bench.settings.signature import BadSetting


def labeled_order(labels: np.ndarray, split_seed: int | str, classes: int) -> np.ndarray:
  """A permutation of the positions in `labels` (int32 [N]) whose every prefix is class-balanced.

  The order consists of rounds: each takes one image of every class that still has one, the classes in random
  order.  So class counts in a prefix differ by at most one until the smallest class is used up; then the
  rounds go on with the other classes.
  """
  return in_rounds(queues(labels, split_seed, range(classes)), split_seed)


def queues(labels: np.ndarray, split_seed: int | str, classes: Iterable[int]) -> list[list[int]]:
  """For each of the classes, the positions of its images in random order."""
  labels = np.asarray(labels)
  return [
    sorted(np.flatnonzero(labels == label).tolist(), key=lambda i: by_hash(split_seed, 'image', i))
    for label in classes
  ]


def in_rounds(queues: Sequence[Sequence[int]], split_seed: int | str) -> np.ndarray:
  """Merges queues into one order (int32): a round takes the next position of each, in random order."""
  order: list[int] = []
  for turn in range(max(map(len, queues))):
    present = [label for label, queue in enumerate(queues) if turn < len(queue)]
    present.sort(key=lambda label: by_hash(split_seed, 'turn', turn, label))
    order += [queues[label][turn] for label in present]
  return np.array(order, np.int32)


def labeled_indices(
  labels: np.ndarray,
  budget: int | float,
  *,
  split_seed: int,
  classes: int,
  fold: np.ndarray | None = None,
) -> np.ndarray:
  """Positions of the labeled images in the training part, int32 [count], in the order of the draw.

  `budget` is a count (a whole number) or a fraction in (0, 1] of the training part, rounded to the
  nearest count.  A smaller budget's draw is the beginning of a larger one's.  `fold` (positions in the
  training part) restricts the draw to an official fold; counts and fractions then refer to the fold.
  Raises `BadSetting` for fewer labels than classes or more than there are.
  """
  labels = np.asarray(labels)
  pool = np.arange(len(labels)) if fold is None else np.asarray(fold)
  count = count_of(budget, len(pool), classes, 'the training part' if fold is None else 'the fold')
  order = labeled_order(labels[pool], split_seed, classes)
  return pool[order[:count]].astype(np.int32)


def count_of(budget: int | float, available: int, classes: int, where: str) -> int:
  """The number of labels of a budget; raises `BadSetting` below `classes` or above `available`."""
  if isinstance(budget, bool) or not isinstance(budget, (int, float, np.integer, np.floating)):
    raise BadSetting(f'labels must be a count or a fraction in (0, 1], not {budget!r}.')
  count = int(budget)
  if isinstance(budget, (float, np.floating)):
    if not 0 < budget <= 1:
      raise BadSetting(f'labels as a fraction must be in (0, 1], not {budget:g}; a count has no point.')
    count = round(float(budget) * available)
  if count < classes:
    raise BadSetting(f'labels={budget} gives {count} labels for {classes} classes; give each at least one.')
  if count > available:
    raise BadSetting(f'labels={budget} is more than {where} has; use at most {available}.')
  return count


def split_hash(
  labeled: np.ndarray, train: np.ndarray, validation: np.ndarray, test: np.ndarray, **more: np.ndarray
) -> str:
  """sha256 (hex) of the split's index arrays, and of any further arrays in `more`."""
  parts = {'labeled': labeled, 'train': train, 'validation': validation, 'test': test, **more}
  return fingerprint((name, np.asarray(index, np.int32)) for name, index in parts.items())


def cut(labels: np.ndarray, sizes: Sequence[int], *, salt: str, classes: int) -> tuple[np.ndarray, ...]:
  """Disjoint class-balanced parts of the given sizes, then the remaining positions; each int32, ascending.

  `salt` takes the place of a seed, so that no setting can move a dataset's validation or test part.
  """
  order = labeled_order(labels, salt, classes)
  return tuple(np.sort(part) for part in np.split(order, np.cumsum(sizes)))


def by_hash(*words: object) -> bytes:
  """The key that a random order sorts by: sha256 of the words."""
  return hashlib.sha256(':'.join(map(str, words)).encode()).digest()
