"""Blocks of patches that are masked, as BEiT draws them (Bao et al. 2021)."""

import jax
import jax.numpy as jnp

TRIED = 24  # blocks of an image, those that are refused among them
RATIO = 0.3  # lowest height / width of a block; the highest is 1 / 0.3


def block_masks(key: jax.Array, most: jax.Array, rows: int, columns: int, smallest: float) -> jax.Array:
  """Which patches of each image are masked, bool [batch, rows · columns]: a union of blocks.

  Block after block, an area is drawn between `smallest` and the number of patches that may still be masked,
  and a ratio of height to width whose logarithm is uniform.  A block is refused where it has a side of 0 or
  as long as the grid's, or masks no further patch, or too many.

  Args:
    key: of the draws.
    most: how many patches of each image are masked at most, float32 [batch]; an image with 0 has none.
    rows: of patches.
    columns: of patches.
    smallest: the least area that is drawn, in patches.
  """
  batch = len(most)
  area, ratio, top, left = jax.random.uniform(key, (4, TRIED, batch))
  ratio = RATIO ** (1 - 2 * ratio)

  def along(start, side, count):
    """Which of `count` rows or columns lie in a block, bool [batch, count]."""
    first = jnp.floor(start * (count - side + 1))[:, None]
    line = jnp.arange(count, dtype='float32')[None]
    return (line >= first) & (line < first + side[:, None])

  def attempt(i, mask):
    left_over = most - mask.sum((1, 2)).astype('float32')
    patches = smallest + area[i] * (left_over - smallest)
    high, wide = jnp.round(jnp.sqrt(patches * ratio[i])), jnp.round(jnp.sqrt(patches / ratio[i]))
    block = along(top[i], high, rows)[:, :, None] & along(left[i], wide, columns)[:, None]
    more = (block & ~mask).sum((1, 2)).astype('float32')
    fits = (high < rows) & (wide < columns) & (more > 0) & (more <= left_over) & (left_over > 0)
    return mask | (block & fits[:, None, None])

  mask = jax.lax.fori_loop(0, TRIED, attempt, jnp.zeros((batch, rows, columns), bool))
  return mask.reshape(batch, -1)
