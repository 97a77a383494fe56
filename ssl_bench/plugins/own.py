"""What this package holds of a kind, found by the names of its files or by what stands in them."""

import ast
import importlib.util
import pkgutil
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from ssl_bench.plugins.kinds import Kind, kind_of
from ssl_bench.settings.signature import BadSetting, factory_in

PACKAGE = Path(__file__).parents[1]
_VERSION = re.compile(r'^VERSION = (\d+)\b', re.MULTILINE)


def modules_of(kind: str) -> Mapping[str, str]:
  """Name -> the full name of the module that holds it; imports none, except where the kind has rows."""
  one = kind_of(kind)
  if not one.room:
    return {}
  name = '.'.join([PACKAGE.name, *one.room.split('/')])
  loaded = sys.modules.get(name)
  folders = tuple(loaded.__path__) if loaded else (str(PACKAGE / one.room),)
  if one.row and not one.attribute:
    return {row: module for module in _files(name, folders, one).values() for row in _rows(module, one.row)}
  return _functions(name, folders, one) if one.returns else _files(name, folders, one)


def names_of(kind: str) -> list[str]:
  """The names of this package's own things of a kind."""
  return [*modules_of(kind), *_table(kind_of(kind))]


def get(kind: str, name: str) -> Any:
  """What has a name that is in `names_of(kind)`; raises `BadSetting` for a file without its factory."""
  one = kind_of(kind)
  if name not in modules_of(kind):
    return _table(one)[name]
  module = modules_of(kind)[name]
  if one.attribute:
    return getattr(importlib.import_module(module), one.attribute)
  if one.row:
    return _rows(module, one.row)[name]
  if one.returns:
    return getattr(importlib.import_module(module), name)
  return factory_in(importlib.import_module(module), one.noun)


@cache
def _files(package: str, folders: tuple[str, ...], kind: Kind) -> dict[str, str]:
  """Name of a file -> its module, in a room and in the folders of it."""
  found: dict[str, str] = {}
  for one in pkgutil.iter_modules(folders):
    if one.name[0] == '_' or one.name in kind.parts:
      continue
    if one.ispkg:
      inner = tuple(f'{folder}/{one.name}' for folder in folders)
      found |= _files(f'{package}.{one.name}', inner, kind)
    else:
      found[one.name] = f'{package}.{one.name}'
  return found


@cache
def _functions(package: str, folders: tuple[str, ...], kind: Kind) -> dict[str, str]:
  """Name of a function that is marked by its annotation and takes settings alone -> its module."""
  found = {}
  for file, module in _files(package, folders, kind).items():
    (path,) = (path for folder in folders if (path := Path(folder, f'{file}.py')).is_file())
    for node in ast.parse(path.read_text(encoding='utf-8')).body:
      if isinstance(node, ast.FunctionDef) and _is_factory(node, kind.returns):
        found[node.name] = module
  return dict(sorted(found.items()))


def _is_factory(node: ast.FunctionDef, returns: str) -> bool:
  marked = isinstance(node.returns, ast.Name) and node.returns.id == returns
  return marked and node.name[0] != '_' and not (node.args.args or node.args.posonlyargs)


@cache
def _rows(module: str, row: str) -> dict[str, Any]:
  """Name -> row of a module, which stands there by itself or in a tuple or a list."""
  return {one.name: one for one in _values(importlib.import_module(module)) if type(one).__name__ == row}


def _values(module: ModuleType) -> Iterator[Any]:
  for value in vars(module).values():
    yield from value if type(value) in (tuple, list) else (value,)


def _table(kind: Kind) -> Mapping[str, Any]:
  """Further things of this package, that a table lists."""
  module, _, name = kind.table.partition(':')
  return getattr(importlib.import_module(module), name) if module else {}


def is_own(kind: str, name: Any) -> bool:
  """Whether a name is one of this package's."""
  return isinstance(name, str) and (name in modules_of(kind) or name in _table(kind_of(kind)))


@cache
def version(module: str) -> int:
  """VERSION of a module of this package, which must say one; read from its text, for methods import JAX."""
  spec = importlib.util.find_spec(module)
  found = _VERSION.search(Path(spec.origin).read_text(encoding='utf-8')) if spec and spec.origin else None
  if not found:
    raise BadSetting(f'{module} must say VERSION = 1, a whole number that grows when its results change.')
  return int(found[1])
