"""Divides images into training, validation, test and unlabeled parts, by their content alone.

The order within a part and the choice of a part depend on the SHA-256 of an image's content, never on its
name or its place: the same images always make the same set.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ssl_bench.data.adding.copies import notes_on_copies
from ssl_bench.data.adding.given import Item, in_order
from ssl_bench.data.origins import as_utf_8
from ssl_bench.settings.plural import count
from ssl_bench.settings.signature import BadSetting

SALT = 'ssl_bench added 1'
VALIDATION, TEST = 0.1, 0.2  # shares that are drawn by default
PART_ORDER = ('train', 'validation', 'test', 'unlabeled')
NO_LABELS = 'unlabeled'  # the one class of a set that nobody labeled
FEWEST = 3  # images of a class from which two parts are drawn


class Amount(NamedTuple):
  """How many images a drawn part gets: a number, or a share of those that there are."""

  number: int | None = None
  share: float = 0.0


class Divided(NamedTuple):
  """Positions of the images of each part, in the order of the set; labels of all; the classes; notes."""

  parts: Mapping[str, np.ndarray]
  labels: np.ndarray
  classes: tuple[str, ...]
  notes: tuple[str, ...]


def amount(text: str, option: str) -> Amount:
  """`0.1` as a share below 1, `500` as a count."""
  try:
    value = float(text)
  except ValueError:
    value = -1.0
  if '.' in text and 0 < value < 1:
    return Amount(share=value)
  if text.isascii() and text.isdigit() and 0 < int(text) < 10**9:
    return Amount(int(text))
  raise BadSetting(f'{option} must be a count such as 500 or a share such as 0.1, not {text!r}.')


def divide(
  items: Sequence[Item],
  digests: Sequence[bytes],
  names: Sequence[str],
  validation: Amount | None,
  test: Amount | None,
) -> Divided:
  """The parts of a set.

  A part that was given stays as it is.  The test part is drawn from the training part, from each class in
  proportion, then the validation part, from each class as many.  An image that occurs twice is never drawn,
  so no drawn image has a copy in training.

  Args:
    items: all images.
    digests: SHA-256 of the content of each.
    names: the classes in the order of the source; by default those that occur, sorted.
    validation, test: how much is drawn; None: a tenth and a fifth of the labeled images.

  Raises:
    BadSetting: where classes or parts do not go together, or too few images are left.
  """
  if all(item.label is None for item in items):
    return _without_labels(items, digests, validation, test)
  parts: dict[str, list[int]] = {part: [] for part in PART_ORDER}
  for position, item in enumerate(items):
    part = 'unlabeled' if item.label is None and item.part == 'train' else item.part
    if part in ('validation', 'test') and item.label is None:
      raise BadSetting(f'{item.where} is in the {part} part and has no label; give one, or leave it out.')
    parts[part].append(position)
  check_drawn(parts, validation, test)
  classes = _classes(items, parts, names)
  place = {name: number for number, name in enumerate(classes)}
  labels = np.array([-1 if item.label is None else place[item.label] for item in items], np.int32)
  labels[parts['unlabeled']] = -1
  notes = [
    f'{part}: no image of {", ".join(absent[:5])}{" …" if len(absent) > 5 else ""}'
    for part in ('validation', 'test')
    if parts[part] and (absent := [name for name in classes if place[name] not in set(labels[parts[part]])])
  ]
  return _draw(parts, items, labels, digests, classes, notes, validation, test)


def _without_labels(
  items: Sequence[Item], digests: Sequence[bytes], validation: Amount | None, test: Amount | None
) -> Divided:
  """The parts of a set that nobody labeled: one class, `unlabeled`, and as much held out for each part."""
  parts: dict[str, list[int]] = {part: [] for part in PART_ORDER}
  for position, item in enumerate(items):
    parts['train' if item.part == 'unlabeled' else item.part].append(position)
  if not parts['train']:
    raise BadSetting('no image is there to train on; give --unlabeled with a folder of them.')
  check_drawn(parts, validation, test)
  notes = ['no labels: methods that need none can be trained on it with evaluate.probes=[]']
  labels = np.zeros(len(items), np.int32)
  return _draw(
    parts, items, labels, digests, [NO_LABELS], notes, validation, test or Amount(share=VALIDATION)
  )


def _draw(
  parts: dict[str, list[int]],
  items: Sequence[Item],
  labels: np.ndarray,
  digests: Sequence[bytes],
  classes: Sequence[str],
  notes: list[str],
  validation: Amount | None,
  test: Amount | None,
) -> Divided:
  """Draws the parts that are not there, and puts all into the order of their content."""
  copies = Counter(digests)
  once = [copies[digest] == 1 for digest in digests]
  for part, asked, draw in (('test', test, _in_proportion), ('validation', validation, _equally)):
    if not parts[part]:
      queues = _queues(parts['train'], labels, digests, classes, part)
      drawn = _take(part, queues, draw(queues, asked, classes), once, classes)
      parts[part] = sorted(drawn)
      parts['train'] = sorted(set(parts['train']) - drawn)
  notes += notes_on_copies(items, digests, labels.tolist(), parts)
  ordered = {
    part: np.array(sorted(index, key=lambda i: (digests[i], labels[i])), np.int64)
    for part, index in parts.items()
  }
  return Divided(ordered, labels, tuple(classes), tuple(notes))


def check_drawn(parts: Mapping[str, Sequence[int]], validation: Amount | None, test: Amount | None) -> None:
  """Raises `BadSetting` where a part is to be drawn that was given."""
  for part, asked in (('validation', validation), ('test', test)):
    if parts[part] and asked:
      raise BadSetting(f'the {part} part is given already; leave out --{part}.')


def _classes(items: Sequence[Item], parts: Mapping[str, list[int]], names: Sequence[str]) -> list[str]:
  """The classes in order, every one with training images."""
  labels = {part: Counter(items[i].label for i in index) for part, index in parts.items()}
  trained = {label for label in labels['train'] if label is not None}
  if not trained:
    raise BadSetting('no training image has a label; give folders by class, --labels, or a column of labels.')
  if odd := sorted(label for label in trained if as_utf_8(label) != label):
    raise BadSetting(f'the class {odd[0]!r} has bytes in its name that are no UTF-8; rename its folder.')
  for part in ('validation', 'test'):
    if beyond := sorted(label for label in labels[part] if label is not None and label not in trained):
      example = next(items[i].where for i in parts[part] if items[i].label == beyond[0])
      raise BadSetting(
        f'{example} is of the class {beyond[0]!r}, which has no training image; add some, or leave the class '
        f'out of the {part} part.'
      )
  if len(trained) == 1:
    raise BadSetting(
      f'all labeled images are of one class, {trained.pop()!r}; give two at least (or use --unlabeled for '
      'images without a label).'
    )
  return [name for name in names if name in trained] if names else in_order(trained)


def _queues(
  index: Sequence[int], labels: np.ndarray, digests: Sequence[bytes], classes: Sequence[str], part: str
) -> list[list[int]]:
  """The training images of each class, in the order in which the part takes them."""

  def key(i: int) -> bytes:
    return hashlib.sha256(f'{SALT} {part} '.encode() + digests[i]).digest()

  found: list[list[int]] = [[] for _ in classes]
  for i in sorted(index, key=key):
    found[labels[i]].append(i)
  return found


def _in_proportion(queues: list[list[int]], asked: Amount | None, classes: Sequence[str]) -> list[int]:
  """How many of each class the test part takes: the same share of each, at least 1."""
  sizes = [len(queue) for queue in queues]
  for name, size in zip(classes, sizes):
    if size < FEWEST:
      raise BadSetting(
        f'the class {name!r} has {count(size, "image")}; give {FEWEST} at least, so that one can train, '
        'one validate and one test.'
      )
  asked = asked or Amount(share=TEST)
  share = asked.share if asked.number is None else asked.number / sum(sizes)
  if share >= 1:
    raise BadSetting(
      f'--test {asked.number} is all of the {count(sum(sizes), "image")} or more; ask for less.'
    )
  return [min(max(round(share * size), 1), size - 2) for size in sizes]


def _equally(queues: list[list[int]], asked: Amount | None, classes: Sequence[str]) -> list[int]:
  """How many of each class the validation part takes: as many of each, at most half of the smallest."""
  sizes = [len(queue) for queue in queues]
  smallest = min(sizes)
  name = classes[sizes.index(smallest)]
  if smallest < 2:
    raise BadSetting(
      f'the class {name!r} has {count(smallest, "training image")}; give 2 at least: one validates.'
    )
  if asked and asked.number is not None:
    each = asked.number // len(classes)
    if not 1 <= each < smallest:
      raise BadSetting(
        f'--validation {asked.number} is {each} of each of {len(classes)} classes, and {name!r} has '
        f'{count(smallest, "training image")}; ask for {len(classes)} to {(smallest - 1) * len(classes)}.'
      )
    return [each] * len(classes)
  share = asked.share if asked else VALIDATION
  return [max(1, min(int(share * sum(sizes) / len(classes)), smallest // 2))] * len(classes)


def _take(
  part: str, queues: list[list[int]], wanted: Sequence[int], once: Sequence[bool], classes: Sequence[str]
) -> set[int]:
  """The first images of each class that occur once."""
  taken: set[int] = set()
  for name, queue, number in zip(classes, queues, wanted):
    fit = [i for i in queue if once[i]][:number]
    if len(fit) < number:
      raise BadSetting(
        f'the class {name!r} has {count(len(fit), "image")} without a copy, and the {part} part needs '
        f'{number}; remove the copies, or give a part of your own.'
      )
    taken.update(fit)
  return taken
