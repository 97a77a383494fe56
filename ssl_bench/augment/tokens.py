"""Operations on a text: tokens uint8 [length, 1, 1], padded after the end of the text."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.augment.ops import Operation, below, check_interval
from ssl_bench.data.text import MASK, PAD
from ssl_bench.settings.signature import UNIT, Range

KIND = 'tokens'


def span_crop(*, scale: Annotated[tuple[float, float], Range(0, 1, above=True)] = (0.5, 1.0)) -> Operation:
  """Cuts out a span of the text: its share of the tokens is uniform in `scale`, its place in the text.

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
  """Replaces each token, with that probability, by `MASK`, which no text holds."""

  def operation(key: jax.Array, text: jax.Array) -> jax.Array:
    hidden = jax.random.bernoulli(key, probability, text.shape) & (text != PAD)
    return jnp.where(hidden, MASK, text).astype(jnp.uint8)

  return operation


def swap_tokens(*, probability: Annotated[float, UNIT] = 0.1) -> Operation:
  """Swaps neighbors with that probability, in pairs that begin at the first or at the second token."""

  def operation(key: jax.Array, text: jax.Array) -> jax.Array:
    u = jax.random.uniform(key, (len(text) + 1,))
    place, shift = jnp.arange(len(text)), (u[-1] < 0.5).astype(jnp.int32)
    first = place - (place + shift) % 2
    partner = 2 * first + 1 - place
    inside = (first >= 0) & (first + 1 < len(text))
    whole = inside & (text[jnp.clip(first + 1, 0, len(text) - 1), 0, 0] != PAD)
    swapped = whole & (u[jnp.clip(first, 0, None)] < probability)
    return text[jnp.where(swapped, partner, place)]

  return operation
