"""Decoders and generators: networks from a code to an image, dense or of transposed convolutions."""

import math

import flax.linen as nn
import jax.numpy as jnp

from ssl_bench.nets._norm import Kind, normalize


class Dense(nn.Module):
  """Two hidden layers of `width`, with normalization and ReLU, and a linear one."""

  shape: tuple[int, ...]
  width: int
  norm: Kind

  @nn.compact
  def __call__(self, *codes, train):
    x = jnp.concatenate(codes, -1)
    for _ in range(2):
      x = nn.Dense(self.width, use_bias=self.norm == 'none')(x)
      x = nn.relu(normalize(x, self.norm, train=train))
    x = nn.Dense(math.prod(self.shape))(x)
    return x.reshape(len(x), *self.shape)


class Conv(nn.Module):
  """A linear layer to a quarter of height and width, then two 4x4 transposed convolutions of stride 2."""

  shape: tuple[int, ...]
  width: int
  norm: Kind

  @nn.compact
  def __call__(self, *codes, train):
    height, width, channels = self.shape
    h, w, plain = -(-height // 4), -(-width // 4), self.norm == 'none'
    x = jnp.concatenate(codes, -1)
    x = nn.Dense(h * w * self.width, use_bias=plain)(x).reshape(len(x), h, w, self.width)
    x = nn.relu(normalize(x, self.norm, train=train))
    x = nn.ConvTranspose(max(1, self.width // 2), (4, 4), (2, 2), use_bias=plain)(x)
    x = nn.relu(normalize(x, self.norm, train=train))
    x = nn.ConvTranspose(channels, (4, 4), (2, 2))(x)
    return x[:, :height, :width]
