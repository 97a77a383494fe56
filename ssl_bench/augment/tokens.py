"""Operations on one text, tokens uint8 [length, 1, 1] with padding after its end."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.augment.ops import Operation, below, check_interval
from ssl_bench.data.text import MASK, PAD
from ssl_bench.settings.signature import UNIT, Range

KIND = 'tokens'


def span_crop(*, scale: Annotated[tuple[float, float], Range(0, 1, above=True)] = (0.5, 1.0)) -> Operation:
  """A span of the text, moved to the beginning: its share of the tokens is uniform in `scale`, its place any.

  At least one token is kept.
  """
  check_interval('span_crop', 'scale', scale)

  def operation(key: jax.Array, text: jax.Array) -> jax.Array:
    share, place = jax.random.uniform(key, (2,))
    length = (text != PAD).sum()
    kept = jnp.round(length * (scale[0] + (scale[1] - scale[0]) * share)).astype(jnp.int32)
    kept = jnp.clip(kept, 1, length)
    start = below(place, length - kept + 1)
    moved = jnp.roll(text, -start, 0)
    return jnp.where(jnp.arange(len(text))[:, None, None] < kept, moved, PAD).astype(jnp.uint8)

  return operation


def mask_tokens(*, probability: Annotated[float, Range(0, 1, below=True)] = 0.15) -> Operation:
  """Hides each token with that probability: in its place stands the one that no text holds."""

  def operation(key: jax.Array, text: jax.Array) -> jax.Array:
    hidden = jax.random.bernoulli(key, probability, text.shape) & (text != PAD)
    return jnp.where(hidden, MASK, text).astype(jnp.uint8)

  return operation


def swap_tokens(*, probability: Annotated[float, UNIT] = 0.1) -> Operation:
  """Neighbors, in pairs from the first or the second token on, change places with that probability."""

  def operation(key: jax.Array, text: jax.Array) -> jax.Array:
    u = jax.random.uniform(key, (len(text) + 1,))
    at, shift = jnp.arange(len(text)), (u[-1] < 0.5).astype(jnp.int32)
    first = at - (at + shift) % 2
    other = 2 * first + 1 - at
    inside = (first >= 0) & (first + 1 < len(text))
    there = inside & (text[jnp.clip(first + 1, 0, len(text) - 1), 0, 0] != PAD)
    swapped = there & (u[jnp.clip(first, 0, None)] < probability)
    return text[jnp.where(swapped, other, at)]

  return operation
