"""Heads: what methods put on an encoder, such as classifiers, projectors and decoders."""

from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from ssl_bench.nets import _decoder
from ssl_bench.nets._graph import Activation, activate
from ssl_bench.nets._graph_decoder import GraphDecoder
from ssl_bench.nets._norm import Kind, normalize
from ssl_bench.nets._patches import Decoder, Predictor
from ssl_bench.nets._patches import patchify as patchify
from ssl_bench.nets.core import Dtype, Net, from_linen
from ssl_bench.settings.signature import BadSetting

Layers = Literal['dense', 'conv']  # of a decoder of images
LastNorm = Literal['none', 'affine', 'scale', 'plain']


def linear(features: int, bias: bool = True, *, dtype: Dtype = 'float32') -> Net:
  """A linear layer [..., D] -> [..., features], such as a classifier; float32 out.

  Kernel: truncated normal of variance 1/D.  Bias: zero.
  """
  return from_linen(_Linear(features, bias, jnp.dtype(dtype)))


class _Linear(nn.Module):
  features: int
  bias: bool
  dtype: Any

  @nn.compact
  def __call__(self, x, *, train):
    return nn.Dense(self.features, use_bias=self.bias, dtype=self.dtype)(x).astype(jnp.float32)


def projector(
  *widths: int | None,
  norm: Kind = 'batch',
  last_norm: LastNorm = 'none',
  last_bias: bool = True,
  activation: Activation = 'relu',
  momentum: float = 0.9,
  epsilon: float = 1e-5,
  dtype: Dtype = 'float32',
) -> Net:
  """A projector or predictor [B, D] -> [B, widths[-1]]: an MLP, normalized, with a linear end; float32 out.

  Every layer but the last is linear, normalization, activation; the last is linear and, if asked,
  normalization.  A linear layer that is normalized has no bias: the normalization would remove it.
  The published heads:

  =====================================  ====================================================
  SimCLR v1, projector (official code)   `projector(2048, 128, last_norm='scale')`
  BYOL, both (official code)             `projector(4096, 256, last_bias=False)`
  MoCo v2, projector                     `projector(2048, 128, norm='none')`
  SimSiam, projector                     `projector(2048, 2048, 2048, last_norm='plain')`
  SimSiam, predictor                     `projector(512, 2048)`
  MoCo v3 (ResNet), projector            `projector(4096, 256, last_norm='plain')`
  Barlow Twins, projector                `projector(8192, 8192, 8192, last_bias=False)`
  GRACE, projector                       `projector(128, 128, norm='none', activation='elu')`
  BGRL, predictor                        `projector(512, None, norm='none', activation='prelu')`
  =====================================  ====================================================

  Args:
    widths: output size of each layer, at least one; None is the size of the input.
    norm: normalization of the hidden layers.
    last_norm: normalization of the last layer, of the kind `norm` (batch where that is none): with scale
      and bias (`affine`), scale only (`scale`), neither (`plain`), or no normalization (`none`).
    last_bias: whether the last linear layer has a bias where it is not normalized.
    activation: of the hidden layers; gelu is the exact one, prelu has one slope a layer, 0.25 at the start.
    momentum: share of the old value in BatchNorm's running moments, [0, 1).
    epsilon: added to the variance, > 0.
    dtype: of the computation.
  """
  if not widths:
    raise BadSetting('A projector needs at least one width.')
  return from_linen(
    _Projector(widths, norm, last_norm, last_bias, activation, momentum, epsilon, jnp.dtype(dtype))
  )


class _Projector(nn.Module):
  widths: tuple[int | None, ...]
  norm: Kind
  last_norm: LastNorm
  last_bias: bool
  activation: Activation
  momentum: float
  epsilon: float
  dtype: Any

  @nn.compact
  def __call__(self, x, *, train):
    settings = {'train': train, 'momentum': self.momentum, 'epsilon': self.epsilon, 'dtype': self.dtype}
    *hidden, last = (width or x.shape[-1] for width in self.widths)
    for width in hidden:
      x = nn.Dense(width, use_bias=self.norm == 'none', dtype=self.dtype)(x)
      x = activate(self.activation)(normalize(x, self.norm, **settings))
    bias = self.last_bias and self.last_norm == 'none'
    x = nn.Dense(last, use_bias=bias, dtype=self.dtype)(x)
    if self.last_norm != 'none':
      kind = 'batch' if self.norm == 'none' else self.norm
      affine = {'scale': self.last_norm != 'plain', 'bias': self.last_norm == 'affine'}
      x = normalize(x, kind, **settings, **affine)
    return x.astype(jnp.float32)


def decoder(
  shape: tuple[int, ...], *, layers: Layers = 'dense', width: int = 256, norm: Kind = 'none'
) -> Net:
  """Codes [B, D], one or several of them side by side -> images [B, *shape], float32, of any value.

  * dense: two hidden layers of `width`, with normalization and ReLU, and a linear one.
  * conv: a linear layer to `width` channels at a quarter of height and width, and two 4x4 transposed
    convolutions of stride 2, to `width` / 2 channels and to the image's; what is over is cut off.

  Args:
    shape: of an image, [H, W, C]; `dense` takes any.
    layers: dense or conv (images only).
    width: of the first hidden layer.
    norm: normalization of every layer but the last; a layer that has it has no bias.
  """
  if layers == 'conv' and len(shape) != 3:
    raise BadSetting('A decoder of transposed convolutions makes images; choose method.layers=dense.')
  module = {'dense': _decoder.Dense, 'conv': _decoder.Conv}[layers]
  return from_linen(module(tuple(shape), width, norm))


def token_reader(encoder: Net, where: str) -> Callable[[jax.Array], tuple[jax.Array, jax.Array]]:
  """`encoder.features_and_tokens`; raises `BadSetting` in the name of `where` for a net that has none."""
  if encoder.features_and_tokens is None:
    raise BadSetting(f'{where} looks at places and needs a net that tells their features, as net=convnet.')
  return encoder.features_and_tokens


def patch_grid(encoder: Net, shape: tuple[int, ...], where: str) -> tuple[int, int, int]:
  """Rows, columns and side (in pixels) of the patches that `encoder` cuts an image of `shape` [H, W, C] into.

  Raises `BadSetting` in the name of `where` for an encoder without patches, or whose patches do not fit.
  """
  if encoder.patch is None:
    raise BadSetting(f'{where} masks patches and needs a net that is made of them, such as net=vit.')
  rows, columns = shape[0] // encoder.patch, shape[1] // encoder.patch
  if shape[:2] != (rows * encoder.patch, columns * encoder.patch):
    size = f'{shape[0]}x{shape[1]}'
    raise BadSetting(f'{where}: net.patch {encoder.patch} must divide the image size {size}; change it.')
  return rows, columns, encoder.patch


def patch_decoder(
  grid: tuple[int, int], out: int, *, dim: int, depth: int, heads: int, dtype: Dtype = 'float32'
) -> Net:
  """MAE's decoder, a net of two inputs: (tokens [B, 1 + K, D], order [B, N]) -> [B, N - K, out]; float32 out.

  `order` is a permutation of the N patches of a grid (row by row), the K visible ones first, as their tokens
  are after the class token's; the output is that of the other patches, in order.

  Args:
    grid: rows and columns of patches.
    out: numbers in a patch.
    dim: size of a token, a multiple of `heads` and of 4.
    depth: number of blocks.
    heads: number of attention heads.
    dtype: of the computation.
  """
  if dim % heads or dim % 4:
    raise BadSetting(f'A decoder of patches: dim {dim} must be a multiple of heads {heads} and of 4.')
  return from_linen(Decoder(*grid, out, dim, depth, heads, jnp.dtype(dtype)))


def patch_predictor(
  grid: tuple[int, int], *, dim: int, depth: int, heads: int, dtype: Dtype = 'float32'
) -> Net:
  """I-JEPA's predictor, a net of three inputs; see `_patches.Predictor`; float32 out.

  The first is tokens [B, P, D], of the patches of a grid, row by row; context, bool [B, P], says which of
  them are seen; targets, bool [B, M, P], which patches are predicted, in M blocks -> [B, M, P, D].

  Args:
    grid: rows and columns of patches.
    dim: size of a token, a multiple of `heads` and of 4.
    depth: number of blocks of the transformer.
    heads: number of attention heads.
    dtype: of the computation.
  """
  if dim % heads or dim % 4:
    raise BadSetting(f'A predictor of patches: dim {dim} must be a multiple of heads {heads} and of 4.')
  return from_linen(Predictor(*grid, dim, depth, heads, jnp.dtype(dtype)))


def graph_decoder(
  out: int, *, attention: bool = True, dropout: float = 0.0, attention_dropout: float = 0.0
) -> Net:
  """GraphMAE's decoder, a net of three inputs: (features [nodes, D], graph, masked [K]) -> [K, out].

  A linear layer without bias, D to D; zeros in the place of the masked nodes; dropout; and one layer of graph
  attention with one head, or one graph convolution, of which the rows of the masked nodes are given.

  Args:
    out: numbers that are reconstructed of each node.
    attention: whether the layer is attention; its score of a neighbor is LeakyReLU(b · h_j + c).
    dropout: probability that an entry is zeroed while training, [0, 1).
    attention_dropout: the same of a node's attention to a neighbor.
  """
  return from_linen(GraphDecoder(out, attention, dropout, attention_dropout))
