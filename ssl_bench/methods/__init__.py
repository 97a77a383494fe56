"""One file per method; its name is the method's name.  Nothing is registered: the folder is the list."""

import importlib
import pkgutil
from collections.abc import Callable

from ssl_bench.signature import BadSetting, factory_in, short, suggest


def names() -> list[str]:
  """All methods, found without importing any."""
  return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith('_'))


def get(name: str) -> Callable:
  """The factory of a method; its signature is its schema."""
  return factory_in(_module(name), 'method')


def version(name: str) -> int:
  """Bumped when the method's golden values move; part of a record's identity."""
  return _module(name).VERSION


def _module(name: str):
  if name not in names():
    raise BadSetting(f'There is no method {short(name)}; {suggest(name, names())}')
  return importlib.import_module(f'{__name__}.{name}')
