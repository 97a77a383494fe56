"""One file per method, in a folder by mechanism; the name of the file is the name of the method."""

import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType

from ssl_bench.settings.signature import BadSetting, factory_in, short, suggest


def _modules() -> dict[str, str]:
  """Method -> the full name of its module, found without importing any."""
  found: dict[str, str] = {}
  for one in pkgutil.iter_modules(__path__):
    if one.ispkg:
      files = pkgutil.iter_modules([f'{path}/{one.name}' for path in __path__])
      found |= {file.name: f'{__name__}.{one.name}.{file.name}' for file in files if file.name[0] != '_'}
    elif one.name[0] != '_':
      found[one.name] = f'{__name__}.{one.name}'
  return found


def names() -> list[str]:
  """All methods, sorted, found without importing any."""
  return sorted(_modules())


def get(name: str) -> Callable:
  """The factory of a method; its signature is its schema."""
  return factory_in(_module(name), 'method')


def version(name: str) -> int:
  """Bumped when the method's golden values move; part of a record's identity."""
  return _module(name).VERSION


def module_of(name: str) -> str:
  """The full name of a method's module; raises `BadSetting` where there is no such method."""
  if found := _modules().get(name):
    return found
  raise BadSetting(f'There is no method {short(name)}; {suggest(name, names())}')


def _module(name: str) -> ModuleType:
  return importlib.import_module(module_of(name))
