"""Duplicates within and across parts: equal inputs, and images that show the same picture."""

import hashlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from ssl_bench.data.checking.candidates import close_pairs, first_of_either
from ssl_bench.data.checking.hashes import dct_hash, difference_hash
from ssl_bench.data.checking.thumbnails import chunks, details

BITS = 40  # of 128, in which two hashes of candidates may differ
ALIKE = 0.7  # the least correlation of the details of twins
APART = 0.6  # the most distance of twins, as a share of that to the nearest image of the sample
SAMPLE = 4096  # images that say how near two different images of the set come
FIRST = 256  # of these, asked first
SHIFT = 1 / 16  # of the longer side: how far one of two twins may be moved
WORTH = 0.1  # the least correlation, unmoved, of pairs that are tried moved
TRIED = 4  # pairs of an image that are tried moved


class Twins(NamedTuple):
  """Pairs of near duplicates: positions int64 [P, 2], i < j, and two numbers of each pair, float32 [P].

  `correlation` is that of the details, in [-1, 1]; `relative` is the pair's distance as a share of that from
  the first of the two to the nearest image of a sample of the set.
  """

  pairs: np.ndarray
  correlation: np.ndarray
  relative: np.ndarray


def equal_pairs(inputs: np.ndarray) -> np.ndarray:
  """Pairs of positions, int64 [P, 2], i < j, of equal inputs [N, …]; each with the first of its like."""
  first: dict[bytes, int] = {}
  pairs = []
  for j, row in enumerate(inputs):
    i = first.setdefault(hashlib.blake2b(np.ascontiguousarray(row).data, digest_size=16).digest(), j)
    if i != j:
      pairs.append((i, j))
  return np.array(pairs, np.int64).reshape(-1, 2)


def twins(images: np.ndarray, *, should_stop: Callable[[], bool] = lambda: False) -> Twins:
  """The near duplicates among uint8 images [N, H, W, 1 or 3], equal ones left out.

  Candidates have close hashes (`dct_hash` and `difference_hash`, together at most `BITS` of 128 bits apart).
  A pair is confirmed on the pixels: the details (`thumbnails.details`) of the two, one of them moved by up to
  `SHIFT`, correlate by at least `ALIKE`, and their distance, sqrt(1 - correlation), is at most `APART` times
  that to the nearest of `SAMPLE` other images.  The second condition is that of a ratio (Lowe, IJCV 2004,
  section 7.1): in a set of plain shapes even different images correlate, and twins must stand out from them.

  Raises `TimeoutError` where `should_stop` is true.
  """
  hashes = np.stack([dct_hash(images), difference_hash(images)], axis=1)
  pairs = close_pairs(hashes, BITS, should_stop=should_stop)
  if not len(pairs):
    return Twins(pairs, np.zeros(0, np.float32), np.zeros(0, np.float32))
  places, pairs = np.unique(pairs, return_inverse=True)  # of the images that are in pairs
  pairs = pairs.reshape(-1, 2)
  seen = details(images[places])
  correlation = _unmoved(seen, pairs)
  worth = correlation >= WORTH
  pairs, correlation = pairs[worth], correlation[worth]
  pairs = pairs[first_of_either(pairs, -correlation, TRIED)]
  if should_stop():
    raise TimeoutError
  correlation, moves = _moved(seen, pairs)
  near = correlation >= ALIKE
  pairs, correlation, moves = pairs[near], correlation[near], moves[near]
  chosen = np.random.Generator(np.random.PCG64(0)).permutation(len(images))[:SAMPLE]
  relative = _relative(seen, pairs, correlation, moves, details(images[np.sort(chosen)]))
  pairs = places[pairs]
  keep = (relative <= APART) & ~_equal(images, pairs)
  return Twins(pairs[keep], correlation[keep].astype(np.float32), relative[keep].astype(np.float32))


def _equal(images: np.ndarray, pairs: np.ndarray) -> np.ndarray:
  same = np.zeros(len(pairs), bool)
  for part in chunks(len(pairs)):
    a, b = images[pairs[part, 0]], images[pairs[part, 1]]
    same[part] = (a == b).reshape(len(a), -1).all(1)
  return same


def _unit(pictures: np.ndarray) -> np.ndarray:
  """Pictures [N, h, w] as rows of mean 0 and length 1; rows of zeros where a picture is flat."""
  rows = pictures.reshape(len(pictures), pictures.shape[1] * pictures.shape[2])
  rows = rows - rows.mean(1, keepdims=True)
  length = np.linalg.norm(rows, axis=1, keepdims=True)
  return np.where(length > 1e-3, rows / np.maximum(length, 1e-3), 0)


def _unmoved(seen: np.ndarray, pairs: np.ndarray) -> np.ndarray:
  unit = _unit(seen)
  found = np.empty(len(pairs), np.float32)
  for part in chunks(len(pairs), 8 * 4096):
    found[part] = np.einsum('nd,nd->n', unit[pairs[part, 0]], unit[pairs[part, 1]])
  return found


def _cut(pictures: np.ndarray, down: int, right: int) -> np.ndarray:
  """What is left of pictures [N, h, w] where they overlap others that are moved down and right."""
  h, w = pictures.shape[1:]
  return pictures[:, max(down, 0) : h + min(down, 0), max(right, 0) : w + min(right, 0)]


def _moved(seen: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """The best correlation of each pair, float [P], and the move (down, right), int [P, 2], that gives it.

  Climbs from no move by one pixel at a time, for as long as it gets better.
  """
  reach = round(max(seen.shape[1:]) * SHIFT)
  moves = np.zeros((len(pairs), 2), np.int64)
  best = _at_moves(seen, pairs, moves)
  climbing = np.arange(len(pairs))
  while len(climbing):
    start, better = moves[climbing], np.zeros(len(climbing), bool)
    for step in ((-1, 0), (1, 0), (0, -1), (0, 1)):
      tried = start + step
      inside = np.flatnonzero(np.abs(tried).max(1) <= reach)
      found = _at_moves(seen, pairs[climbing[inside]], tried[inside])
      gain = found > best[climbing[inside]]
      best[climbing[inside[gain]]], moves[climbing[inside[gain]]] = found[gain], tried[inside[gain]]
      better[inside[gain]] = True
    climbing = climbing[better]
  return best, moves


def _groups(moves: np.ndarray, size: int) -> Iterator[tuple[int, int, np.ndarray]]:
  """Each move (down, right) with the places where it stands, at most `size` at a time."""
  for down, right in np.unique(moves, axis=0).tolist():
    places = np.flatnonzero((moves == (down, right)).all(1))
    for part in chunks(len(places), size):
      yield down, right, places[part]


def _at_moves(seen: np.ndarray, pairs: np.ndarray, moves: np.ndarray) -> np.ndarray:
  """The correlation of each pair under its move."""
  found = np.empty(len(pairs))
  for down, right, places in _groups(moves, 2048):
    a, b = _cut(seen[pairs[places, 0]], down, right), _cut(seen[pairs[places, 1]], -down, -right)
    found[places] = np.einsum('nd,nd->n', _unit(a), _unit(b))
  return found


def _relative(
  seen: np.ndarray, pairs: np.ndarray, correlation: np.ndarray, moves: np.ndarray, sample: np.ndarray
) -> np.ndarray:
  """Each pair's distance as a share of that from its first to the nearest of the sample, moved alike.

  Images of the sample that are as near as the pair are its own two, or further twins, and do not count.
  """
  found = np.ones(len(pairs))
  for down, right, places in _groups(moves, 4096):
    others = _unit(_cut(sample, -down, -right))
    ones, own = _unit(_cut(seen[pairs[places, 0]], down, right)), correlation[places]
    found[places] = _share(ones, own, others[:FIRST])
    close = np.flatnonzero(found[places] <= APART)  # more images can only make a share larger
    found[places[close]] = _share(ones[close], own[close], others)
  return found


def _share(ones: np.ndarray, own: np.ndarray, others: np.ndarray) -> np.ndarray:
  near = ones @ others.T
  nearest = np.where(near >= own[:, None] - 1e-5, -1, near).max(1)
  return np.sqrt(np.maximum(1 - own, 0) / (1 - nearest))
