"""A policy is one line of text, `flip | crop(4) | cutout(16)`, so a sweep replaces a string."""

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

import jax

from ssl_bench import plugins
from ssl_bench.augment.ops import COLOR, Operation
from ssl_bench.kinds import kind_of
from ssl_bench.plugins.blame import blame
from ssl_bench.settings.signature import BadSetting, bind, parse_call
from ssl_bench.settings.yaml12 import write_yaml

Policy = tuple[tuple[str, dict[str, Any]], ...]


def parse(text: str) -> Policy:
  """((name, settings), …) with every setting filled in, checked and typed; raises `BadSetting`."""
  return tuple(_parse_operation(part) for part in text.split('|'))


def resolve(text: str, channels: int, kind: str = 'image') -> str:
  """The policy for images of 1 or 3 channels, every setting written out; resolving it again changes nothing.

  Raises `BadSetting` for an operation on another kind of data.

  For one channel, settings that act on colors alone are written as off (`saturation=0.0`,
  `color=false`), and an operation that is nothing but color is left out.
  """
  if kind == 'image' and channels not in (1, 3):
    raise BadSetting(f'images must have 1 or 3 channels, not {channels}.')
  _check_kind(parse(text), kind)
  policy = _without_color(parse(text)) if kind == 'image' and channels == 1 else parse(text)
  return ' | '.join(_write(name, settings) for name, settings in policy if name != 'none') or 'none'


def compile_policy(
  text: str, channels: int, kind: str = 'image', columns: tuple[int, ...] | None = None
) -> Operation:
  """The policy as one function (key, example) -> example as it is stored, of an image uint8 [H, W, C].

  Operation i gets the key folded with i.  Of a table, `columns` says how many values each column has.
  """
  steps = []
  for name, settings in parse(resolve(text, channels, kind)):
    step = make(name, settings)
    steps.append(on_columns(step, columns) if _kind_of(get(name)) == 'table' else step)

  def operation(key: jax.Array, image: jax.Array) -> jax.Array:
    for i, step in enumerate(steps):
      image = step(jax.random.fold_in(key, i), image)
    return image

  return operation


def on_columns(operation: Callable, columns: tuple[int, ...] | None) -> Operation:
  """An operation (key, row, columns) -> row as one on a row; by default each column has one value."""

  def on_row(key: jax.Array, row: jax.Array) -> jax.Array:
    return operation(key, row, columns or (1,) * len(row))

  return on_row


def get(name: str) -> Callable[..., Operation]:
  """The factory of an operation: settings alone -> `Operation`; raises `BadSetting` for an unknown name."""
  return plugins.get('augment', name)


def make(name: str, settings: Mapping[str, Any]) -> Operation:
  """An operation with its settings; raises `BadSetting` where a plugin's factory fails."""
  with blame('augment', name):
    return get(name)(**settings)


def operations() -> Mapping[str, Callable[..., Operation]]:
  """What a policy can name: every public function of this package from settings alone to an `Operation`.

  And those of plugins, as far as they can be imported.
  """
  return dict(plugins.working('augment'))


def _parse_operation(text: str) -> tuple[str, dict[str, Any]]:
  name, positional, named = parse_call(text)
  settings = bind(get(name), positional, named)
  make(name, settings)  # says what single settings cannot, such as an interval whose ends are swapped
  return name, settings


def _check_kind(policy: Policy, kind: str) -> None:
  for name, _ in policy:
    if name != 'none' and (own := _kind_of(get(name))) != kind:
      fits = ', '.join(n for n, f in operations().items() if _kind_of(f) == kind or n == 'none')
      what = f'{name} is for {kind_of(own).plural}, and the data are {kind_of(kind).plural}'
      raise BadSetting(f'{what}; choose from {fits}.')


def _kind_of(factory: Callable) -> str:
  """What an operation works on: the KIND of its module, by default images."""
  return getattr(inspect.getmodule(factory), 'KIND', 'image')


def _without_color(policy: Policy) -> Policy:
  kept = []
  for name, settings in policy:
    colors = _color_settings(get(name))
    if 'probability' not in colors:
      kept.append((name, settings | {s: type(settings[s])(0) for s in colors}))
  return tuple(kept)


def _color_settings(factory: Callable) -> list[str]:
  hints = typing.get_type_hints(factory, include_extras=True)
  return [name for name, hint in hints.items() if COLOR in getattr(hint, '__metadata__', ())]


def _write(name: str, settings: Mapping[str, Any]) -> str:
  return f'{name}({", ".join(f"{k}={write_yaml(v)}" for k, v in settings.items())})'
