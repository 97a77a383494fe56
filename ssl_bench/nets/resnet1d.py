"""A residual network on time series (Wang, Yan and Oates 2017, arXiv:1611.06455, section 2.3)."""

from functools import partial
from typing import Annotated, Any

import flax.linen as nn
import jax.numpy as jnp

from ssl_bench.nets._norm import WIDEST, DeepKind, Momentum, normalize
from ssl_bench.nets.core import Dtype, Net, from_linen, mean_and_tokens
from ssl_bench.settings.signature import Range

KERNELS = (8, 5, 3)  # of the three layers of a block


def resnet1d(
  *,
  width: Annotated[int, Range(1, WIDEST)] = 64,
  norm: DeepKind = 'batch',
  momentum: Momentum = 0.9,
  dtype: Dtype = 'float32',
) -> Net:
  """Series [B, L, C] of any length -> features [B, 2 width], the mean over time.

  Three blocks of `width`, 2 `width` and 2 `width` channels.  A block has three convolutions with kernels of
  8, 5 and 3 points, each with normalization and all but the last with ReLU; a branch around it (a convolution
  of one point where channels change, and normalization), and ReLU on the sum.  Nothing is strided, so the
  option `tokens=True` of `apply` returns the features of every point in time, [B, L, 2 width].

  Args:
    width: channels of the first block (the paper: 64).
    norm: normalization of each layer.
    momentum: share of the old value in BatchNorm's running moments.
    dtype: of the computation; parameters, statistics and features are float32.
  """
  net = from_linen(_ResNet1D(width, norm, momentum, jnp.dtype(dtype)))
  return net._replace(kinds=('series',), features_and_tokens=mean_and_tokens)


class _ResNet1D(nn.Module):
  width: int
  norm: DeepKind
  momentum: float
  dtype: Any

  @nn.compact
  def __call__(self, x, *, train, tokens=False):
    norm = partial(normalize, kind=self.norm, train=train, momentum=self.momentum, dtype=self.dtype)
    for width in (self.width, 2 * self.width, 2 * self.width):
      y = x
      for i, kernel in enumerate(KERNELS):
        y = norm(self._conv(width, kernel)(y))
        y = nn.relu(y) if i < len(KERNELS) - 1 else y
      x = norm(self._conv(width, 1)(x) if x.shape[-1] != width else x)
      x = nn.relu(x + y)
    return x.astype(jnp.float32) if tokens else x.mean(1, dtype=jnp.float32)

  def _conv(self, features, kernel):
    init = nn.initializers.he_normal()
    return nn.Conv(features, (kernel,), use_bias=False, dtype=self.dtype, kernel_init=init)
