"""The form of an operation, and the simple operations: none, flip, blur, solarize, grayscale.

An operation takes a key and one uint8 image [height, width, channels] and returns such an image.  It is
pure, so `jax.vmap` applies it to a batch.  Whatever public function of this package returns an `Operation`
and has only keyword settings is one that a policy can name; those of a module with a KIND are on that kind of
data.  An operation on a table takes its columns too: (key, row, columns) -> row (`table`).
"""

from collections.abc import Callable
from typing import Annotated, Any

import jax
import jax.numpy as jnp

from ssl_bench.augment import tone
from ssl_bench.settings.signature import UNIT, BadSetting, Range

Operation = Callable[..., Any]  # (key, example) -> example; on a table (key, row, columns) -> row
COLOR = 'color'  # marks a setting that changes colors only: off (zero) for images of one channel


def none() -> Operation:
  """The image as it is."""
  return lambda key, image: image


def flip(*, probability: Annotated[float, UNIT] = 0.5) -> Operation:
  """Mirrors left and right."""
  return sometimes(probability, lambda key, image: image[:, ::-1])


def grayscale(*, probability: Annotated[float, UNIT, COLOR] = 0.2) -> Operation:
  """Replaces every channel by the luma of ITU-R 601-2, as in Pillow's `convert('L')`."""

  def apply(key: jax.Array, image: jax.Array) -> jax.Array:
    gray = tone.luma(jnp.moveaxis(image, 2, 0))
    return jnp.broadcast_to(gray[:, :, None], image.shape).astype(jnp.uint8)

  return sometimes(probability, apply)


def solarize(
  *, threshold: Annotated[int, Range(0, 256)] = 128, probability: Annotated[float, UNIT] = 0.2
) -> Operation:
  """Inverts the levels from `threshold` on (BYOL, Grill et al. 2020, appendix B)."""
  return sometimes(
    probability, lambda key, image: jnp.where(image.astype(jnp.int32) < threshold, image, 255 - image)
  )


def blur(
  *,
  sigma: Annotated[tuple[float, float], Range(0.01, 100)] = (0.1, 2.0),
  kernel: Annotated[float, Range(0, 1, above=True)] = 0.1,
  probability: Annotated[float, UNIT] = 0.5,
) -> Operation:
  """Gaussian blur with a standard deviation drawn uniformly from `sigma`, in pixels.

  `kernel` is the width of the window as a fraction of the image's shorter side, made odd and at least 3
  pixels (SimCLR, Chen et al. 2020, appendix A); edges are reflected.
  """
  check_interval('blur', 'sigma', sigma)

  def apply(key: jax.Array, image: jax.Array) -> jax.Array:
    side = min(image.shape[:2])
    radius = min(max(1, int(kernel * side) // 2), side - 1)
    width = jax.random.uniform(key, minval=sigma[0], maxval=sigma[1])
    weights = jnp.exp(-0.5 * (jnp.arange(-radius, radius + 1) / width) ** 2)
    weights = weights / weights.sum()
    smooth = image.astype(jnp.float32)
    for axis in (0, 1):
      edges = [(radius, radius) if a == axis else (0, 0) for a in range(3)]
      padded, length = jnp.pad(smooth, edges, mode='reflect'), image.shape[axis]
      shifted = [jax.lax.slice_in_dim(padded, k, k + length, axis=axis) for k in range(2 * radius + 1)]
      smooth = sum(w * s for w, s in zip(weights, shifted))
    return to_uint8(smooth)

  return sometimes(probability, apply)


def sometimes(probability: float, apply: Operation) -> Operation:
  """Applies `apply` with a probability, and else leaves the image as it is."""

  def operation(key: jax.Array, image: jax.Array) -> jax.Array:
    happens = jax.random.bernoulli(key, probability)
    return jnp.where(happens, apply(jax.random.fold_in(key, 1), image), image)

  return operation


def below(u: jax.Array, count: jax.Array | int) -> jax.Array:
  """A whole number from 0 to count - 1, from a uniform number in [0, 1)."""
  return jnp.minimum(jnp.floor(u * count).astype(jnp.int32), count - 1)


def to_uint8(image: jax.Array) -> jax.Array:
  """The image rounded to the nearest levels and clipped to 0..255."""
  return jnp.clip(jnp.floor(image + 0.5), 0, 255).astype(jnp.uint8)


def check_interval(where: str, name: str, interval: tuple[float, float]) -> None:
  """Raises `BadSetting` unless the lower end comes first."""
  if interval[0] > interval[1]:
    raise BadSetting(f'{where}: {name} must be [low, high], not {list(interval)!r}; swap the two.')
