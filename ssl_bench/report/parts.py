"""What a report is made of: sections of sentences, figures, tables and pictures, which the template shows."""

from collections.abc import Sequence
from typing import NamedTuple


class Sentence(NamedTuple):
  """Plain text."""

  text: str
  kind: str = 'sentence'


class Figure(NamedTuple):
  """A drawing with its title, and in `svg` a description for who cannot see it."""

  title: str
  svg: str


class Figures(NamedTuple):
  """Small multiples."""

  figures: Sequence[Figure]
  kind: str = 'figures'


class Cell(NamedTuple):
  """Text over a ground that is the darker the larger `share` in [0, 1] is."""

  text: str
  share: float = 0.0
  is_right: bool = False


class Table(NamedTuple):
  """Rows whose first cell names the row; the others are numbers, or texts."""

  caption: str
  heads: Sequence[str]
  rows: Sequence[Sequence[str | Cell]]
  of_texts: bool = False
  kind: str = 'table'


class Picture(NamedTuple):
  """One example: an image as a `data:` address, or a text; an image `below` it; and lines about it."""

  image: str
  text: str
  alt: str
  lines: Sequence[str]
  below: str = ''
  alt_below: str = ''


class Pictures(NamedTuple):
  """A row of examples."""

  caption: str
  items: Sequence[Picture]
  kind: str = 'pictures'


class Beside(NamedTuple):
  """The same of each trial, in columns where there is room: (name of the trial, its parts)."""

  columns: Sequence[tuple[str, Sequence['Part']]]
  kind: str = 'beside'


Part = Sentence | Figures | Table | Pictures | Beside


class Section(NamedTuple):
  """A heading and what stands below it."""

  id: str
  title: str
  parts: Sequence[Part]


def of_each(id_: str, title: str, columns: Sequence[tuple[str, Sequence[Part]]]) -> Section:
  """A section of the parts of one trial, or of those of several, each under its name, beside each other."""
  return Section(id_, title, columns[0][1] if len(columns) == 1 else [Beside(columns)])
