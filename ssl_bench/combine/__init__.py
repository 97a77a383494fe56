"""Combinators: what changes the pseudo-labels of any method that makes some; one file each, found by name."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from typing import Any

from ssl_bench.settings.signature import BadSetting, bind, factory_in, parse_call, short, suggest
from ssl_bench.settings.yaml12 import write_yaml


def names() -> list[str]:
  """All combinators, found without importing any."""
  return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith('_'))


def get(name: str) -> Callable:
  """A combinator: (method, facts…, *, settings…) -> method."""
  return factory_in(_module(name), 'combinator')


def version(name: str) -> int:
  """Bumped when the combinator's golden values move; part of a record's identity."""
  return _module(name).VERSION


def parse(text: str) -> tuple[str, dict[str, Any]]:
  """`'curriculum(5)'` as its name and all its settings; raises `BadSetting`."""
  name, positional, named = parse_call(text)
  return name, bind(get(name), positional, named)


def resolve(texts: Iterable[str]) -> tuple[str, ...]:
  """Texts with every setting written out; resolving them again changes nothing."""
  return tuple(_write(*parse(text)) for text in texts)


def _write(name: str, settings: dict[str, Any]) -> str:
  return f'{name}({", ".join(f"{k}={write_yaml(v)}" for k, v in settings.items())})'


def _module(name: str):
  if name not in names():
    raise BadSetting(f'There is no combinator {short(name)}; {suggest(name, names())}')
  return importlib.import_module(f'{__name__}.{name}')
