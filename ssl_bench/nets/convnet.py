"""A small convolutional net for small images of any size: three 3x3 layers and a global mean."""

from typing import Annotated, Any

import flax.linen as nn
import jax.numpy as jnp

from ssl_bench.nets._norm import WIDEST, Kind, Momentum, normalize
from ssl_bench.nets.core import Dtype, Net, as_tokens, from_linen, mean_and_tokens
from ssl_bench.settings.signature import Range, Static


def convnet(
  *,
  width: Annotated[int, Range(1, WIDEST)] = 32,
  norm: Kind = 'batch',
  momentum: Momentum = 0.9,
  dropout: Annotated[Static, Range(0, 1, below=True)] = 0.0,
  dtype: Dtype = 'float32',
) -> Net:
  """Images [B, H, W, C] of any size -> features [B, 4 width].

  Three layers of 3x3 convolution, normalization and ReLU with `width`, 2 `width` and 4 `width` channels;
  the second and the third halve height and width.  The mean over positions ends it; the option `tokens=True`
  of `apply` returns what it is the mean of, [B, H/4 · W/4, 4 width] (rounded up), unless there is dropout.

  Args:
    width: channels of the first layer.
    norm: normalization of each layer; a layer that has it has no bias.
    momentum: share of the old value in BatchNorm's running moments.
    dropout: probability that a feature is zeroed while training.
    dtype: of the computation; parameters, statistics and features are float32.
  """
  net = from_linen(_ConvNet(width, norm, momentum, dropout, jnp.dtype(dtype)))
  return net if dropout else net._replace(features_and_tokens=mean_and_tokens)


class _ConvNet(nn.Module):
  width: int
  norm: Kind
  momentum: float
  dropout: float
  dtype: Any

  @nn.compact
  def __call__(self, x, *, train, tokens=False):
    for channels, stride in ((self.width, 1), (2 * self.width, 2), (4 * self.width, 2)):
      x = nn.Conv(
        channels,
        (3, 3),
        stride,
        use_bias=self.norm == 'none',
        dtype=self.dtype,
        kernel_init=nn.initializers.he_normal(),
      )(x)
      x = nn.relu(normalize(x, self.norm, train=train, momentum=self.momentum, dtype=self.dtype))
    if tokens:
      return as_tokens(x)
    x = x.mean((1, 2), dtype=jnp.float32)
    return nn.Dropout(self.dropout, deterministic=not train)(x)
