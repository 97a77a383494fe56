"""A policy is one line of text, `flip | crop(4) | cutout(16)`, so a sweep replaces a string."""

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import jax

from ssl_bench.augment.ops import COLOR, Operation
from ssl_bench.settings.signature import BadSetting, bind, facts_of, parse_call, short, suggest
from ssl_bench.settings.yaml12 import write_yaml

Policy = tuple[tuple[str, dict[str, Any]], ...]


def parse(text: str) -> Policy:
  """((name, settings), …) with every setting filled in, checked and typed; raises `BadSetting`."""
  return tuple(_parse_operation(part) for part in text.split('|'))


def resolve(text: str, channels: int, kind: str = 'image') -> str:
  """The policy for images of 1 or 3 channels, every setting written out; resolving it again changes nothing.

  Where `kind` is tokens, it is for texts; raises `BadSetting` for an operation on the other kind.

  For one channel, settings that act on colors alone are written as off (`saturation=0.0`,
  `color=false`), and an operation that is nothing but color is left out.
  """
  if channels not in (1, 3):
    raise BadSetting(f'images must have 1 or 3 channels, not {channels}.')
  _check_kind(parse(text), kind)
  policy = parse(text) if channels == 3 else _without_color(parse(text))
  return ' | '.join(_write(name, settings) for name, settings in policy if name != 'none') or 'none'


def compile_policy(text: str, channels: int, kind: str = 'image') -> Operation:
  """The policy as one function (key, uint8 image) -> uint8 image; operation i gets the key folded with i."""
  steps = [operations()[name](**settings) for name, settings in parse(resolve(text, channels, kind))]

  def operation(key: jax.Array, image: jax.Array) -> jax.Array:
    for i, step in enumerate(steps):
      image = step(jax.random.fold_in(key, i), image)
    return image

  return operation


@cache
def operations() -> Mapping[str, Callable[..., Operation]]:
  """What a policy can name: every public function of this package from settings alone to an `Operation`."""
  names = sorted(m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]))
  found = [f for name in names for f in _factories(importlib.import_module(f'{__package__}.{name}'))]
  return {f.__name__: f for f in sorted(found, key=lambda f: f.__name__)}


def _factories(module: ModuleType) -> list[Callable[..., Operation]]:
  def is_factory(f: Any) -> bool:
    return (
      inspect.isfunction(f)
      and f.__module__ == module.__name__
      and not f.__name__.startswith('_')
      and inspect.signature(f).return_annotation == Operation
      and not facts_of(f)
    )

  return [f for _, f in inspect.getmembers(module, is_factory)]


def _parse_operation(text: str) -> tuple[str, dict[str, Any]]:
  name, positional, named = parse_call(text)
  if name not in operations():
    raise BadSetting(f'There is no augmentation {short(name)}; {suggest(name, operations())}')
  factory = operations()[name]
  settings = bind(factory, positional, named)
  factory(**settings)  # says what single settings cannot, such as an interval whose ends are swapped
  return name, settings


def _check_kind(policy: Policy, kind: str) -> None:
  of = {name: getattr(inspect.getmodule(f), 'KIND', 'image') for name, f in operations().items()}
  for name, _ in policy:
    if name != 'none' and of[name] != kind:
      fits = ', '.join(n for n, k in of.items() if k == kind or n == 'none')
      what = {'image': 'images', 'tokens': 'tokens'}
      raise BadSetting(f'{name} is for {what[of[name]]}, and the data are {what[kind]}; choose from {fits}.')


def _without_color(policy: Policy) -> Policy:
  kept = []
  for name, settings in policy:
    colors = _color_settings(operations()[name])
    if 'probability' not in colors:
      kept.append((name, settings | {s: type(settings[s])(0) for s in colors}))
  return tuple(kept)


def _color_settings(factory: Callable) -> list[str]:
  hints = typing.get_type_hints(factory, include_extras=True)
  return [name for name, hint in hints.items() if COLOR in getattr(hint, '__metadata__', ())]


def _write(name: str, settings: Mapping[str, Any]) -> str:
  return f'{name}({", ".join(f"{k}={write_yaml(v)}" for k, v in settings.items())})'
