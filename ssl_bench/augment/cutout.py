"""Cutout: paints over a square of the image."""

from typing import Annotated, Literal

import jax
import jax.numpy as jnp

from ssl_bench.augment import tone
from ssl_bench.augment.ops import Operation, below, check_interval
from ssl_bench.settings.signature import BadSetting, Range

FILLS = {'gray': (127, 127, 127), 'black': (0, 0, 0), 'torchssl': (125, 123, 114)}


def cutout(
  *,
  size: Annotated[int | tuple[float, float], Range(0, 1024)] = 16,
  fill: Literal['gray', 'black', 'torchssl'] = 'gray',
) -> Operation:
  """Paints over a square (DeVries and Taylor, 2017).

  `size` as a whole number is the side in pixels; the center is uniform over the image and the square is
  clipped at the borders, as in Google's FixMatch.  A square that always covers the whole image is refused.
  An odd `size` is painted as it stands, 3 x 3 pixels for 3 away from the borders; Google's code reaches
  size // 2 to either side of the center, so it paints 2 x 2 there.  Even sizes agree.
  `size` as a list of two fractions is TorchSSL's cutout: the side is drawn uniformly between them, in widths
  of the image; a square that would begin outside begins at the border instead.  `gray` is the middle level,
  `torchssl` that code's (125, 123, 114).
  """
  if not isinstance(size, int):
    check_interval('cutout', 'size', size)
    if size[1] > 1:
      raise BadSetting(f'cutout: a range of sizes is in widths of the image, at most 1, not {list(size)!r}.')

  def operation(key: jax.Array, image: jax.Array) -> jax.Array:
    height, width, channels = image.shape
    if isinstance(size, int) and size // 2 >= max(height, width) - 1 and -(-size // 2) >= max(height, width):
      raise BadSetting(
        f'cutout: a square of {size} pixels covers images of {height} by {width} wherever it lies; make it '
        'smaller.'
      )
    u = jax.random.uniform(key, (3,))
    if isinstance(size, int):
      rows, columns = (_centered(u[i], length, size) for i, length in enumerate((height, width)))
    else:
      side = (size[0] + (size[1] - size[0]) * u[2]) * width
      rows, columns = (_inclusive(u[i], length, side) for i, length in enumerate((height, width)))
    paint = jnp.array(FILLS[fill], jnp.int32)
    if channels == 1:
      paint = tone.luma(paint[:, None, None])[0]
    return jnp.where((rows[:, None] & columns[None])[:, :, None], paint.astype(jnp.uint8), image)

  return operation


def _centered(u: jax.Array, length: int, side: int) -> jax.Array:
  """bool [length]: `side` pixels around a uniformly drawn pixel."""
  first = below(u, length) - side // 2
  pixel = jnp.arange(length)
  return (pixel >= first) & (pixel < first + side)


def _inclusive(u: jax.Array, length: int, side: jax.Array) -> jax.Array:
  """bool [length]: an interval from half a side before a uniform point on; as in Pillow, it has both ends."""
  first = jnp.floor(jnp.maximum(0, u * length - side / 2))
  last = jnp.floor(jnp.minimum(length, first + side))
  pixel = jnp.arange(length)
  return (pixel >= first) & (pixel <= last) & (side > 0)
