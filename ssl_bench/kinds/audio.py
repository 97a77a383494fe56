"""Sounds: a clip as it is stored, and its log-mel spectrogram, which a network reads.

A clip is int16 [samples], mono at 8,000 Hz, as telephones and the digits of `spoken_digit` have it.
"""

import jax
import jax.numpy as jnp
import numpy as np

from ssl_bench.kinds import RATE

WINDOW, HOP = 256, 128  # samples: 32 and 16 ms
BANDS = 32  # of the mel scale
LOWEST, HIGHEST = 60.0, 4_000.0  # Hz: as BYOL-A (the authors' config.yaml), and half of RATE
OFFSET = 1e-5  # of the logarithm; silence becomes its logarithm
# Of the logarithms over the training part of `spoken_digit`, rounded: every set is read on one scale, as
# images are, and on this one the values of that part have mean 0 and deviation 1.
CENTER, SPREAD = -8.6, 4.1


def mel(hertz: np.ndarray | float) -> np.ndarray:
  """Hertz -> mel, 2595 log10(1 + f / 700) (O'Shaughnessy 1987; the formula of HTK)."""
  return 2595 * np.log10(1 + np.asarray(hertz) / 700)


def hertz(mels: np.ndarray | float) -> np.ndarray:
  """Mel -> hertz: the inverse of `mel`."""
  return 700 * (10 ** (np.asarray(mels) / 2595) - 1)


def filters() -> np.ndarray:
  """float64 [WINDOW // 2 + 1, BANDS]: the weight of each frequency in each band.

  Triangles of height 1, whose corners are the centers of the bands beside: equally spaced on the mel scale
  between LOWEST and HIGHEST.
  """
  corners = hertz(np.linspace(mel(LOWEST), mel(HIGHEST), BANDS + 2))
  bins = np.arange(WINDOW // 2 + 1)[:, None] * RATE / WINDOW
  low, center, high = corners[:-2], corners[1:-1], corners[2:]
  return np.maximum(0, np.minimum((bins - low) / (center - low), (high - bins) / (high - center)))


def frames(samples: int) -> int:
  """Points in time of the spectrogram of so many samples: one for each HOP that has begun."""
  return -(-samples // HOP)


def power(wave: jax.Array) -> jax.Array:
  """Clips int16 [..., samples] -> float32 [..., frames, BANDS], the power in each band, at least 0.

  Frame i is around the i-th HOP samples, of which full scale is 1; beyond its ends a clip is silent.  Each
  frame has a periodic Hann window, and the squared size of its Fourier transform is summed by `filters`.
  """
  count, samples = frames(wave.shape[-1]), wave.shape[-1]
  before = (WINDOW - HOP) // 2
  after = count * HOP + WINDOW - HOP - before - samples
  padded = jnp.pad(wave.astype('float32') / 2**15, [(0, 0)] * (wave.ndim - 1) + [(before, after)])
  blocks = padded.reshape(*wave.shape[:-1], count + WINDOW // HOP - 1, HOP)
  framed = jnp.concatenate([blocks[..., i : i + count, :] for i in range(WINDOW // HOP)], -1)
  window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
  spectrum = jnp.fft.rfft(framed * window.astype('float32').reshape((1,) * wave.ndim + (-1,)))
  squares = jnp.square(spectrum.real) + jnp.square(spectrum.imag)
  return jnp.matmul(squares, filters().astype('float32'), precision='highest')


def to_log(power: jax.Array) -> jax.Array:
  """Power, at least 0 -> its logarithm on the scale that networks read, of any shape."""
  return (jnp.log(power + OFFSET) - CENTER) / SPREAD


def from_log(level: jax.Array) -> jax.Array:
  """The inverse of `to_log`; 0 for what is below silence."""
  return jnp.maximum(jnp.exp(level * SPREAD + CENTER) - OFFSET, 0)


SILENCE = (float(np.log(OFFSET)) - CENTER) / SPREAD  # the level of no sound


def spectrogram(wave: jax.Array) -> jax.Array:
  """Clips int16 [..., samples] -> log-mel spectrograms float32 [..., frames, BANDS, 1]."""
  return to_log(power(wave))[..., None]
