"""Normalization layers: over the batch, over groups of channels, over a whole example, or none."""

from typing import Annotated, Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from ssl_bench.settings.signature import Range, Static

Kind = Literal['batch', 'group', 'layer', 'none']
DeepKind = Literal['batch', 'group', 'layer']  # of residual nets, which do not train without
WIDEST = 65536  # channels or units of a layer; what fits into memory is told from the net as a whole
DEEPEST = 256  # layers or blocks
Momentum = Annotated[Static, Range(0, 1, below=True)]  # share of the old value in the running moments


def normalize(
  x: jax.Array,
  kind: Kind,
  *,
  train: bool,
  momentum: float = 0.9,
  epsilon: float = 1e-5,
  scale: bool = True,
  bias: bool = True,
  scale_init: Any = nn.initializers.ones,
  dtype: Any = jnp.float32,
) -> jax.Array:
  """Normalizes `x` [B, ..., C] with a scale and a bias for each channel; call it in a compact method.

  * batch: over the batch and all positions of a channel (Ioffe & Szegedy 2015).  The running moments are
    m <- momentum m + (1 - momentum) batch moment, where the variance is the biased one.
  * group: over the positions and channels of a group of one example (Wu & He 2018); 32 groups, or fewer in
    narrow layers, so that a group has at least two channels.
  * layer: over all positions and channels of one example (Ba et al. 2016; for images as in
    Wu & He 2018, figure 2).
  * none: `x` itself.

  Moments are float32 whatever `dtype` is, and the variance is E[x^2] - E[x]^2, clipped at zero: one pass, but
  inexact for channels whose mean is thousands of times their deviation.
  """
  affine: dict[str, Any] = {'use_scale': scale, 'use_bias': bias, 'scale_init': scale_init}
  common = affine | {'epsilon': epsilon, 'dtype': dtype}
  if kind == 'batch':
    return nn.BatchNorm(use_running_average=not train, momentum=momentum, **common)(x)
  if kind == 'group':
    return nn.GroupNorm(num_groups=count_groups(x.shape[-1]), **common)(x)
  if kind == 'layer':
    return nn.GroupNorm(num_groups=1, **common)(x)
  return x


def count_groups(channels: int) -> int:
  """The largest number of equal groups, at most 32, of at least two channels each (one group of one)."""
  return max(g for g in range(1, 33) if channels % g == 0 and (g == 1 or channels >= 2 * g))
