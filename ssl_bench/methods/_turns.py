"""Images in four orientations, and which orientation each has (Gidaris et al., 2018)."""

import jax
import jax.numpy as jnp

from ssl_bench.settings.signature import BadSetting

TURNS = 4  # by 0, 90, 180 and 270 degrees, counterclockwise


def check_square(shape: tuple[int, ...], where: str) -> None:
  """Raises `BadSetting` in the name of `where` for examples of this shape that cannot be turned."""
  if len(shape) < 2 or shape[0] != shape[1]:
    size = 'x'.join(map(str, shape[:2]))
    raise BadSetting(f'{where} needs square images, not {size}; use another dataset.')


def turn(images: jax.Array) -> tuple[list[jax.Array], jax.Array]:
  """The images [n, H, H, C] in each of the four orientations, and the orientations, int32 [4 n]."""
  orientations = jnp.repeat(jnp.arange(TURNS, dtype='int32'), len(images))
  return [jnp.rot90(images, turns, (1, 2)) for turns in range(TURNS)], orientations


def turn_each(images: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Image i of [n, H, H, C] turned i times, so that each orientation has a quarter of them; and int32 [n]."""
  orientations = jnp.arange(len(images), dtype='int32') % TURNS
  return jnp.stack(turn(images)[0])[orientations, jnp.arange(len(images))], orientations
