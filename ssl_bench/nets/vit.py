"""Vision transformer (Dosovitskiy et al. 2021, arXiv:2010.11929) on patches of any size.

As DeiT builds it (Touvron et al. 2021, arXiv:2012.12877): normalization before attention and before the MLP,
LayerNorm of epsilon 1e-6, exact GELU, kernels truncated normal of deviation 0.02, biases zero.
"""

from typing import Annotated, Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from ssl_bench.net import Dtype, Net, from_linen
from ssl_bench.signature import BadSetting, Range, Static

SIZES = {'tiny': (192, 12, 3), 'small': (384, 12, 6), 'base': (768, 12, 12)}  # dim, depth, heads
Rate = Annotated[Static, Range(0, 1, below=True)]
Position = Literal['learned', 'sincos']


def vit(
  *,
  size: Literal['tiny', 'small', 'base'] = 'tiny',
  dim: Annotated[int | None, Range(4)] = None,
  depth: Annotated[int | None, Range(1)] = None,
  heads: Annotated[int | None, Range(1)] = None,
  patch: Annotated[int, Range(1)] = 4,
  pool: Literal['cls', 'mean'] = 'cls',
  position: Position = 'learned',
  dropout: Rate = 0.0,
  drop_path: Rate = 0.0,
  dtype: Dtype = 'float32',
) -> Net:
  """Images [B, H, W, C] -> features [B, dim]; `patch` divides H and W.

  Two options of `apply` serve masked methods: `keep`, integers [B, K], are the patches (row by row) that
  enter the transformer, with the positions they had; `tokens=True` returns all tokens [B, 1 + patches, dim],
  the class token first.
  Images of another size than those of `init` are accepted: learned positions are interpolated (bicubic).
  ViT-Tiny on 224x224 images with patch 16 has 5,717,416 parameters with a classifier of 1,000 classes.

  Args:
    size: sets `dim`, `depth` and `heads`: 192, 12, 3 (tiny); 384, 12, 6 (small); 768, 12, 12 (base).
    dim: size of a token, a multiple of `heads` (and of 4 with sincos positions), instead of the size's.
    depth: number of blocks, instead of the size's.
    heads: number of attention heads, instead of the size's.
    patch: side of a square patch, in pixels.
    pool: features are the class token, or the mean of the other tokens, after the last normalization.
    position: learned, or fixed sines and cosines in two dimensions (MoCo v3, MAE).
    dropout: probability that a unit is zeroed while training, after positions, attention and both MLP layers.
    drop_path: probability that the last block's branches are skipped for an example while training; grows
      linearly from zero at the first block (Huang et al. 2016).
    dtype: of the computation; parameters and features are float32.
  """
  default = SIZES[size]
  dim, depth, heads = dim or default[0], depth or default[1], heads or default[2]
  if dim % heads:
    raise BadSetting(f'vit: dim {dim} must be a multiple of heads {heads}.')
  if position == 'sincos' and dim % 4:
    raise BadSetting(f'vit: dim {dim} must be a multiple of 4 with sincos positions.')
  return from_linen(_ViT(dim, depth, heads, patch, pool, position, dropout, drop_path, jnp.dtype(dtype)))


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


def _dense(features: int, dtype: Any) -> nn.Dense:
  return nn.Dense(features, dtype=dtype, kernel_init=nn.initializers.truncated_normal(0.02))


class _Block(nn.Module):
  heads: int
  dropout: float
  drop_path: float
  dtype: Any

  @nn.compact
  def __call__(self, x, *, train):
    def drop(y):
      return nn.Dropout(self.dropout, deterministic=not train)(y)

    def skip(y):  # one draw for each example
      return nn.Dropout(self.drop_path, broadcast_dims=(1, 2), deterministic=not train)(y)

    batch, count, dim = x.shape
    y = nn.LayerNorm(epsilon=1e-6, dtype=self.dtype)(x)
    y = _dense(3 * dim, self.dtype)(y).reshape(batch, count, 3, self.heads, dim // self.heads)
    y = jax.nn.dot_product_attention(y[:, :, 0], y[:, :, 1], y[:, :, 2])
    x = x + skip(drop(_dense(dim, self.dtype)(y.reshape(batch, count, dim))))
    y = nn.LayerNorm(epsilon=1e-6, dtype=self.dtype)(x)
    y = drop(nn.gelu(_dense(4 * dim, self.dtype)(y), approximate=False))
    return x + skip(drop(_dense(dim, self.dtype)(y)))


class _ViT(nn.Module):
  dim: int
  depth: int
  heads: int
  patch: int
  pool: str
  position: Position
  dropout: float
  drop_path: float
  dtype: Any

  @nn.compact
  def __call__(self, images, *, train, keep=None, tokens=False):
    x = _dense(self.dim, self.dtype)(patchify(images, self.patch))
    grid, cls = self._positions(images.shape[1] // self.patch, images.shape[2] // self.patch)
    x = x + grid.reshape(1, -1, self.dim).astype(self.dtype)
    if keep is not None:
      x = jnp.take_along_axis(x, keep[..., None], 1)
    cls = cls + self.param('cls', nn.initializers.normal(0.02), (self.dim,))
    cls = jnp.broadcast_to(cls.astype(self.dtype), (len(x), 1, self.dim))
    x = nn.Dropout(self.dropout, deterministic=not train)(jnp.concatenate([cls, x], 1))
    for i in range(self.depth):
      rate = self.drop_path * i / max(self.depth - 1, 1)
      x = _Block(self.heads, self.dropout, rate, self.dtype)(x, train=train)
    x = nn.LayerNorm(epsilon=1e-6, dtype=self.dtype)(x).astype(jnp.float32)
    if tokens:
      return x
    return x[:, 0] if self.pool == 'cls' else x[:, 1:].mean(1)

  def _positions(self, rows, columns):
    """Positions of the patches [rows, columns, dim] and of the class token [dim]."""
    if self.position == 'sincos':
      return jnp.asarray(sincos(rows, columns, self.dim)), jnp.zeros(self.dim)
    init = nn.initializers.normal(0.02)
    shape = (rows, columns, self.dim)
    made_for = (
      self.get_variable('params', 'position').shape if self.has_variable('params', 'position') else shape
    )
    grid = self.param('position', init, made_for)
    if made_for != shape:
      grid = jax.image.resize(grid, shape, 'bicubic')
    return grid, self.param('cls_position', init, (self.dim,))
