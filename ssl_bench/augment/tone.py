"""Operations on gray levels, each a table of 256 entries that equals Pillow's to the last level.

Images are planes here, uint8 [channels, height, width], which XLA handles better than pixels with channels; a
table is int32 [256] or [channels, 256].
"""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

LEVELS = np.arange(256)
ROW = LEVELS[None]  # beside tables [channels, 256]


def luma(planes: jax.Array) -> jax.Array:
  """int32 [height, width]: brightness of ITU-R 601-2 in 16-bit fixed point; a gray image is its own luma."""
  planes = planes.astype(jnp.int32)
  if len(planes) == 1:
    return planes[0]
  return (planes[0] * 19595 + planes[1] * 38470 + planes[2] * 7471 + 0x8000) >> 16


def mean_luma(planes: jax.Array) -> jax.Array:
  """The mean brightness, rounded half up to a level."""
  gray = luma(planes)
  return jax.lax.div(2 * gray.sum() + gray.size, 2 * gray.size)


def blend(base: jax.Array, value: jax.Array, factor: jax.Array) -> jax.Array:
  """base + factor * (value - base) as a level: Pillow's `Image.blend` and its ImageEnhance, in int32.

  Like Pillow it drops fractions; a factor above 1 extrapolates and clips.
  """
  step = factor * (value - base).astype(jnp.float32)
  step = jnp.clip(step, -1e9, 1e9)  # keeps compilers from fusing product and sum, which would round only once
  return jnp.clip(base + step, 0, 255).astype(jnp.int32)


def look_up(table: jax.Array, planes: jax.Array) -> jax.Array:
  """`table[channel, level]` for every pixel, as uint8."""
  flat = jnp.broadcast_to(table, (len(planes), 256)).reshape(-1)
  at = _entries(planes)
  return flat.at[at].get(mode='promise_in_bounds', wrap_negative_indices=False).astype(jnp.uint8)


def histogram(planes: jax.Array) -> jax.Array:
  """int32 [channels, 256]: the number of pixels at each level."""
  counts = jnp.zeros(len(planes) * 256, jnp.int32)
  counts = counts.at[_entries(planes)].add(1, mode='promise_in_bounds', wrap_negative_indices=False)
  return counts.reshape(-1, 256)


def _entries(planes: jax.Array) -> jax.Array:
  return planes.astype(jnp.int32) + 256 * jnp.arange(len(planes))[:, None, None]


def posterize(bits: jax.Array) -> jax.Array:
  """Keeps the `bits` highest bits of a level."""
  dropped = 8 - bits.astype(jnp.int32)
  return (jnp.asarray(LEVELS) >> dropped) << dropped


def solarize(threshold: jax.Array) -> jax.Array:
  """Inverts the levels from `threshold` on."""
  return jnp.where(threshold > LEVELS, LEVELS, 255 - LEVELS)


def equalize(counts: jax.Array) -> jax.Array:
  """The table that makes the cumulative histogram of each channel straight.

  As in Pillow, an image with fewer than 255 pixels below its brightest level stays as it is, so equalize does
  not change the 8x8 digits.
  """
  before = jnp.cumsum(counts, 1) - counts
  brightest = jnp.max(jnp.where(counts > 0, ROW, 0), 1, keepdims=True)
  step = jax.lax.div(jnp.take_along_axis(before, brightest, 1, mode='promise_in_bounds'), 255)
  level = jnp.floor((before + (step >> 1) + 0.5) / jnp.maximum(step, 1)).astype(jnp.int32)
  return jnp.where(step > 0, jnp.minimum(level, 255), ROW)


def autocontrast(counts: jax.Array) -> jax.Array:
  """The table that stretches the levels in use to 0..255, per channel.

  Where 255 (x - low) / (high - low) is whole, Pillow's double precision may fall short of it; so does this.
  """
  seen = counts > 0
  low = jnp.min(jnp.where(seen, ROW, 255), 1, keepdims=True)
  high = jnp.max(jnp.where(seen, ROW, 0), 1, keepdims=True)
  span = jnp.maximum(high - low, 1)
  rise = jnp.clip(ROW - low, 0, span)
  strides, shortfalls = _whole_levels()
  stride, short = jnp.asarray(strides)[span], jnp.asarray(shortfalls)[low, high]
  k = jnp.floor((rise + 0.5) / stride).astype(jnp.int32)
  falls_short = (k * stride == rise) & ((short >> jnp.minimum(k, 31).astype(jnp.uint32)) & 1).astype(bool)
  level = jnp.floor((255 * rise + 0.5) / span).astype(jnp.int32) - falls_short
  return jnp.where(high > low, level, ROW)


@cache
def _whole_levels() -> tuple[np.ndarray, np.ndarray]:
  """The distance between levels whose stretched level is whole, and at which of these Pillow falls short.

  Pillow computes int(x * scale - low * scale) with scale = 255 / (high - low).  Returns the distance for
  each span, int32 [256], and uint32 [low, high]: bit k is set where the k-th such level from `low` on comes
  out one too low.  Where a span has more than 32 such levels, none comes out too low.
  """
  low, high = np.meshgrid(LEVELS, LEVELS, indexing='ij')
  span = np.maximum(high - low, 1)
  scale, parts = 255.0 / span, np.gcd(span, 255)
  shortfalls = np.zeros((256, 256), np.uint32)
  for k in range(32):
    x, whole = low + k * (span // parts), k * (255 // parts)
    misses = (high > low) & (k <= parts) & ((x * scale + -low * scale).astype(int) < whole)
    shortfalls |= misses.astype(np.uint32) << np.uint32(k)
  spans = np.maximum(LEVELS, 1)
  return (spans // np.gcd(spans, 255)).astype(np.int32), shortfalls
