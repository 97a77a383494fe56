"""Crops: the shifted crop of FixMatch and the resized crop of SimCLR."""

from typing import Annotated, Literal

import jax
import jax.numpy as jnp

from ssl_bench.augment.ops import Operation, below, check_interval, to_uint8
from ssl_bench.settings.signature import BadSetting, Range

TRIES = 10


def crop(
  *, padding: Annotated[int, Range(0, 256)] = 4, mode: Literal['reflect', 'edge', 'zero'] = 'reflect'
) -> Operation:
  """Pads every side by `padding` pixels and cuts out the image's own size at a uniformly random place.

  `padding` is less than the shorter side, so that every crop holds a part of the image.
  """

  def operation(key: jax.Array, image: jax.Array) -> jax.Array:
    shorter = min(image.shape[:2])
    if padding >= shorter:
      raise BadSetting(f'crop: padding must be less than the side of the images, {shorter}, not {padding}.')
    around = [(padding, padding), (padding, padding), (0, 0)]
    padded = jnp.pad(image, around, mode='constant' if mode == 'zero' else mode)
    top, left = jax.random.randint(key, (2,), 0, 2 * padding + 1)
    return jax.lax.dynamic_slice(padded, (top, left, 0), image.shape)

  return operation


def resized_crop(
  *,
  scale: Annotated[tuple[float, float], Range(0, 1, above=True)] = (0.08, 1.0),
  ratio: Annotated[tuple[float, float], Range(0.001, 1000)] = (3 / 4, 4 / 3),
  size: Annotated[int | None, Range(1, 1024)] = None,
) -> Operation:
  """A box of random area and aspect ratio, resized (Inception crop, Szegedy et al. 2015).

  As torchvision's RandomResizedCrop: the area is uniform in `scale` (of the image), width / height
  log-uniform in `ratio`; the first of ten such boxes that fits is placed uniformly.  If none fits, the
  largest centered box with a ratio within bounds is taken, at least one pixel high and wide (torchvision's
  is empty where the image is too small for the ratio).  Resizing is bilinear, with antialiasing where it
  shrinks.  The result is `size` pixels square, or as large as the image where size is null.
  """
  check_interval('resized_crop', 'scale', scale)
  check_interval('resized_crop', 'ratio', ratio)

  def operation(key: jax.Array, image: jax.Array) -> jax.Array:
    box = draw_box(key, image.shape[0], image.shape[1], scale, ratio)
    height, width = (size, size) if size else image.shape[:2]
    return resize(image, box, height, width)

  return operation


def draw_box(
  key: jax.Array, height: int, width: int, scale: tuple[float, float], ratio: tuple[float, float]
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
  """(top, left, height, width) of a random box, in whole pixels."""
  u = jax.random.uniform(key, (2 * TRIES + 2,))
  area = height * width * (scale[0] + (scale[1] - scale[0]) * u[:TRIES])
  low, high = jnp.log(jnp.array(ratio))
  aspect = jnp.exp(low + (high - low) * u[TRIES : 2 * TRIES])
  rows = jnp.round(jnp.sqrt(area / aspect)).astype(jnp.int32)
  columns = jnp.round(jnp.sqrt(area * aspect)).astype(jnp.int32)
  fits = (rows > 0) & (rows <= height) & (columns > 0) & (columns <= width)

  whole = min(max(width / height, ratio[0]), ratio[1])
  center_rows = min(height, max(1, round(width / whole)))
  center_columns = min(width, max(1, round(height * whole)))
  first = jnp.argmax(fits)
  h = jnp.where(fits[first], rows[first], center_rows)
  w = jnp.where(fits[first], columns[first], center_columns)
  top = jnp.where(fits[first], below(u[-2], height - h + 1), (height - h) // 2)
  left = jnp.where(fits[first], below(u[-1], width - w + 1), (width - w) // 2)
  return top, left, h, w


def resize(
  image: jax.Array, box: tuple[jax.Array, jax.Array, jax.Array, jax.Array], height: int, width: int
) -> jax.Array:
  """The box (top, left, height, width) of a uint8 image as a uint8 image [height, width, channels].

  Two products with the weights of Pillow's bilinear filter, columns first, rounded after each.
  """
  top, left, rows, columns = box
  across = _weights(left, columns, image.shape[1], width)
  down = _weights(top, rows, image.shape[0], height)
  exact = jax.lax.Precision.HIGHEST
  narrow = to_uint8(jnp.einsum('ow,hwc->hoc', across, image.astype(jnp.float32), precision=exact))
  return to_uint8(jnp.einsum('oh,hwc->owc', down, narrow.astype(jnp.float32), precision=exact))


def _weights(start: jax.Array, length: jax.Array, pixels: int, outputs: int) -> jax.Array:
  """[outputs, pixels]: the weight of each pixel in each output; rows sum to 1."""
  step = length / outputs
  centers = start + (jnp.arange(outputs) + 0.5) * step
  pixel = jnp.arange(pixels)[None]
  distance = jnp.abs(pixel + 0.5 - centers[:, None]) / jnp.maximum(step, 1)
  inside = (pixel >= start) & (pixel < start + length)
  weights = jnp.where(inside, jnp.maximum(0, 1 - distance), 0)
  return weights / weights.sum(1, keepdims=True)
