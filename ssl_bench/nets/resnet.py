"""Residual network (He et al. 2016, arXiv:1512.03385), with the stem for small images or for large ones.

As torchvision builds it: post-activation blocks; in a bottleneck the 3x3 convolution has the stride; padding
on both sides; kernels normal with variance 2 / (k k channels out); no biases.  The CIFAR stem (a 3x3 kernel
of stride 1, no pooling) is that of SimCLR's and SimSiam's CIFAR experiments.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

import flax.linen as nn
import jax.numpy as jnp

from ssl_bench.nets._norm import WIDEST, DeepKind, Momentum, normalize
from ssl_bench.nets.core import Dtype, Net, as_tokens, from_linen, mean_and_tokens
from ssl_bench.settings.signature import Range

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}


def resnet(
  *,
  depth: Literal[18, 34, 50] = 18,
  width: Annotated[int, Range(1, WIDEST)] = 64,
  stem: Literal['cifar', 'imagenet'] = 'cifar',
  norm: DeepKind = 'batch',
  momentum: Momentum = 0.9,
  zero_init_residual: bool = False,
  dtype: Dtype = 'float32',
) -> Net:
  """Images [B, H, W, C] of any size -> features [B, 8 width], or [B, 32 width] at depth 50.

  They are the mean of the last feature map, which the option `tokens=True` of `apply` returns, [B, P, D].
  ResNet-18 with the CIFAR stem has 11,173,962 parameters with a classifier of ten classes.

  Args:
    depth: 18 and 34 have blocks of two 3x3 convolutions, 50 has bottlenecks.
    width: channels of the stem and of the first stage.
    stem: cifar, a 3x3 convolution; imagenet, 7x7 of stride 2 and max-pooling, which divide the size by 4.
    norm: normalization.
    momentum: share of the old value in BatchNorm's running moments.
    zero_init_residual: whether the last scale of each block starts at zero (Goyal et al. 2017, section 5.1).
    dtype: of the computation; parameters, statistics and features are float32.
  """
  module = _ResNet(depth, width, stem, norm, momentum, zero_init_residual, jnp.dtype(dtype))
  return from_linen(module)._replace(features_and_tokens=mean_and_tokens)


def _conv(features: int, size: int, stride: int, dtype: Any) -> nn.Conv:
  return nn.Conv(
    features,
    (size, size),
    stride,
    padding=size // 2,
    use_bias=False,
    dtype=dtype,
    kernel_init=nn.initializers.variance_scaling(2.0, 'fan_out', 'normal'),
  )


class _Block(nn.Module):
  layers: tuple[tuple[int, int, int], ...]  # features, kernel size and stride of each convolution
  norm: Callable
  last_scale: Callable
  dtype: Any

  @nn.compact
  def __call__(self, x):
    y = x
    for layer in self.layers[:-1]:
      y = nn.relu(self.norm(_conv(*layer, self.dtype)(y)))
    y = self.norm(_conv(*self.layers[-1], self.dtype)(y), scale_init=self.last_scale)
    if x.shape != y.shape:
      stride = max(stride for _, _, stride in self.layers)
      x = self.norm(_conv(y.shape[-1], 1, stride, self.dtype)(x))
    return nn.relu(x + y)


class _ResNet(nn.Module):
  depth: int
  width: int
  stem: str
  norm: DeepKind
  momentum: float
  zero_init_residual: bool
  dtype: Any

  @nn.compact
  def __call__(self, x, *, train, tokens=False):
    norm = partial(normalize, kind=self.norm, train=train, momentum=self.momentum, dtype=self.dtype)
    last_scale = nn.initializers.zeros if self.zero_init_residual else nn.initializers.ones
    large = self.stem == 'imagenet'
    x = _conv(self.width, 7 if large else 3, 2 if large else 1, self.dtype)(x)
    x = nn.relu(norm(x))
    if large:
      x = nn.max_pool(x, (3, 3), (2, 2), padding=((1, 1), (1, 1)))
    for stage, blocks in enumerate(BLOCKS[self.depth]):
      for i in range(blocks):
        features, stride = self.width * 2**stage, 2 if stage > 0 and i == 0 else 1
        layers: tuple[tuple[int, int, int], ...]
        if self.depth == 50:
          layers = ((features, 1, 1), (features, 3, stride), (4 * features, 1, 1))
        else:
          layers = ((features, 3, stride), (features, 3, 1))
        x = _Block(layers, norm, last_scale, self.dtype)(x)
    return as_tokens(x) if tokens else x.mean((1, 2), dtype=jnp.float32)
