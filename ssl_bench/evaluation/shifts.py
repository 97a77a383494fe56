"""Shifts: corruptions of the test inputs at five severities, and what a trained state loses under them.

The idea and the five severities are of Hendrycks & Dietterich, "Benchmarking Neural Network Robustness to
Common Corruptions and Perturbations" (2019).  The numbers are theirs only where `SEVERITIES` says so; the
others are ours, as fractions of the image's side, since theirs are pixels of images of 224 or of 32 pixels.
A level that comes from outside the image is that of the nearest edge.  All runs on the device but JPEG.
"""

import io
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssl_bench.augment.ops import to_uint8
from ssl_bench.evaluation import calibration, predict, scores

if TYPE_CHECKING:
  from ssl_bench.evaluation.trained import Trained

# (shift, kind of data) -> its strength at severities 1 to 5.
SEVERITIES: dict[tuple[str, str], tuple[float, ...]] = {
  ('noise', 'image'): (0.08, 0.12, 0.18, 0.26, 0.38),  # std / 255; ImageNet-C's gaussian_noise
  ('blur', 'image'): (0.4, 0.6, 0.7, 0.8, 1.0),  # σ in pixels; CIFAR-10-C's gaussian_blur; see `blur`
  ('contrast', 'image'): (0.75, 0.5, 0.4, 0.3, 0.15),  # share that is left; CIFAR-10-C's
  ('brightness', 'image'): (0.1, 0.2, 0.3, 0.4, 0.5),  # of 255, added to every channel; ours
  ('translation', 'image'): (0.04, 0.08, 0.12, 0.16, 0.2),  # of the shorter side; ours
  ('rotation', 'image'): (6, 12, 18, 24, 30),  # degrees; ours
  ('jpeg', 'image'): (80, 65, 58, 50, 40),  # quality; CIFAR-10-C's
  ('noise', 'series'): (0.1, 0.2, 0.4, 0.6, 0.8),  # std of values whose own is 1; ours
  ('noise', 'audio'): (30, 20, 10, 5, 0),  # signal-to-noise ratio in dB; ours
}
CHUNK = 256  # examples that are corrupted together


class Shifted(NamedTuple):
  """Accuracy and ECE on the shifted test part at severities 1 to 5, each in [0, 1].

  ECE is that of probabilities under the temperature fitted on the clean validation part.
  """

  accuracy: tuple[float, ...]
  ece: tuple[float, ...]


def measure(trained: 'Trained') -> dict[str, Shifted]:
  """Shift -> accuracy and ECE of a trained state, of each that its config asks for.

  What classifies is frozen: the method's classifier, or the linear probe with the trial's labels.
  """
  asked, dataset = trained.config.evaluate.shifts, trained.dataset
  if not asked or trained.logits is None or trained.temperature is None:
    return {}
  found = {}
  for name in asked:
    accuracy, ece = [], []
    for severity in range(1, 1 + len(SEVERITIES[name, dataset.kind])):
      images = corrupt(name, severity, dataset.test_images, dataset.kind)
      logits = trained.classify(images)
      accuracy.append(scores.accuracy(logits, dataset.test_labels))
      ece.append(calibration.ece(scores.softmax(logits / trained.temperature), dataset.test_labels))
    found[name] = Shifted(tuple(accuracy), tuple(ece))
  return found


def corrupt(name: str, severity: int, examples: np.ndarray, kind: str = 'image') -> np.ndarray:
  """Examples [n, …] under a shift, as they are stored.

  What is drawn depends on the shift and on the example's position alone, so every trained state is measured
  on the same corrupted test part, and a higher severity is more of the same.

  Args:
    name: of the shift, such as `'blur'`.
    severity: 1 to 5.
    examples: uint8 images [n, H, W, C], float32 series [n, length, channels] or int16 clips [n, samples].
    kind: of the examples.

  Example:
    >>> corrupt('contrast', 5, np.full((1, 4, 4, 1), 80, 'uint8')).max()
    np.uint8(80)
  """
  strength = SEVERITIES[name, kind][severity - 1]
  if name == 'jpeg':
    return np.stack([jpeg(image, int(strength)) for image in np.asarray(examples)])
  apply = _compiled(name, kind)
  look = lambda at: {'shifted': apply(at, examples[at], np.float32(strength))}
  return predict.in_chunks(look, np.arange(len(examples), dtype=np.int32), CHUNK)['shifted']


@lru_cache
def _compiled(name: str, kind: str) -> Callable[[np.ndarray, np.ndarray, Any], jax.Array]:
  """A shift of positions [n], examples [n, …] and a strength, which is traced."""
  apply = SHIFTS[name, kind]

  def one(at: jax.Array, example: jax.Array, strength: jax.Array) -> jax.Array:
    key = jax.random.fold_in(jax.random.key(zlib.crc32(name.encode())), at)
    shifted = apply(key, example.astype(jnp.float32), strength)
    return to_uint8(shifted) if kind == 'image' else shifted.astype(example.dtype)

  return jax.jit(jax.vmap(one, (0, 0, None)))


# Each takes a key, one image float32 [H, W, C] in levels 0 to 255, and a strength; they may leave it.


def noise(key: jax.Array, image: jax.Array, std: jax.Array) -> jax.Array:
  """Adds Gaussian noise; `std` is a fraction of 255."""
  return image + 255 * std * jax.random.normal(key, image.shape)


def blur(key: jax.Array, image: jax.Array, sigma: jax.Array) -> jax.Array:
  """Gaussian blur; `sigma` is in pixels of a side of 32, and grows with a longer side.

  On a shorter one it stays, since half a pixel would blur nothing.  The window reaches 4 of the largest σ.
  """
  times, radius = enlarged(min(image.shape[:2])), window(min(image.shape[:2]))
  weights = jnp.exp(-0.5 * (jnp.arange(-radius, radius + 1) / (sigma * times)) ** 2)
  weights = weights / weights.sum()
  for axis in (0, 1):
    ends = [(radius, radius) if a == axis else (0, 0) for a in range(3)]
    padded, length = jnp.pad(image, ends, mode='edge'), image.shape[axis]
    moved = [jax.lax.slice_in_dim(padded, k, k + length, axis=axis) for k in range(2 * radius + 1)]
    image = sum((w * m for w, m in zip(weights, moved)), jnp.zeros_like(image))
  return image


def window(side: int) -> int:
  """The radius of the blur's window in pixels, of images whose shorter side is `side`."""
  return int(np.ceil(4 * SEVERITIES['blur', 'image'][-1] * enlarged(side)))


def enlarged(side: int) -> float:
  """How many times the blur is wider than on an image of 32 pixels; 1 or more."""
  return max(1.0, side / 32)


def contrast(key: jax.Array, image: jax.Array, share: jax.Array) -> jax.Array:
  """Leaves a share of each channel's distance to its mean."""
  middle = image.mean((0, 1), keepdims=True)
  return middle + share * (image - middle)


def brightness(key: jax.Array, image: jax.Array, share: jax.Array) -> jax.Array:
  """Adds a share of 255 to every channel."""
  return image + 255 * share


def translation(key: jax.Array, image: jax.Array, share: jax.Array) -> jax.Array:
  """Moves by a share of the shorter side, in a direction drawn uniformly."""
  angle = jax.random.uniform(key, maxval=2 * jnp.pi)
  reach = share * min(image.shape[:2])
  return move(image, jnp.eye(2), jnp.stack([reach * jnp.sin(angle), reach * jnp.cos(angle)]))


def rotation(key: jax.Array, image: jax.Array, degrees: jax.Array) -> jax.Array:
  """Turns about the center, to a side drawn by a coin."""
  side = jnp.where(jax.random.bernoulli(key), 1, -1)
  return move(image, turn(side * degrees), jnp.zeros(2))


def turn(degrees: jax.Array) -> jax.Array:
  """The matrix [2, 2] that takes (row, column) of a turned image to that of the image, as in SciPy."""
  cos, sin = jnp.cos(jnp.deg2rad(degrees)), jnp.sin(jnp.deg2rad(degrees))
  return jnp.stack([jnp.stack([cos, sin]), jnp.stack([-sin, cos])])


def move(image: jax.Array, matrix: jax.Array, by: jax.Array) -> jax.Array:
  """The image [H, W, C] turned about its center and moved by (rows, columns), bilinear.

  The level at p comes from `matrix @ (p - center) + center - by`.
  """
  height, width, _ = image.shape
  center = jnp.array([(height - 1) / 2, (width - 1) / 2]).reshape(2, 1, 1)
  places = jnp.stack(jnp.meshgrid(jnp.arange(height), jnp.arange(width), indexing='ij')) - center
  turned = jnp.tensordot(matrix, places, 1, precision='highest')  # on an accelerator, too
  source = turned + center - by.reshape(2, 1, 1)
  sample = lambda plane: jax.scipy.ndimage.map_coordinates(plane, list(source), order=1, mode='nearest')
  return jax.vmap(sample, 2, 2)(image)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
  """An image uint8 [H, W, C] of 1 or 3 channels through a JPEG file of Pillow, which halves colors' sides."""
  from PIL import Image

  file = io.BytesIO()
  Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(file, 'JPEG', quality=quality)
  return np.asarray(Image.open(file)).reshape(image.shape)


def noise_of_series(key: jax.Array, series: jax.Array, std: jax.Array) -> jax.Array:
  """Adds Gaussian noise to a series float32 [length, channels], which is standardized."""
  return series + std * jax.random.normal(key, series.shape)


def noise_of_audio(key: jax.Array, wave: jax.Array, decibels: jax.Array) -> jax.Array:
  """Adds white noise to a clip [samples], of that signal-to-noise ratio over the clip."""
  power = jnp.mean(wave**2) / 10 ** (decibels / 10)
  noisy = wave + jnp.sqrt(power) * jax.random.normal(key, wave.shape)
  return jnp.clip(jnp.round(noisy), -(2**15), 2**15 - 1)


SHIFTS: dict[tuple[str, str], Callable[..., jax.Array]] = {
  ('noise', 'image'): noise,
  ('blur', 'image'): blur,
  ('contrast', 'image'): contrast,
  ('brightness', 'image'): brightness,
  ('translation', 'image'): translation,
  ('rotation', 'image'): rotation,
  ('noise', 'series'): noise_of_series,
  ('noise', 'audio'): noise_of_audio,
}
