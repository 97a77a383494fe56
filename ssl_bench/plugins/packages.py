"""What installed packages hold, by their entry points: group `ssl_bench.<kind>`, name, module or object.

A package says in its pyproject.toml, for example

    [project.entry-points."ssl_bench.methods"]
    agreement = "tinypack.agreement"

    [project.entry-points."ssl_bench.nets"]
    tiny = "tinypack.networks:tiny"

Nothing is imported before it is asked for, so a package that cannot be imported harms nobody who does not
use it.
"""

from collections.abc import Mapping
from functools import cache
from importlib import metadata
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

from ssl_bench.plugins.kinds import KINDS, kind_of
from ssl_bench.plugins.things import check_thing, fault
from ssl_bench.settings.signature import BadSetting, short

GROUP = 'ssl_bench'


def points_of(kind: str) -> Mapping[str, tuple[EntryPoint, ...]]:
  """Name -> the entry points of that name; imports nothing."""
  kind_of(kind)
  return _points().get(kind, {})


@cache
def _points() -> dict[str, dict[str, tuple[EntryPoint, ...]]]:
  found: dict[str, dict[str, tuple[EntryPoint, ...]]] = {}
  installed = metadata.entry_points()
  for kind in KINDS:
    for point in sorted(installed.select(group=f'{GROUP}.{kind}'), key=package_of):
      same = found.setdefault(kind, {})
      same[point.name] = (*same.get(point.name, ()), point)
  return found


def package_of(point: EntryPoint) -> str:
  """The name of the package that an entry point belongs to."""
  return point.dist.name if point.dist else point.module.partition('.')[0]


def origin_of(point: EntryPoint) -> str:
  """`package tinypack 0.1.0`."""
  return f'package {package_of(point)} {point.dist.version if point.dist else ""}'.strip()


def get(kind: str, name: str) -> Any:
  """What a package registered under a name; raises `BadSetting` where that is not to be had.

  That is: two packages registered the name, the import fails, or what is found there is of another kind.
  """
  points, noun = points_of(kind)[name], kind_of(kind).noun
  if len({package_of(point) for point in points}) > 1:
    owners = ' and '.join(map(package_of, points))
    raise BadSetting(f'There are several {noun}s {name!r}, of the packages {owners}; uninstall all but one.')
  where = f'{noun} {name!r} of {origin_of(points[0])}'
  try:
    found = points[0].load()
  except (Exception, SystemExit) as error:
    raise BadSetting(f'{where} cannot be imported: {fault(error)}.') from None
  if isinstance(found, ModuleType):
    found = _in_module(kind, name, found, where)
  called = check_thing(kind, found, where)
  if kind_of(kind).row and called != name:
    raise BadSetting(f'{where}: its row has the name {called!r}; make it that of the entry point.')
  return found


def _in_module(kind: str, name: str, module: ModuleType, where: str) -> Any:
  """The thing of that name in a module: its function `name`, or its row whose name that is."""
  found = getattr(module, name, None)
  if kind_of(kind).row:
    rows = (one for one in vars(module).values() if type(one).__name__ == kind_of(kind).row)
    found = next((one for one in rows if one.name == name), found)
  if found is None:
    raise BadSetting(f'{where}: {module.__name__} holds no {name}.')
  return found


def check_installed(package: str) -> None:
  """Raises `BadSetting` where a package that a config names is not installed."""
  try:
    metadata.distribution(package)
  except metadata.PackageNotFoundError:
    raise BadSetting(
      f'The package {short(package)}, whose plugins the config uses, is not installed; install it, '
      'or write plugins: [path/to/file.py].'
    ) from None
