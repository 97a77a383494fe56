"""Wide residual network as the FixMatch family builds it: WRN-28-2 with leaky ReLU.

Zagoruyko & Komodakis 2016 (arXiv:1605.07146), with the details of the reference code of MixMatch and FixMatch
(Sohn et al. 2020, arXiv:2001.07685; TensorFlow), some of which its PyTorch ports changed:

* the first block's shortcut starts after its normalization and activation, the other blocks' before;
* leaky ReLU of slope 0.1; BatchNorm of momentum 0.999 and epsilon 1e-3 (the ports USB and kekmodel: 1e-5);
* kernels are normal with variance 2 / (k k channels out), biases are left out.  The reference code has
  biases; under BatchNorm every one of them is subtracted again, as USB and kekmodel (which have none) know;
* strides as TensorFlow pads them, "SAME": where it halves an even size, a 3x3 kernel pads after, not before.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import flax.linen as nn
import jax.numpy as jnp

from ssl_bench.nets._norm import DEEPEST, WIDEST, DeepKind, Momentum, normalize
from ssl_bench.nets.core import Dtype, Net, as_tokens, from_linen, mean_and_tokens
from ssl_bench.settings.signature import BadSetting, Range, Static


def wide_resnet(
  *,
  depth: Annotated[int, Range(10, DEEPEST)] = 28,
  width: Annotated[int, Range(1, WIDEST)] = 2,
  norm: DeepKind = 'batch',
  momentum: Momentum = 0.999,
  epsilon: Annotated[Static, Range(0, 1, above=True)] = 1e-3,
  leak: Annotated[Static, Range(0, 1)] = 0.1,
  dtype: Dtype = 'float32',
) -> Net:
  """Images [B, H, W, C] of any size -> features [B, 64 width].

  They are the mean of the last feature map, which the option `tokens=True` of `apply` returns, [B, P, D].
  WRN-28-2 has 1,467,610 parameters with a classifier of ten classes.

  Args:
    depth: 6 n + 4, where n is the number of blocks in each of the three stages.
    width: multiplies the stages' 16, 32 and 64 channels.
    norm: normalization.
    momentum: share of the old value in BatchNorm's running moments.  0.999 is for runs of 100,000 steps and
      more; a run of a few hundred steps needs 0.9.
    epsilon: added to the variance.
    leak: slope of the activation below zero.
    dtype: of the computation; parameters, statistics and features are float32.
  """
  if (depth - 4) % 6:
    near = max(10, 6 * round((depth - 4) / 6) + 4)
    raise BadSetting(f'wide_resnet: depth must be 6 n + 4, such as {near}, not {depth}.')
  module = _WideResNet((depth - 4) // 6, width, norm, momentum, epsilon, leak, jnp.dtype(dtype))
  return from_linen(module)._replace(features_and_tokens=mean_and_tokens)


def _conv(features: int, size: int, stride: int, dtype: Any) -> nn.Conv:
  init = nn.initializers.variance_scaling(2.0, 'fan_out', 'normal')
  return nn.Conv(
    features, (size, size), stride, padding='SAME', use_bias=False, dtype=dtype, kernel_init=init
  )


class _Block(nn.Module):
  features: int
  stride: int
  activate_before_residual: bool
  activate: Callable  # normalization and leaky ReLU
  dtype: Any

  @nn.compact
  def __call__(self, x):
    y = self.activate(x)
    if self.activate_before_residual:
      x = y
    y = _conv(self.features, 3, self.stride, self.dtype)(y)
    y = _conv(self.features, 3, 1, self.dtype)(self.activate(y))
    if x.shape != y.shape:
      x = _conv(self.features, 1, self.stride, self.dtype)(x)
    return x + y


class _WideResNet(nn.Module):
  blocks: int
  width: int
  norm: DeepKind
  momentum: float
  epsilon: float
  leak: float
  dtype: Any

  @nn.compact
  def __call__(self, x, *, train, tokens=False):
    norm = partial(
      normalize, kind=self.norm, train=train, momentum=self.momentum, epsilon=self.epsilon, dtype=self.dtype
    )

    def activate(x):
      return nn.leaky_relu(norm(x), self.leak)

    x = _conv(16, 3, 1, self.dtype)(x)
    for stage in range(3):
      for i in range(self.blocks):
        stride = 2 if stage > 0 and i == 0 else 1
        x = _Block(16 * self.width * 2**stage, stride, stage == i == 0, activate, self.dtype)(x)
    x = activate(x)
    return as_tokens(x) if tokens else x.mean((1, 2), dtype=jnp.float32)
