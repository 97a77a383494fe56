"""Copies among images, byte by byte: how many there are, which lie in two parts, which differ in label."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations

from ssl_bench.data.adding.given import Item
from ssl_bench.settings.plural import count

ACROSS = (
  ('test', 'train'),
  ('test', 'unlabeled'),
  ('test', 'validation'),
  ('validation', 'train'),
  ('validation', 'unlabeled'),
)


def notes_on_copies(
  items: Sequence[Item], digests: Sequence[bytes], labels: Sequence[int], parts: Mapping[str, Sequence[int]]
) -> list[str]:
  """Sentences on copies; none where every image occurs once.

  Args:
    items: all images.
    digests: SHA-256 of the content of each.
    labels: the label of each, -1 without one.
    parts: positions of the images of each part.
  """
  alike: defaultdict[bytes, list[int]] = defaultdict(list)
  for position, digest in enumerate(digests):
    alike[digest].append(position)
  groups = [group for group in alike.values() if len(group) > 1]
  if not groups:
    return []
  twice = sum(len(group) - 1 for group in groups)
  notes = [f'{count(twice, "image")} {"is a copy" if twice == 1 else "are copies"} of another, byte by byte']
  part_of = {position: part for part, index in parts.items() for position in index}
  for part, other in ACROSS:
    found = [(i, j) for group in groups for i, j in _first_in(group, part, other, part_of)]
    if found:
      verb = 'has a copy' if len(found) == 1 else 'have copies'
      notes.append(
        f'{count(len(found), f"{part} image")} {verb} in {other}, such as {_such(items, found[0])}'
      )
  if apart := [pair for group in groups for pair in _first_apart(group, labels)]:
    pairs = sum(_apart(group, labels) for group in groups)
    verb = 'has' if pairs == 1 else 'have'
    notes.append(
      f'{count(pairs, "pair")} of copies {verb} different labels, such as {_such(items, apart[0])}'
    )
  return notes


def _such(items: Sequence[Item], pair: tuple[int, int]) -> str:
  return ' and '.join(items[i].where for i in pair)


def _first_in(
  group: Sequence[int], part: str, other: str, part_of: Mapping[int, str]
) -> list[tuple[int, int]]:
  """Each image of `part`, with its first copy in `other`."""
  copies = [i for i in group if part_of[i] == other]
  return [(i, copies[0]) for i in group if part_of[i] == part and copies]


def _first_apart(group: Sequence[int], labels: Sequence[int]) -> list[tuple[int, int]]:
  """The first two images of a group that have different labels."""
  firsts = {labels[i]: i for i in reversed(group) if labels[i] >= 0}
  return list(combinations(sorted(firsts.values()), 2))[:1]


def _apart(group: Sequence[int], labels: Sequence[int]) -> int:
  """The pairs of a group that have different labels."""
  sizes = Counter(int(labels[i]) for i in group if labels[i] >= 0)
  return sum(a * b for a, b in combinations(sizes.values(), 2))
