"""Added datasets: where they lie below the data folder, which there are, and what names they may have.

The parts of `mine` lie in `ssl_bench/mine/VERSION/parts-1`, where VERSION is the beginning of their
fingerprint; those of the TFDS set `beans` lie in `ssl_bench/tfds/beans/VERSION/parts-1`.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ssl_bench.settings.signature import BadSetting, short

PARTS_FOLDER = 'parts-1'
CHECKS = 'checks'  # the folder of findings
TFDS = 'tfds/'  # how the name of a TFDS set begins that this package has no source for
NAME = re.compile(r'[A-Za-z][A-Za-z0-9_-]{0,63}')
TFDS_NAME = re.compile(r'tfds/[a-z][a-z0-9_]*(/[A-Za-z0-9][\w.-]*)?')
VERSIONED = re.compile(rf'{NAME.pattern}/[0-9a-f]{{8}}')  # how a record names an added set


def is_tfds(name: str) -> bool:
  """Whether a name is that of any TFDS set, `tfds/beans` or, with its config, `tfds/cmaterdb/bangla`."""
  return name.startswith(TFDS)


def check_tfds(name: str) -> None:
  """Raises `BadSetting` for a name that cannot be that of a TFDS set; imports nothing."""
  if not TFDS_NAME.fullmatch(name):
    raise BadSetting(f'{short(name)} is no name of a TFDS set; write tfds/NAME or tfds/NAME/CONFIG.')


def place_of(name: str) -> str:
  """The folder of a set's configs: its name, of a TFDS set without what names its origin."""
  return name.removeprefix(TFDS).replace('/', '_')


def is_added_version(text: str | None) -> bool:
  """Whether a record's `versions.dataset` is that of an added set: its name, and digits of its images."""
  return text is not None and VERSIONED.fullmatch(text) is not None


def home(name: str, root: Path) -> Path:
  """The folder of all versions of a set."""
  return root / 'ssl_bench' / name


def versions(name: str, root: Path) -> list[Path]:
  """The folders of an added set's decoded parts, the one that was written last at the end."""
  found: list[tuple[int, Path]] = []
  with suppress(OSError):
    for version in home(name, root).iterdir():
      parts = version / PARTS_FOLDER
      if version.name[0] != '.' and parts.is_dir():
        found.append((_written(parts), parts))
  return [path for _, path in sorted(found)]


def _written(parts: Path) -> int:
  """When its meta.json was written, in ns; 0 where there is none."""
  try:
    return (parts / 'meta.json').stat().st_mtime_ns
  except OSError:
    return 0


def folder_of(name: str, root: Path) -> Path | None:
  """The folder of an added set's decoded parts, or None where there is no such set."""
  if not (NAME.fullmatch(name) or TFDS_NAME.fullmatch(name)):
    return None
  found = versions(name, root)
  return found[-1] if found else None


def checks_of(name: str, root: Path) -> list[Path]:
  """The findings of `data check` that are kept of a set, a file for each fingerprint it has had."""
  return list((root / 'ssl_bench' / CHECKS).glob(f'{name}-{"[0-9a-f]" * 12}.json'))


def names(root: Path) -> list[str]:
  """The names of all folders below `root` that hold decoded sets, those of this package's sources too."""
  return [*_below(root, '', NAME), *_below(root, TFDS, TFDS_NAME)]


def _below(root: Path, prefix: str, pattern: re.Pattern) -> Iterator[str]:
  place = root / 'ssl_bench' / prefix
  with suppress(OSError):
    for folder in sorted(place.iterdir()):
      name = f'{prefix}{folder.name}'
      if not pattern.fullmatch(name) or not folder.is_dir():
        continue
      if versions(name, root):
        yield name
      elif prefix:
        yield from (
          inner
          for config in sorted(folder.iterdir())
          if pattern.fullmatch(inner := f'{name}/{config.name}') and versions(inner, root)
        )
