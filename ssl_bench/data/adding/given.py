"""What a user gave: an entry for each image, and a way to read all of them once, one after the other."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ssl_bench.settings.signature import BadSetting

Raw = Path | bytes | np.ndarray  # a file, an encoded image, or uint8 [H, W] or [H, W, C]

PART_NAMES = {  # as folders and columns name the parts
  **dict.fromkeys(('train', 'training'), 'train'),
  **dict.fromkeys(('validation', 'val', 'valid', 'dev'), 'validation'),
  **dict.fromkeys(('test', 'testing'), 'test'),
  **dict.fromkeys(('unlabeled', 'unlabelled', 'unsupervised'), 'unlabeled'),
}


class Item(NamedTuple):
  """One image before it is read.

  `where` names it in a sentence, `part` is train, validation, test or unlabeled, and `label` the name of its
  class, or None where nobody labeled it.  `row` says where its label stands, if not where the image does.
  """

  where: str
  part: str
  label: str | None
  row: str = ''

  def origin(self) -> str:
    """The image, and its row: `photos/3.png (labels.csv, line 5)`."""
    return f'{self.where} ({self.row})' if self.row else self.where


class Given(NamedTuple):
  """All images of one source.

  `read` yields (position in `items`, image) of each image once, in an order of its own.  `source` says what
  was read, `names` are the classes in the order that the source gives, and `notes` are sentences that the
  user is shown.
  """

  items: Sequence[Item]
  read: Callable[[], Iterator[tuple[int, Raw]]]
  source: str
  names: tuple[str, ...] = ()
  notes: tuple[str, ...] = ()


def join(given: Sequence[Given]) -> Given:
  """Several sources as one."""
  starts = np.cumsum([0, *(len(one.items) for one in given)]).tolist()

  def read() -> Iterator[tuple[int, Raw]]:
    for start, one in zip(starts, given):
      for position, raw in one.read():
        yield start + position, raw

  return Given(
    items=[item for one in given for item in one.items],
    read=read,
    source=', '.join(one.source for one in given),
    names=next((one.names for one in given if one.names), ()),
    notes=tuple(note for one in given for note in one.notes),
  )


def moved(given: Given, part: str) -> Given:
  """The same images, all in one part."""
  labels = part != 'unlabeled'
  items = [item._replace(part=part, label=item.label if labels else None) for item in given.items]
  return given._replace(items=items)


def part_of(word: str) -> str | None:
  """The part that a folder, a split or a cell of a table names, or None."""
  return PART_NAMES.get(word.strip().casefold())


def in_order(labels: Iterable[str]) -> list[str]:
  """The different labels, sorted: whole numbers by value, texts as texts."""
  different = set(labels)
  if all(re.fullmatch(r'-?\d{1,18}', label) for label in different):
    return sorted(different, key=lambda label: (int(label), label))
  return sorted(different)


def check_readable(path: Path) -> None:
  """Raises `BadSetting` where there is no such file or folder, or it cannot be opened."""
  try:
    if path.is_dir():
      next(path.iterdir(), None)
    else:
      path.open('rb').close()
  except FileNotFoundError:
    raise BadSetting(f'there is no {path}; name a folder or a file that is there.') from None
  except OSError as error:
    raise BadSetting(f'{path} cannot be read ({error.strerror}); allow that, or name another.') from None
