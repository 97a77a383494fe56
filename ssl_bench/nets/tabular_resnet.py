"""A residual network on the rows of a table (Gorishniy et al. 2021, arXiv:2106.11959, section 3.2)."""

from typing import Annotated, Any

import flax.linen as nn
import jax.numpy as jnp

from ssl_bench.nets._norm import DEEPEST, WIDEST, Kind, Momentum, normalize
from ssl_bench.nets.core import Dtype, Net, from_linen
from ssl_bench.settings.signature import Range, Static

Rate = Annotated[Static, Range(0, 1, below=True)]


def tabular_resnet(
  *,
  width: Annotated[int, Range(1, WIDEST)] = 128,
  hidden: Annotated[int, Range(1, WIDEST)] = 256,
  blocks: Annotated[int, Range(0, DEEPEST)] = 2,
  norm: Kind = 'batch',
  momentum: Momentum = 0.9,
  dropout: Rate = 0.2,
  residual_dropout: Rate = 0.0,
  dtype: Dtype = 'float32',
) -> Net:
  """Rows [B, values] -> features [B, width].

  A linear layer to `width`; blocks x + Dropout(Linear(Dropout(ReLU(Linear(Norm(x)))))), pre-activation; and
  ReLU(Norm(x)).  The paper's last linear layer is the head that a method adds.

  Args:
    width: size of the features.
    hidden: size of a block's hidden layer.
    blocks: how many there are.
    norm: normalization before each block and at the end.
    momentum: share of the old value in BatchNorm's running moments.
    dropout: probability that a unit of a hidden layer is zeroed while training.
    residual_dropout: the same of what a block adds.
    dtype: of the computation; parameters, statistics and features are float32.
  """
  module = _TabularResNet(width, hidden, blocks, norm, momentum, dropout, residual_dropout, jnp.dtype(dtype))
  return from_linen(module)._replace(kinds=('table',))


class _TabularResNet(nn.Module):
  width: int
  hidden: int
  blocks: int
  norm: Kind
  momentum: float
  dropout: float
  residual_dropout: float
  dtype: Any

  @nn.compact
  def __call__(self, x, *, train):
    norm = lambda x: normalize(x, self.norm, train=train, momentum=self.momentum, dtype=self.dtype)
    drop = lambda rate, x: nn.Dropout(rate, deterministic=not train)(x)
    x = nn.Dense(self.width, dtype=self.dtype)(x)
    for _ in range(self.blocks):
      y = nn.relu(nn.Dense(self.hidden, dtype=self.dtype)(norm(x)))
      y = nn.Dense(self.width, dtype=self.dtype)(drop(self.dropout, y))
      x = x + drop(self.residual_dropout, y)
    return nn.relu(norm(x)).astype(jnp.float32)
