"""Color jitter: random brightness, contrast, saturation and hue, in random order."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.augment import tone
from ssl_bench.augment.ops import COLOR, Operation, sometimes
from ssl_bench.settings.signature import UNIT, Range

BRIGHTNESS, CONTRAST, SATURATION = range(3)
STRENGTH = Range(0, 10)


def jitter(
  *,
  brightness: Annotated[float, STRENGTH] = 0.8,
  contrast: Annotated[float, STRENGTH] = 0.8,
  saturation: Annotated[float, STRENGTH, COLOR] = 0.8,
  hue: Annotated[float, Range(0, 0.5), COLOR] = 0.2,
  probability: Annotated[float, UNIT] = 0.8,
) -> Operation:
  """torchvision's ColorJitter; the defaults are SimCLR's (Chen et al. 2020, appendix A, strength 1).

  The blends equal those of torchvision's PIL backend bit for bit: Pillow's ImageEnhance, which drops
  fractions after each.  The hue equals that of the tensor backend, in float32 and up to a rounding; the PIL
  backend has only the 256 steps of Pillow's HSV.

  A strength s draws a factor uniformly from [max(0, 1 - s), 1 + s], hue a shift from [-s, s] of a full
  turn; a strength of 0 switches its change off.  The order is drawn anew for every image.

  The first three are blends with another image (black, the mean, the grays), so each place in the order is
  one blend with a selected partner.  The hue is turned once, between two passes over the blends: each blend
  has its factor in the pass to which the order assigns it, and the factor 1 in the other.
  """

  def apply(key: jax.Array, image: jax.Array) -> jax.Array:
    strengths = jnp.array([brightness, contrast, saturation])
    factors, order, early, turns = draw(key, strengths, hue)
    planes = jnp.moveaxis(image, 2, 0)
    if hue > 0 and len(planes) == 3:
      planes = blend_all(planes, order, jnp.where(early, factors, 1.0)[order])
      planes = turn_hue(planes, turns)
      factors = jnp.where(early, 1.0, factors)
    planes = blend_all(planes, order, factors[order])
    return jnp.moveaxis(planes, 0, 2)

  return sometimes(probability, apply)


def draw(
  key: jax.Array, strengths: jax.Array, hue: float
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
  """Factors [3] and order [3] of the blends, whether each comes before the hue [3], and the hue's turns."""
  u, rank = jax.random.uniform(key, (2, 4))
  low = jnp.maximum(0, 1 - strengths)
  factors = low + (1 + strengths - low) * u[:3]
  return factors, jnp.argsort(rank[:3]), rank[:3] < rank[3], hue * (2 * u[3] - 1)


def blend_all(planes: jax.Array, kinds: jax.Array, factors: jax.Array) -> jax.Array:
  """Applies Pillow's ImageEnhance.Brightness, Contrast or Color by `kinds` [n], one after the other."""

  def enhance(planes: jax.Array, drawn: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
    kind, factor = drawn
    flat = jnp.where(kind == CONTRAST, tone.mean_luma(planes), 0)
    base = jnp.where(kind == SATURATION, tone.luma(planes), flat)[None]
    return tone.blend(base, planes.astype(jnp.int32), factor).astype(jnp.uint8), None

  return jax.lax.scan(enhance, planes, (kinds, factors))[0]


def turn_hue(planes: jax.Array, turns: jax.Array) -> jax.Array:
  """Shifts the hue of RGB planes by `turns` (1 is a full turn) in HSV, as torchvision does on tensors."""
  rgb = planes.astype(jnp.float32) / 255
  value = rgb.max(0)
  chroma = value - rgb.min(0)
  far = (value[None] - rgb) / jnp.where(chroma == 0, 1, chroma)[None]
  greenish = jnp.where(rgb[1] == value, 2 + far[0] - far[2], 4 + far[1] - far[0])
  sixths = jnp.where(rgb[0] == value, far[2] - far[1], greenish) + 6 * turns
  place = (jnp.array([5.0, 3.0, 1.0])[:, None, None] + sixths[None]) % 6
  turned = value[None] - chroma[None] * jnp.clip(jnp.minimum(place, 4 - place), 0, 1)
  return (turned * 255.999).astype(jnp.uint8)
