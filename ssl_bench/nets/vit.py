"""Vision transformer (Dosovitskiy et al. 2021, arXiv:2010.11929) on patches of any size.

As DeiT builds it (Touvron et al. 2021, arXiv:2012.12877): normalization before attention and before the MLP,
LayerNorm of epsilon 1e-6, exact GELU, kernels truncated normal of deviation 0.02 by default, biases zero.
"""

from typing import Annotated, Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from ssl_bench.nets._norm import DEEPEST, WIDEST
from ssl_bench.nets._patches import Block, Init, dense, norm, patchify, sincos
from ssl_bench.nets.core import Dtype, Net, from_linen
from ssl_bench.settings.signature import BadSetting, Range, Static

SIZES = {'tiny': (192, 12, 3), 'small': (384, 12, 6), 'base': (768, 12, 12)}  # dim, depth, heads
Rate = Annotated[Static, Range(0, 1, below=True)]
Position = Literal['learned', 'sincos']


def vit(
  *,
  size: Literal['tiny', 'small', 'base'] = 'tiny',
  dim: Annotated[int | None, Range(4, WIDEST)] = None,
  depth: Annotated[int | None, Range(1, DEEPEST)] = None,
  heads: Annotated[int | None, Range(1, WIDEST)] = None,
  patch: Annotated[int, Range(1, 1024)] = 4,
  pool: Literal['cls', 'mean'] = 'cls',
  position: Position = 'learned',
  init: Init = 'normal',
  dropout: Rate = 0.0,
  drop_path: Rate = 0.0,
  dtype: Dtype = 'float32',
) -> Net:
  """Images [B, H, W, C] -> features [B, dim]; `patch` divides H and W.

  Options of `apply` serve masked methods: `keep`, integers [B, K], are the patches (row by row) that enter
  the transformer, with the positions they had; `seen`, bool [B, patches], are those that it attends to, where
  their number differs from image to image (tokens of the others mean nothing); `mask=(where, token)`, bool
  [B, patches] and [dim], puts the token in the place of some patches' embeddings, before positions;
  `tokens=True` returns all tokens [B, 1 + patches, dim], the class token first; `layers=K` returns those
  after each of the last K blocks, [K, B, 1 + patches, dim], before the last normalization.
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
    init: of all kernels: truncated normal of deviation 0.02 (DeiT), or uniform after Xavier (MAE); the former
      leaves the embeddings of small patches small beside fixed positions.
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
  module = _ViT(dim, depth, heads, patch, pool, position, init, dropout, drop_path, jnp.dtype(dtype))
  cls = pool == 'cls'
  read = lambda seen: (seen[:, 0] if cls else seen[:, 1:].mean(1), seen[:, 1:])
  return from_linen(module)._replace(patch=patch, features_and_tokens=read)


class _ViT(nn.Module):
  dim: int
  depth: int
  heads: int
  patch: int
  pool: str
  position: Position
  kernel: Init
  dropout: float
  drop_path: float
  dtype: Any

  @nn.compact
  def __call__(self, images, *, train, keep=None, seen=None, mask=None, tokens=False, layers=0):
    if layers > self.depth:
      raise BadSetting(f'vit: it has {self.depth} blocks, not {layers}; set net.depth or that number.')
    x = dense(self.dim, self.dtype, self.kernel)(patchify(images, self.patch))
    if mask is not None:
      where, token = mask
      x = jnp.where(where[..., None], token.astype(self.dtype), x)
    grid, cls = self._positions(images.shape[1] // self.patch, images.shape[2] // self.patch)
    x = x + grid.reshape(1, -1, self.dim).astype(self.dtype)
    if keep is not None:
      x = jnp.take_along_axis(x, keep[..., None], 1)
    cls = cls + self.param('cls', nn.initializers.normal(0.02), (self.dim,))
    cls = jnp.broadcast_to(cls.astype(self.dtype), (len(x), 1, self.dim))
    x = nn.Dropout(self.dropout, deterministic=not train)(jnp.concatenate([cls, x], 1))
    if seen is not None:
      seen = jnp.pad(seen, ((0, 0), (1, 0)), constant_values=True)  # the class token is seen by all
    after = []
    for i in range(self.depth):
      rate = self.drop_path * i / max(self.depth - 1, 1)
      x = Block(self.heads, self.dropout, rate, self.kernel, self.dtype)(x, train=train, seen=seen)
      after.append(x)
    x = norm(self.dtype)(x).astype(jnp.float32)
    if layers:
      return jnp.stack(after[-layers:]).astype(jnp.float32)
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
