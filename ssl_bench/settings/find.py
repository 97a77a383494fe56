"""Where the file of a config or a grid lies: at its path, in the working folder, or in the package."""

import os
from collections.abc import Iterable
from pathlib import Path

from ssl_bench.settings.signature import BadSetting, nearest, short, suggest

# Of the working folder, and of what is shipped.
FOLDERS = {'config': 'configs', 'grid': 'experiments', 'table': 'tables'}
PROTOCOL = '_protocol.yaml'  # what all methods share in a folder of configs
USUAL = 'digits'  # the folder that is suggested first: its data come with scikit-learn
NAME_BYTES = 255  # that a file's name may have
PACKAGE = Path(__file__).parents[1]


def shipped(name: str) -> Path:
  """The path of what comes with the package, such as `configs` or `leaderboard/published.csv`.

  `setup.py` copies them to `ssl_bench/shipped` of a wheel; a checkout has them beside the package.
  """
  installed = PACKAGE / 'shipped'
  return (installed if installed.is_dir() else PACKAGE.parent) / name


def is_file(path: Path) -> bool:
  """Whether there is such a file; no, where there cannot be one of that name."""
  try:
    return path.is_file()
  except OSError:
    return False


def find(path: Path, kind: str, methods: Iterable[str] = ()) -> Path:
  """The file that is meant by a path, or by a name such as digits/fixmatch or quickstart.

  A file that exists is meant by its path.  A name, which has no `.yaml`, is looked for in `./configs` (of a
  config) or `./experiments` (of a grid) first, then among those of the package.  Where nothing is found, it
  is `path`, for `check_file` to refuse.

  Args:
    path: what the user wrote.
    kind: 'config', 'grid' or 'table'.
    methods: names that a folder with a `_protocol.yaml` makes a config of, without a file of their own.
  """
  is_name = not path.is_absolute() and '..' not in path.parts and path.suffix != '.yaml'
  if is_file(path) or not is_name:
    return path
  for folder in _folders(kind):
    file = folder / f'{path}.yaml'
    if is_file(file) or (file.stem in methods and is_file(file.parent / PROTOCOL)):
      return file
  return path


def named_folders(name: Path) -> list[Path]:
  """The folders of configs, those with a `_protocol.yaml`, that the folder of a name may mean."""
  found = [folder / name.parent for folder in _folders('config')]
  return [folder for folder in found if is_file(folder / PROTOCOL)]


def check_file(path: Path, kind: str, methods: Iterable[str] = ()) -> None:
  """Raises `BadSetting` with the nearest right name where `path` is no config, grid or table, as `kind` says.

  `methods` are names that stand for a config as well.
  """
  if is_file(path):
    return
  if any(len(os.fsencode(part)) > NAME_BYTES for part in path.parts):
    raise BadSetting(f'There can be no {kind} {short(str(path))}: its name is too long.')
  if path.is_dir():
    beside = _beside(path)
    choice = f'; choose from {", ".join(beside)}.' if beside else '.'
    raise BadSetting(f'{str(path)!r} is a folder, not a {kind}{choice}')
  names = _names(kind)
  if inside := [name for name in names if name.startswith(f'{path}/')]:
    raise BadSetting(f'{str(path)!r} is a folder, not a {kind}; choose from {", ".join(inside)}.')
  raise BadSetting(f'There is no {kind} {str(path)!r}; {_advice(path, kind, names, methods)}')


def _advice(path: Path, kind: str, names: list[str], methods: Iterable[str]) -> str:
  """What to write in place of a `path` that leads to no file."""
  beside = _beside(path.parent)
  if kind == 'config' and (slip := _near(path, beside, methods)):
    return f'did you mean {str(slip)!r}?'
  meant = {file.removesuffix('.yaml'): file for file in beside}
  for name in (*names, *(f'{USUAL}/{method}' for method in methods)):
    meant.setdefault(name, name)
    meant.setdefault(f'{FOLDERS[kind]}/{name}', name)
    if len(path.parts) == 1:  # the last part of a name alone
      meant.setdefault(Path(name).name, name)
  if near := nearest(str(path).removesuffix('.yaml'), meant):
    return f'did you mean {meant[near]!r}?'
  usual = {'config': 'digits/fixmatch', 'grid': 'quickstart', 'table': 'planetoid'}[kind]
  return suggest(path, beside) if beside else f'name a file, or one that is shipped such as {usual!r}.'


def _near(path: Path, beside: Iterable[str], methods: Iterable[str]) -> Path | None:
  """The config that is meant by a path with a slip in its folder or in its own name; None without one."""
  folders = {folder.parent.name: folder.parent for folder in path.parent.parent.glob(f'*/{PROTOCOL}')}
  if path.parent.name not in folders:  # the name of the file may be that of a plugin's method there
    folder = nearest(path.parent.name, folders)
    return folders[folder] / f'{path.stem}.yaml' if folder else None
  names = {Path(file).stem for file in beside} | set(methods)
  name = path.stem if path.stem in names else nearest(path.stem, names)
  return path.parent / f'{name}.yaml' if name else None


def _folders(kind: str) -> tuple[Path, Path]:
  return Path(FOLDERS[kind]), shipped(FOLDERS[kind])


def _beside(folder: Path) -> list[str]:
  """The paths of a folder's files that can be named."""
  return sorted(str(file) for file in folder.glob('*.yaml') if file.name[0] != '_')


def _names(kind: str) -> list[str]:
  """The names of all files of a kind, in the working folder and shipped, those of `digits` first."""
  found = {
    file.relative_to(folder).with_suffix('').as_posix()
    for folder in _folders(kind)
    for file in folder.glob('**/*.yaml')
    if file.name[0] != '_'
  }
  return sorted(found, key=lambda name: (not name.startswith(f'{USUAL}/'), name))
