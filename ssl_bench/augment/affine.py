"""Rotation, shear and shift as one matrix and one gather of the nearest pixels.

A matrix is (a, b, c, d, e, f): the pixel in column x and row y comes from column a x + b y + c and row
d x + e y + f.  The six are 16.16 fixed point as in Pillow, so the same pixels are chosen.
"""

import jax
import jax.numpy as jnp

Matrix = tuple[jax.Array, ...]  # of six


def matrix(
  height: int,
  width: int,
  degrees: jax.Array,
  shear_x: jax.Array,
  shear_y: jax.Array,
  shift_x: jax.Array,
  shift_y: jax.Array,
) -> Matrix:
  """The matrix of a counterclockwise rotation about the center, a shear about the corner or a shift (pixels).

  Only one of them may differ from 0; the signs are those of Pillow's `rotate` and `transform`.
  """
  angle = -jnp.deg2rad(degrees)
  cos, sin = jnp.cos(angle), jnp.sin(angle)
  x, y = width / 2, height / 2
  a, b = cos, sin + shear_x
  d, e = shear_y - sin, cos
  c = x - cos * x - sin * y + shift_x + 0.5 * (a + b)
  f = y + sin * x - cos * y + shift_y + 0.5 * (d + e)
  return tuple(jnp.floor(value * 65536 + 0.5).astype(jnp.int32) for value in (a, b, c, d, e, f))


def sources(matrix: Matrix, height: int, width: int) -> jax.Array:
  """int32 [height, width]: the row-major position that each pixel comes from, -1 for outside the image."""
  a, b, c, d, e, f = matrix
  x, y = jnp.arange(width)[None], jnp.arange(height)[:, None]
  column, row = (a * x + b * y + c) >> 16, (d * x + e * y + f) >> 16
  inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
  return jnp.where(inside, row * width + column, -1)


def take(planes: jax.Array, source: jax.Array) -> jax.Array:
  """[..., height, width]: the pixels at `source`, zero where it is outside the image."""
  flat = planes.reshape(*planes.shape[:-2], -1)
  moved = flat.at[..., jnp.maximum(source, 0)].get(mode='promise_in_bounds', wrap_negative_indices=False)
  return jnp.where(source >= 0, moved, jnp.zeros_like(moved))
