"""Operations on a sound: first on the wave as it is stored, int16 [samples], then on its log-mel spectrogram.

The first operation on a spectrogram, float32 [frames, bands, 1] on the scale of `kinds.audio`, computes it;
so those on waves come before in a policy.  On that scale 0 is the mean of spoken digits.
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.augment.ops import Operation, below, check_interval
from ssl_bench.kinds import scale
from ssl_bench.settings.signature import BadSetting, Range

KIND = 'audio'


def gain_audio(*, decibels: Annotated[tuple[float, float], Range(-60, 60)] = (-6.0, 6.0)) -> Operation:
  """Makes it louder by decibels that are uniform in `decibels`, below 0 softer; what is too loud is cut."""
  check_interval('gain_audio', 'decibels', decibels)

  def operation(key: jax.Array, wave: jax.Array) -> jax.Array:
    _check_wave('gain_audio', wave)
    chosen = jax.random.uniform(key, minval=decibels[0], maxval=decibels[1])
    return _to_int16(wave * 10 ** (chosen / 20))

  return operation


def shift_audio(*, share: Annotated[float, Range(0, 1, below=True)] = 0.1) -> Operation:
  """Moves it in time by at most that share of its length, evenly in both directions; silence enters."""

  def operation(key: jax.Array, wave: jax.Array) -> jax.Array:
    _check_wave('shift_audio', wave)
    most = round(len(wave) * share)
    start = jax.random.randint(key, (), 0, 2 * most + 1)
    return jax.lax.dynamic_slice(jnp.pad(wave, most), (start,), (len(wave),))

  return operation


def noise_audio(*, decibels: Annotated[tuple[float, float], Range(-20, 80)] = (10.0, 40.0)) -> Operation:
  """Adds white noise, whose power is below the sound's mean by decibels that are uniform in `decibels`."""
  check_interval('noise_audio', 'decibels', decibels)

  def operation(key: jax.Array, wave: jax.Array) -> jax.Array:
    _check_wave('noise_audio', wave)
    keys = jax.random.split(key)
    above = jax.random.uniform(keys[0], minval=decibels[0], maxval=decibels[1])
    size = jnp.sqrt(jnp.square(wave.astype('float32')).mean()) * 10 ** (-above / 20)
    return _to_int16(wave + size * jax.random.normal(keys[1], wave.shape, 'float32'))

  return operation


def speed_audio(*, factor: Annotated[tuple[float, float], Range(0.5, 2)] = (0.9, 1.1)) -> Operation:
  """Plays it faster by a factor that is uniform in `factor`, so its pitch changes too (Ko et al. 2015, "Audio
  Augmentation for Speech Recognition", speed perturbation).

  The middle stays where it is; between samples it is linear.
  """
  check_interval('speed_audio', 'factor', factor)

  def operation(key: jax.Array, wave: jax.Array) -> jax.Array:
    _check_wave('speed_audio', wave)
    middle = (len(wave) - 1) / 2
    faster = jax.random.uniform(key, minval=factor[0], maxval=factor[1])
    places = middle + (jnp.arange(len(wave)) - middle) * faster
    whole = jnp.interp(places, jnp.arange(len(wave), dtype='float32'), wave.astype('float32'), 0, 0)
    return _to_int16(whole)

  return operation


def mask_frames(
  *, share: Annotated[float, Range(0, 1, below=True)] = 0.2, spans: Annotated[int, Range(1, 10)] = 1
) -> Operation:
  """Sets `spans` spans of time to 0, the mean, in all bands (Park et al. 2019, SpecAugment, time masking).

  The length of each is uniform from 0 to `share` of the whole, its place in what is left; spans may overlap.
  """
  return _masked(0, share, spans)


def mask_bands(
  *, share: Annotated[float, Range(0, 1, below=True)] = 0.25, spans: Annotated[int, Range(1, 10)] = 1
) -> Operation:
  """Sets `spans` spans of bands to 0, the mean, at all times (Park et al. 2019, SpecAugment, frequency
  masking).

  The width of each is uniform from 0 to `share` of all bands, its place in what is left; spans may overlap.
  """
  return _masked(1, share, spans)


def warp_frames(*, share: Annotated[float, Range(0, 0.4)] = 0.1) -> Operation:
  """Moves a point in time and stretches what is on either side (Park et al. 2019, SpecAugment, time warping).

  The point is at least `share` of the whole from both ends and moves by at most that, both evenly.
  """

  def operation(key: jax.Array, sound: jax.Array) -> jax.Array:
    image = scale(sound, KIND)
    last = image.shape[0] - 1
    u = jax.random.uniform(key, (2,))
    point = last * (share + (1 - 2 * share) * u[0])
    moved = point + last * share * (2 * u[1] - 1)
    ends = jnp.array([0.0, last])
    corners = lambda at: jnp.stack([ends[0], at, ends[1]])
    source = jnp.interp(jnp.arange(last + 1, dtype='float32'), corners(moved), corners(point))
    return _resampled(image, source, None)

  return operation


def crop_spectrogram(
  *,
  time: Annotated[tuple[float, float], Range(0.05, 4)] = (0.6, 1.5),
  bands: Annotated[tuple[float, float], Range(0.05, 4)] = (0.6, 1.5),
  canvas: Annotated[float, Range(1, 2)] = 1.5,
) -> Operation:
  """A random piece in time and frequency, resized to the whole (Niizumi et al. 2021, BYOL-A, section III.B;
  settings as in the authors' code).

  The sound lies in the middle of a canvas that is `canvas` times as long and is 0 elsewhere.  A piece of it
  is cut out: its length is uniform in `time` times that of the sound, its width in `bands` times, at most the
  canvas.  Between points it is linear, where the authors' code is bicubic.
  """
  check_interval('crop_spectrogram', 'time', time)
  check_interval('crop_spectrogram', 'bands', bands)

  def operation(key: jax.Array, sound: jax.Array) -> jax.Array:
    image = scale(sound, KIND)
    u = jax.random.uniform(key, (4,))
    places = []
    for size, span, room, (a, b) in zip(image.shape, (time, bands), (canvas, 1.0), (u[:2], u[2:])):
      whole = int(size * room)
      length = jnp.clip(jnp.floor((span[0] + (span[1] - span[0]) * a) * size), 1, whole)
      start = below(b, whole - length + 1) - (whole - size) // 2
      places.append(start + jnp.arange(size) * (length - 1) / max(size - 1, 1))
    return _resampled(image, *places)

  return operation


def fade_spectrogram(*, gain: Annotated[float, Range(0, 10)] = 1.0) -> Operation:
  """Adds a straight line over time, whose ends are uniform in ±`gain`, on the scale that networks read.

  The random linear fader of BYOL-A's version 2; the default is as in the authors' code (v2/byol_a2).
  """

  def operation(key: jax.Array, sound: jax.Array) -> jax.Array:
    image = scale(sound, KIND)
    head, tail = jax.random.uniform(key, (2,), minval=-gain, maxval=gain)
    return image + jnp.linspace(head, tail, image.shape[0])[:, None, None]

  return operation


def _masked(axis: int, share: float, spans: int) -> Operation:
  """Sets spans of an axis of a spectrogram to 0."""

  def operation(key: jax.Array, sound: jax.Array) -> jax.Array:
    image = scale(sound, KIND)
    size = image.shape[axis]
    u = jax.random.uniform(key, (2, spans, 1))
    length = below(u[0], round(size * share) + 1)
    start = below(u[1], size - length + 1)
    place = jnp.arange(size)[None]
    hidden = ((place >= start) & (place < start + length)).any(0)
    return jnp.where(hidden[:, None, None] if axis == 0 else hidden[None, :, None], 0, image)

  return operation


def _resampled(image: jax.Array, times: jax.Array, bands: jax.Array | None) -> jax.Array:
  """The values of a spectrogram at those places, linear between points, 0 beyond the ends."""
  weights = lambda places, size: jnp.maximum(0, 1 - jnp.abs(places[:, None] - jnp.arange(size)[None]))
  image = jnp.einsum('ot,tbc->obc', weights(times, image.shape[0]), image, precision='highest')
  if bands is None:
    return image
  return jnp.einsum('pb,obc->opc', weights(bands, image.shape[1]), image, precision='highest')


def _to_int16(wave: jax.Array) -> jax.Array:
  return jnp.clip(jnp.round(wave), -(2**15), 2**15 - 1).astype('int16')


def _check_wave(name: str, wave: jax.Array) -> None:
  """Raises `BadSetting` where a spectrogram has taken the place of the wave."""
  if wave.dtype != 'int16':
    raise BadSetting(f'{name} changes the wave of a sound; put it before the operations on the spectrogram.')
