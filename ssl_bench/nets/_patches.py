"""Building blocks of transformers on patches: patches, fixed positions, the transformer block."""

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from ssl_bench.settings.signature import BadSetting

Init = Literal['normal', 'xavier']


def patchify(images: jax.Array, patch: int) -> jax.Array:
  """Images [B, H, W, C] -> patches [B, H/patch * W/patch, patch * patch * C], row by row.

  Raises `BadSetting` where `patch` does not divide H and W.
  """
  b, h, w, c = images.shape
  if h % patch or w % patch:
    raise BadSetting(f'vit: patch {patch} must divide the image size {h}x{w}; choose another patch.')
  x = images.reshape(b, h // patch, patch, w // patch, patch, c)
  return x.transpose(0, 1, 3, 2, 4, 5).reshape(b, -1, patch * patch * c)


def sincos(rows: int, columns: int, dim: int) -> np.ndarray:
  """Fixed positions [rows, columns, dim]: sines, then cosines, of the column, then of the row.

  The wavelengths are 2 pi 10000^(4 i / dim) for i < dim / 4, as in MoCo v3 (Chen et al. 2021,
  arXiv:2104.02057) and MAE (He et al. 2022, arXiv:2111.06377).
  """
  rates = 10000.0 ** (-np.arange(dim // 4) / (dim // 4))
  y, x = (place[..., None] * rates for place in np.mgrid[:rows, :columns])
  return np.concatenate([np.sin(x), np.cos(x), np.sin(y), np.cos(y)], -1).astype(np.float32)


def dense(features: int, dtype: Any, init: Init = 'normal') -> nn.Dense:
  """A linear layer: kernel truncated normal of deviation 0.02 (DeiT), or uniform after Xavier (MAE)."""
  kernel = {'normal': nn.initializers.truncated_normal(0.02), 'xavier': nn.initializers.xavier_uniform()}
  return nn.Dense(features, dtype=dtype, kernel_init=kernel[init])


def norm(dtype: Any) -> nn.LayerNorm:
  """LayerNorm with the exact variance: E[x²] - E[x]² would lose digits to the mean."""
  return nn.LayerNorm(epsilon=1e-6, use_fast_variance=False, dtype=dtype)


class Block(nn.Module):
  """Attention, then an MLP four times as wide, each after LayerNorm and beside a shortcut."""

  heads: int
  dropout: float
  drop_path: float
  kernel: Init
  dtype: Any

  @nn.compact
  def __call__(self, x, *, train, seen=None):  # seen, bool [batch, count]: the tokens that others attend to
    def drop(y):
      return nn.Dropout(self.dropout, deterministic=not train)(y)

    def skip(y):  # one draw for each example
      return nn.Dropout(self.drop_path, broadcast_dims=(1, 2), deterministic=not train)(y)

    batch, count, dim = x.shape
    y = norm(self.dtype)(x)
    y = dense(3 * dim, self.dtype, self.kernel)(y).reshape(batch, count, 3, self.heads, dim // self.heads)
    seen = None if seen is None else seen[:, None, None, :]
    y = jax.nn.dot_product_attention(y[:, :, 0], y[:, :, 1], y[:, :, 2], mask=seen)
    x = x + skip(drop(dense(dim, self.dtype, self.kernel)(y.reshape(batch, count, dim))))
    y = norm(self.dtype)(x)
    y = drop(nn.gelu(dense(4 * dim, self.dtype, self.kernel)(y), approximate=False))
    return x + skip(drop(dense(dim, self.dtype, self.kernel)(y)))


class Decoder(nn.Module):
  """MAE's decoder: tokens [B, 1 + K, D] and order [B, N] -> the patches not visible [B, N - K, out].

  `order` is a permutation of all N patches (row by row), the K visible ones first, as their tokens are; the
  class token comes before them.  A transformer with fixed positions sees all tokens, a learned one in the
  place of each patch that is not visible.
  """

  rows: int
  columns: int
  out: int
  dim: int
  depth: int
  heads: int
  dtype: Any

  @nn.compact
  def __call__(self, tokens, order, *, train):
    visible, count = tokens.shape[1] - 1, order.shape[1]
    x = dense(self.dim, self.dtype, 'xavier')(tokens)
    hidden = self.param('mask_token', nn.initializers.normal(0.02), (self.dim,)).astype(self.dtype)
    hidden = jnp.broadcast_to(hidden, (len(x), count - visible, self.dim))
    places = jnp.asarray(sincos(self.rows, self.columns, self.dim)).reshape(-1, self.dim)[order]
    patches = jnp.concatenate([x[:, 1:], hidden], 1) + places.astype(self.dtype)
    x = jnp.concatenate([x[:, :1], patches], 1)
    for _ in range(self.depth):
      x = Block(self.heads, 0.0, 0.0, 'xavier', self.dtype)(x, train=train)
    x = norm(self.dtype)(x[:, 1 + visible :])
    return dense(self.out, self.dtype, 'xavier')(x).astype(jnp.float32)


class Predictor(nn.Module):
  """I-JEPA's predictor: tokens [B, P, D], context [B, P] and targets [B, M, P], both bool -> [B, M, P, D].

  A transformer with fixed positions sees the tokens of the context and, for each of the M blocks of targets
  by itself, a learned token in the place of each of its patches.  Only outputs at targets mean something.
  """

  rows: int
  columns: int
  dim: int
  depth: int
  heads: int
  dtype: Any

  @nn.compact
  def __call__(self, tokens, context, targets, *, train):
    batch, blocks, count = targets.shape
    places = jnp.asarray(sincos(self.rows, self.columns, self.dim)).reshape(count, self.dim)
    places = places.astype(self.dtype)
    x = dense(self.dim, self.dtype)(tokens) + places[None]
    hidden = self.param('mask_token', nn.initializers.truncated_normal(0.02), (self.dim,))
    hidden = jnp.broadcast_to(hidden.astype(self.dtype)[None] + places, (batch, blocks, count, self.dim))
    x = jnp.concatenate([jnp.broadcast_to(x[:, None], hidden.shape), hidden], 2)
    seen = jnp.concatenate([jnp.broadcast_to(context[:, None], targets.shape), targets], 2)
    x, seen = x.reshape(-1, 2 * count, self.dim), seen.reshape(-1, 2 * count)
    for _ in range(self.depth):
      x = Block(self.heads, 0.0, 0.0, 'normal', self.dtype)(x, train=train, seen=seen)
    x = dense(tokens.shape[-1], self.dtype)(norm(self.dtype)(x[:, count:]))
    return x.astype(jnp.float32).reshape(batch, blocks, count, -1)
