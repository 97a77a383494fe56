"""Operations on a time series, float32 [length, channels], standardized by channel."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.augment.ops import Operation, check_interval
from ssl_bench.settings.signature import Range

KIND = 'series'


def jitter_series(*, deviation: Annotated[float, Range(0, 10)] = 0.1) -> Operation:
  """Adds normal noise of that deviation to every value (Um et al. 2017, "Data Augmentation of Wearable Sensor
  Data", jittering)."""

  def operation(key: jax.Array, series: jax.Array) -> jax.Array:
    return series + deviation * jax.random.normal(key, series.shape, series.dtype)

  return operation


def scale_series(*, deviation: Annotated[float, Range(0, 10)] = 0.1) -> Operation:
  """Multiplies each channel by a normal number of mean 1 and that deviation (Um et al. 2017, scaling)."""

  def operation(key: jax.Array, series: jax.Array) -> jax.Array:
    factor = 1 + deviation * jax.random.normal(key, (1, series.shape[1]), series.dtype)
    return series * factor

  return operation


def crop_series(*, scale: Annotated[tuple[float, float], Range(0, 1, above=True)] = (0.7, 1.0)) -> Operation:
  """Cuts out a window and stretches it to the whole length (Le Guennec et al. 2016, window slicing).

  Its share of the length is uniform in `scale`, its place in what is left; between points it is linear.
  """
  check_interval('crop_series', 'scale', scale)

  def operation(key: jax.Array, series: jax.Array) -> jax.Array:
    share, place = jax.random.uniform(key, (2,))
    last = len(series) - 1
    size = last * (scale[0] + (scale[1] - scale[0]) * share)
    return _at(series, place * (last - size) + size * jnp.linspace(0, 1, len(series)))

  return operation


def warp_series(
  *, deviation: Annotated[float, Range(0, 1)] = 0.2, knots: Annotated[int, Range(1, 100)] = 4
) -> Operation:
  """Runs through the series at a speed that changes (Um et al. 2017, time warping).

  The speed is linear between `knots` + 2 random points, max(0.1, 1 + deviation · normal); begin and end stay
  where they are.
  """

  def operation(key: jax.Array, series: jax.Array) -> jax.Array:
    speed = jnp.maximum(0.1, 1 + deviation * jax.random.normal(key, (knots + 2,)))
    steps = jnp.interp(jnp.linspace(0, knots + 1, len(series) - 1), jnp.arange(knots + 2), speed)
    passed = jnp.concatenate([jnp.zeros(1), jnp.cumsum(steps)])
    return _at(series, passed / passed[-1] * (len(series) - 1))

  return operation


def mask_time(
  *, share: Annotated[float, Range(0, 1, below=True)] = 0.2, spans: Annotated[int, Range(1, 100)] = 1
) -> Operation:
  """Sets spans of time to 0, the mean, in all channels: `spans` of them, together at most `share` of it.

  Each is of that length, `share` / `spans`, rounded; spans may overlap (SpecAugment, Park et al. 2019).
  """

  def operation(key: jax.Array, series: jax.Array) -> jax.Array:
    length = len(series)
    size = round(length * share / spans)
    starts = jax.random.randint(key, (spans, 1), 0, length - size + 1)
    place = jnp.arange(length)[None]
    hidden = ((place >= starts) & (place < starts + size)).any(0)
    return jnp.where(hidden[:, None], 0, series)

  return operation


def permute_series(*, segments: Annotated[int, Range(1, 100)] = 5) -> Operation:
  """Cuts the series into at most that many pieces of random length and puts them in random order.

  The number of pieces is uniform from 1 to `segments` (Um et al. 2017, permutation; the strong augmentation
  of TS-TCC, Eldele et al. 2021).
  """

  def operation(key: jax.Array, series: jax.Array) -> jax.Array:
    keys = jax.random.split(key, 3)
    length = len(series)
    count = jax.random.randint(keys[0], (), 1, segments + 1)
    cuts = jax.random.randint(keys[1], (segments,), 1, max(length, 2))
    cuts = jnp.where(jnp.arange(segments) < count - 1, cuts, length)
    piece = (jnp.arange(length)[:, None] >= cuts[None]).sum(1)
    rank = jax.random.permutation(keys[2], segments + 1)
    return series[jnp.argsort(rank[piece], stable=True)]

  return operation


def _at(series: jax.Array, places: jax.Array) -> jax.Array:
  """The values at places between 0 and length - 1, linear between points."""
  low = jnp.clip(jnp.floor(places).astype(jnp.int32), 0, max(len(series) - 2, 0))
  high = jnp.minimum(low + 1, len(series) - 1)
  weight = (places - low)[:, None].astype(series.dtype)
  return (1 - weight) * series[low] + weight * series[high]
