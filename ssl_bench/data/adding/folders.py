"""Folders of images: one folder a class, with folders of parts above them or without."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ssl_bench.data.adding.given import Given, Item, Raw, check_readable, part_of
from ssl_bench.data.adding.pixels import SUFFIXES
from ssl_bench.settings.plural import count
from ssl_bench.settings.signature import BadSetting

EXPECTED = 'give a folder with one folder of images for each class, or --labels FILE.csv'


class Files(NamedTuple):
  """The images below a folder, sorted, and how many other files there are."""

  images: list[Path]
  others: int


def is_hidden(name: str) -> bool:
  """Whether a file or folder is one that a system leaves behind, such as .DS_Store."""
  return name.startswith('.') or name in ('Thumbs.db', 'desktop.ini', '__MACOSX')


def files_below(folder: Path) -> Files:
  """All images in a folder and in the folders below it; links are followed, each folder once."""
  images, others = [], 0
  seen: set[str] = set()
  for place, folders, files in os.walk(folder, followlinks=True, onerror=_refuse):
    real = os.path.realpath(place)
    folders[:] = [] if real in seen else sorted(name for name in folders if not is_hidden(name))
    for name in sorted(files) if real not in seen else ():
      is_image = name.casefold().endswith(SUFFIXES)
      if not is_hidden(name) and is_image:
        images.append(Path(place) / name)
      others += not (is_hidden(name) or is_image)
    seen.add(real)
  return Files(sorted(images), others)


def _refuse(error: OSError) -> None:
  raise BadSetting(f'{error.filename} cannot be read ({error.strerror}); allow that, or leave it out.')


def folders_in(folder: Path) -> list[Path]:
  """The folders directly in a folder, sorted."""
  check_readable(folder)
  return sorted(path for path in folder.iterdir() if path.is_dir() and not is_hidden(path.name))


def from_files(items: Sequence[Item], paths: Sequence[Path], source: str, **more) -> Given:
  """A source whose images are files."""

  def read() -> Iterator[tuple[int, Raw]]:
    yield from enumerate(paths)

  return Given(items, read, source, **more)


def unlabeled_folder(folder: Path) -> Given:
  """All images below a folder, in whatever folders they lie, without labels."""
  check_is_folder(folder)
  images, others = files_below(folder)
  if not images:
    raise BadSetting(f'{folder} holds no image ({", ".join(SUFFIXES)}); name a folder with images.')
  items = [Item(str(path), 'unlabeled', None) for path in images]
  return from_files(items, images, str(folder), notes=_ignored(others))


def class_folders(folder: Path) -> Given:
  """Folders by class; above them, there may be train/, test/, validation/ and unlabeled/."""
  check_is_folder(folder)
  inside = folders_in(folder)
  parts = {path: part for path in inside if (part := part_of(path.name))}
  if not set(parts.values()) - {'unlabeled'}:  # the classes lie directly in the folder
    items, paths, others = _classes(folder, [path for path in inside if path not in parts], 'train', True)
  else:
    _check_parts(folder, inside, parts)
    items, paths, others = [], [], sum(_is_stray(path) for path in folder.iterdir())
    for path, part in parts.items():
      if part != 'unlabeled':
        found = _classes(path, folders_in(path), part, part == 'train')
        items, paths, others = items + found[0], paths + found[1], others + found[2]
  for path in (path for path, part in parts.items() if part == 'unlabeled'):
    images, more = files_below(path)
    items += [Item(str(image), 'unlabeled', None) for image in images]
    paths, others = paths + images, others + more
  return from_files(items, paths, str(folder), notes=_ignored(others))


def check_is_folder(folder: Path) -> None:
  """Raises `BadSetting` where there is no such folder."""
  check_readable(folder)
  if not folder.is_dir():
    raise BadSetting(f'{folder} is a file; {EXPECTED}.')


def _check_parts(folder: Path, inside: Sequence[Path], parts: dict[Path, str]) -> None:
  """Raises `BadSetting` where folders of parts stand beside others, twice, or without train/."""
  if left := [path.name for path in inside if path not in parts]:
    named = ', '.join(f'{path.name}/' for path in parts)
    raise BadSetting(
      f'{folder} has {named} and beside them {left[0]}/; move {left[0]}/ into one of them, or, where all of '
      'these are classes, move all into a new folder train/.'
    )
  for part in ('train', 'validation', 'test'):
    twice = [path.name for path, found in parts.items() if found == part]
    if len(twice) > 1:
      raise BadSetting(
        f'{folder} has {twice[0]}/ and {twice[1]}/, which both are the {part} part; join them.'
      )
  if 'train' not in parts.values():
    raise BadSetting(f'{folder} has {next(iter(parts)).name}/ and no train/; add it, or name its folder.')


def _classes(
  folder: Path, classes: Sequence[Path], part: str, needs_all: bool
) -> tuple[list[Item], list[Path], int]:
  """Items, files and the number of other files of folders by class."""
  items: list[Item] = []
  paths: list[Path] = []
  others = 0
  loose = [path for path in folder.iterdir() if _is_stray(path)]
  pictures = [path for path in loose if path.suffix.casefold() in SUFFIXES]
  if not classes and pictures:
    raise BadSetting(
      f'{folder} holds {count(len(pictures), "image")} and no folder for each class; {EXPECTED} '
      '(or --unlabeled, if nobody labeled them).'
    )
  if pictures:
    raise BadSetting(f'{pictures[0]} lies beside the folders of the classes; move it into one, or remove it.')
  if not classes:
    raise BadSetting(f'{folder} holds no folder of images; {EXPECTED}.')
  for path in classes:
    found = files_below(path)
    if not found.images and needs_all:
      raise BadSetting(f'{path} holds no image; put images of the class {path.name!r} there, or remove it.')
    items += [Item(str(image), part, path.name) for image in found.images]
    paths, others = paths + found.images, others + found.others
  return items, paths, others + len(loose)


def _is_stray(path: Path) -> bool:
  """Whether a path is a file that a user put there, not one that a system leaves behind."""
  return path.is_file() and not is_hidden(path.name)


def _ignored(others: int) -> tuple[str, ...]:
  return (f'ignored {count(others, "file")} with no suffix of an image',) if others else ()
