"""MixMatch's mixtures: rows of labeled images and of views, each with another row (Berthelot et al. 2019)."""

import jax
import jax.numpy as jnp


def draw(key, views, *, alpha):
  """Of each row, how much of it stays (`share`, in [1/2, 1]) and which row it is mixed with (`other`)."""
  rows = sum(len(view['image']) for view in views.values())
  keys = [jax.random.fold_in(key, i) for i in (100, 101)]
  share = jax.random.beta(keys[0], alpha, alpha, (rows,), 'float32')
  return {'share': jnp.maximum(share, 1 - share), 'other': jax.random.permutation(keys[1], rows)}


def mixed(rows, drawn):
  """The mixtures of rows [n, ...] that were drawn."""
  share = drawn['share'].reshape(-1, *[1] * (rows.ndim - 1))
  return share * rows + (1 - share) * rows[drawn['other']]
