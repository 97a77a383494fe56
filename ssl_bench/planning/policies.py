"""The augmentation policies of a trial: their text, their functions, the size of what comes out of them."""

from collections.abc import Callable, Mapping
from functools import lru_cache

import jax

from ssl_bench import augment
from ssl_bench.contract import View, scale
from ssl_bench.kinds import kind_of
from ssl_bench.planning.structure import Structure
from ssl_bench.settings.signature import BadSetting


def policies_of(structure: Structure, views: Mapping[str, View]) -> dict[str, Callable]:
  """Policy -> (key, example as it is stored) -> as a network reads it: an image is float32 in [-1, 1].

  Raises `BadSetting` where the config lacks a policy that a view names, or where one other than `local`
  changes the size of the images.
  """
  named = {view.augment for view in views.values()}
  return {name: _policy(structure, name) for name in sorted({*structure.policies, *named})}


def _policy(structure: Structure, name: str) -> Callable:
  size_of(structure, name)
  data = structure.data
  change = augment.compile_policy(text_of(structure, name), data.shape[-1], data.kind, data.columns)
  return lambda key, image: scale(change(key, image), data.kind)


def text_of(structure: Structure, name: str) -> str:
  """A policy as written; `other` is `strong` where the config has none."""
  given = structure.policies
  if name == 'local' and name not in given:
    if structure.data.kind != 'image':
      raise BadSetting(
        f'{structure.method.name} looks at small crops of images, and these are '
        f'{kind_of(structure.data.kind).plural}; ask for none by method.crops=0.'
      )
    raise BadSetting(
      f'{structure.method.name} looks at small crops; say which, such as '
      f"augment.local='resized_crop(scale=[0.05, 0.4], size={max(1, structure.data.shape[0] * 5 // 8)})', "
      'or ask for none by method.crops=0.'
    )
  return given.get(name, given['strong']) if name == 'other' else given[name]


def size_of(structure: Structure, name: str) -> tuple[int, ...]:
  """The shape of an image after a policy, as a network reads it.

  Raises `BadSetting` where the policy may not change it and does.
  """
  data = structure.data
  return _size_of(name, text_of(structure, name), data.shape, data.stored, data.kind, data.columns)


@lru_cache(maxsize=512)
def _size_of(
  name: str,
  text: str,
  shape: tuple[int, ...],
  stored: tuple[int, ...],
  kind: str,
  columns: tuple[int, ...] | None,
) -> tuple[int, ...]:
  if kind == 'graph':
    return shape
  change = augment.compile_policy(text, shape[-1], kind, columns)
  key = jax.eval_shape(lambda: jax.random.key(0))
  read = lambda key, example: scale(change(key, example), kind)
  size = jax.eval_shape(read, key, jax.ShapeDtypeStruct(stored, kind_of(kind).stored)).shape
  if size != shape and name != 'local':
    before, after = (shape[:2], size[:2]) if kind == 'image' else (shape, size)
    raise BadSetting(
      f'augment.{name} turns images of {before} into {after}; leave size out, or make it that.'
    )
  return size


def check_policies(structure: Structure, views: Mapping[str, View]) -> None:
  """Raises `BadSetting` where a policy does not fit the images: its size, padding or squares.

  Each policy is traced for one image, once for all trials that share it; nothing is compiled.
  """
  for name in sorted({*structure.policies, *(view.augment for view in views.values())}):
    size_of(structure, name)
