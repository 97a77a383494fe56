"""One file per method, in a folder by mechanism; the name of the file is the name of the method."""

from collections.abc import Callable

from ssl_bench import plugins


def names() -> list[str]:
  """All methods, sorted, found without importing any."""
  return plugins.names('methods')


def get(name: str) -> Callable:
  """The factory of a method; its signature is its schema.  Raises `BadSetting` for an unknown name."""
  return plugins.get('methods', name)


def version(name: str) -> int:
  """Bumped when the method's golden values move; part of a record's identity."""
  return plugins.version('methods', name)


def module_of(name: str) -> str:
  """The full name of a method's module; raises `BadSetting` where there is no such method."""
  return plugins.module_of('methods', name)
