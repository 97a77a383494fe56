"""Finds by name whatever a config, a command or a board can name: methods, nets, datasets, measures and more.

`KINDS` lists the kinds.  The things of a kind are this package's own (files of one folder), those of
installed packages (entry points, `packages`) and those of the plugin files that a config names (`files`).
Nothing is imported before it is asked for.  A package cannot take a name that this package has: the name
stays this package's.

    >>> from ssl_bench import plugins
    >>> 'fixmatch' in plugins.names('methods')
    True
    >>> plugins.get('methods', 'fixmach')
    Traceback (most recent call last):
      ...
    ssl_bench.settings.signature.BadSetting: There is no method 'fixmach'; did you mean 'fixmatch'?
"""

import importlib.util
import inspect
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ssl_bench.plugins import files, own, packages
from ssl_bench.plugins.kinds import KINDS, kind_of
from ssl_bench.settings.paths import is_path
from ssl_bench.settings.signature import BadSetting, nearest, short, suggest

__all__ = [
  'KINDS',
  'OURS',
  'get',
  'is_loaded',
  'known_version',
  'load',
  'loaded_files',
  'loaded_text',
  'module_of',
  'names',
  'origin',
  'outside_names',
  'own_names',
  'package_of',
  'source_of',
  'unknown',
  'version',
  'working',
]

OURS = 'ssl_bench'
MOST = 40  # names that a sentence lists


def names(kind: str) -> list[str]:
  """All names of a kind, sorted, found without importing what they name."""
  return sorted({*own.names_of(kind), *files.held(kind), *packages.points_of(kind)})


def own_names(kind: str) -> list[str]:
  """Those of them that are files of this package."""
  return sorted(own.modules_of(kind))


def outside_names(kind: str) -> list[str]:
  """Those of them that are of packages and plugin files."""
  return [name for name in names(kind) if not own.is_own(kind, name)]


def get(kind: str, name: Any) -> Any:
  """What has that name: a factory, whose signature is its schema, or a row.

  Raises `BadSetting` for an unknown name, with the nearest one, and for what cannot be imported.
  """
  if own.is_own(kind, name):
    return own.get(kind, name)
  if _is_of(name, files.held(kind)):
    return files.held(kind)[name].things[kind][name]
  if _is_of(name, packages.points_of(kind)):
    return packages.get(kind, name)
  raise unknown(kind, name)


def unknown(kind: str, name: Any) -> BadSetting:
  """What is said, for every kind, of a name that nothing has."""
  known = names(kind)
  listed = nearest(name, known) or len(known) <= MOST
  advice = suggest(name, known) if listed else f'see: ssl-bench list {kind_of(kind).noun}s.'
  return BadSetting(f'There is no {kind_of(kind).noun} {short(name)}; {advice}')


def _is_of(name: Any, known: Any) -> bool:
  return isinstance(name, str) and name in known


def origin(kind: str, name: str) -> str:
  """Whose a name is: `ssl_bench`, `package tinypack 0.1.0`, `file agreement.py`, or '' where nobody's."""
  if own.is_own(kind, name):
    return OURS
  if name in files.held(kind):
    return f'file {files.held(kind)[name].shown}'
  if points := packages.points_of(kind).get(name):
    return ' and '.join(map(packages.origin_of, points))
  return ''


def package_of(kind: str, name: str) -> str | None:
  """The installed package that a name is of, or None where it is of this package or of a file."""
  if own.is_own(kind, name) or name in files.held(kind):
    return None
  points = packages.points_of(kind).get(name)
  return packages.package_of(points[0]) if points else None


def module_of(kind: str, name: str) -> str:
  """The full name of the module that holds a name; raises `BadSetting` where there is none."""
  if own.is_own(kind, name):
    return own.modules_of(kind)[name]
  found = get(kind, name)
  return found.__module__ if inspect.isfunction(found) else _module_of_row(kind, name)


def _module_of_row(kind: str, name: str) -> str:
  if name in files.held(kind):
    return files.held(kind)[name].module.__name__
  return packages.points_of(kind)[name][0].module


def version(kind: str, name: str) -> int:
  """VERSION of a method's or combinator's module, part of a record's identity; a plugin's is 1 by default."""
  module = module_of(kind, name)
  if own.is_own(kind, name):
    return own.version(module)
  number = getattr(sys.modules[module], 'VERSION', 1)
  if type(number) is not int or number < 1:
    raise BadSetting(
      f'VERSION beside {kind_of(kind).noun} {name} must be a whole number from 1, not {short(number)}.'
    )
  return number


def known_version(kind: str, name: str) -> int | None:
  """As `version`, or None where the name is nobody's here, or its package cannot be imported."""
  try:
    return version(kind, name)
  except BadSetting:
    if own.is_own(kind, name):
      raise
    return None


def loaded_text(module: str) -> str | None:
  """The text of the plugin file that a module is of, or None where it is of no such file."""
  return files.text_of(module)


def source_of(module: str) -> str | None:
  """The text of a plugin's module, as it was loaded, or None where there is no such file."""
  if (text := files.text_of(module)) is not None:
    return text
  try:
    spec = importlib.util.find_spec(module)
  except (ImportError, ValueError):
    return None
  path = Path(spec.origin) if spec and spec.origin else None
  return path.read_text(encoding='utf-8') if path and path.suffix == '.py' and path.is_file() else None


def working(kind: str) -> Iterator[tuple[str, Any]]:
  """(name, what has it) of all that can be imported; a package that cannot be is left out."""
  for name in names(kind):
    try:
      yield name, get(kind, name)
    except BadSetting:
      if own.is_own(kind, name):
        raise


def is_loaded(file: str) -> bool:
  """Whether this process has loaded a plugin file, a path from the working directory."""
  return files.loaded_at(file) is not None


def loaded_files() -> tuple[Path, ...]:
  """The plugin files that this process has loaded, as a key for what depends on them."""
  return files.paths()


def load(plugins: Any) -> None:
  """Makes what a config's `plugins` names ready to be found: paths of files, and names of installed packages.

  A relative path is one from the working directory, as in an override on the command line; in a config or a
  grid file it is one from the folder of that file (`settings.paths`).  Raises
  `BadSetting`, one sentence, for whatever cannot be loaded.
  """
  if plugins is None:
    return
  if (
    not isinstance(plugins, Iterable)
    or isinstance(plugins, str)
    or not all(isinstance(p, str) for p in plugins)
  ):
    raise BadSetting(f'plugins must be a list of files, such as [agreement.py], not {short(plugins)}.')
  for one in plugins:
    if is_path(one):
      files.load(one, origin)
    else:
      packages.check_installed(one)
