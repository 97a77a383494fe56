"""Combinators: what changes the pseudo-labels of any method that makes some; one file each, found by name."""

from collections.abc import Callable, Iterable
from typing import Any

from ssl_bench import plugins
from ssl_bench.settings.signature import bind, parse_call
from ssl_bench.settings.yaml12 import write_yaml


def names() -> list[str]:
  """All combinators, found without importing any."""
  return plugins.names('combine')


def get(name: str) -> Callable:
  """A combinator: (method, facts…, *, settings…) -> method."""
  return plugins.get('combine', name)


def version(name: str) -> int:
  """Bumped when the combinator's golden values move; part of a record's identity."""
  return plugins.version('combine', name)


def module_of(name: str) -> str:
  """The full name of a combinator's module; raises `BadSetting` where there is no such combinator."""
  return plugins.module_of('combine', name)


def parse(text: str) -> tuple[str, dict[str, Any]]:
  """`'curriculum(5)'` as its name and all its settings; raises `BadSetting`."""
  name, positional, named = parse_call(text)
  return name, bind(get(name), positional, named)


def resolve(texts: Iterable[str]) -> tuple[str, ...]:
  """Texts with every setting written out; resolving them again changes nothing."""
  return tuple(_write(*parse(text)) for text in texts)


def _write(name: str, settings: dict[str, Any]) -> str:
  return f'{name}({", ".join(f"{k}={write_yaml(v)}" for k, v in settings.items())})'
