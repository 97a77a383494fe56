"""A queue of earlier projections, the newest first."""

import jax
import jax.numpy as jnp


def push(queue: jax.Array, rows: jax.Array, axis: int = 0) -> jax.Array:
  """The queue with new rows at its front; it keeps its length along `axis`, so the oldest rows leave.

  [..., K, d], [..., n, d] -> [..., K, d] for any n, also above K.
  """
  longer = jnp.concatenate([rows, queue], axis)
  return jax.lax.slice_in_dim(longer, 0, queue.shape[axis], axis=axis)
