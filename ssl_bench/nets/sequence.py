"""A small transformer on tokens, such as the bytes of a text; the block is the vision transformer's."""

from typing import Annotated, Any

import flax.linen as nn
import jax.numpy as jnp

from ssl_bench.data.text import PAD, VOCABULARY
from ssl_bench.nets._norm import DEEPEST, WIDEST
from ssl_bench.nets._patches import Block, norm
from ssl_bench.nets.core import Dtype, Net, from_linen
from ssl_bench.nets.vit import Rate
from ssl_bench.settings.signature import BadSetting, Range


def sequence(
  *,
  dim: Annotated[int, Range(1, WIDEST)] = 64,
  depth: Annotated[int, Range(0, DEEPEST)] = 2,
  heads: Annotated[int, Range(1, WIDEST)] = 4,
  dropout: Rate = 0.0,
  drop_path: Rate = 0.0,
  dtype: Dtype = 'float32',
) -> Net:
  """Tokens, whole numbers below 256 [B, L] or [B, L, 1, 1] -> features [B, dim], their mean without padding.

  Embeddings of each token and of its place, both normal of deviation 0.02, then blocks with LayerNorm before
  attention and MLP, and LayerNorm (Devlin et al. 2019, arXiv:1810.04805, with the order of `vit`).  Padding
  (token 0) is seen by no token, and counts in no mean.  L is that of `init`, or less.
  The option `tokens=True` of `apply` returns the features of all places [B, L, dim].

  Args:
    dim: size of a token's features, a multiple of `heads`.
    depth: number of blocks.
    heads: number of attention heads.
    dropout: probability that a unit is zeroed while training, after positions, attention and both MLP layers.
    drop_path: probability that the last block's branches are skipped for an example while training; grows
      linearly from zero at the first block (Huang et al. 2016).
    dtype: of the computation; parameters and features are float32.
  """
  if dim % heads:
    raise BadSetting(f'sequence: dim {dim} must be a multiple of heads {heads}.')
  net = from_linen(_Sequence(dim, depth, heads, dropout, drop_path, jnp.dtype(dtype)))
  return net._replace(kinds=('tokens',))


class _Sequence(nn.Module):
  dim: int
  depth: int
  heads: int
  dropout: float
  drop_path: float
  dtype: Any

  @nn.compact
  def __call__(self, inputs, *, train, tokens=False):
    if not jnp.issubdtype(inputs.dtype, jnp.integer):
      raise BadSetting(
        'sequence reads tokens, which are whole numbers; images need another net, such as vit.'
      )
    ids = inputs.reshape(len(inputs), -1).astype(jnp.int32)
    init = nn.initializers.normal(0.02)
    x = nn.Embed(VOCABULARY, self.dim, embedding_init=init, dtype=self.dtype)(ids)
    length = ids.shape[1]
    if self.has_variable('params', 'position'):
      length = self.get_variable('params', 'position').shape[0]
    place = self.param('position', init, (length, self.dim))
    x = x + place[None, : ids.shape[1]].astype(self.dtype)
    x = nn.Dropout(self.dropout, deterministic=not train)(x)
    there = ids != PAD
    for i in range(self.depth):
      rate = self.drop_path * i / max(self.depth - 1, 1)
      x = Block(self.heads, self.dropout, rate, 'normal', self.dtype)(x, train=train, seen=there)
    x = norm(self.dtype)(x).astype(jnp.float32)
    if tokens:
      return x
    there = there.astype(x.dtype)
    return (x * there[..., None]).sum(1) / jnp.maximum(there.sum(1, keepdims=True), 1)
