"""`Net`: a network as two pure functions.  Only the modules of this folder import Flax.

Batch statistics are those of the whole batch: under `jit` over a mesh with Auto axes and a sharded batch
they are global, with no axis name and no collective written here.
"""

import zlib
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from ssl_bench.data.text import MASK as MASK
from ssl_bench.data.text import PAD as PAD
from ssl_bench.data.text import VOCABULARY as VOCABULARY
from ssl_bench.nets import _decoder
from ssl_bench.nets._norm import Kind, normalize
from ssl_bench.nets._patches import Decoder
from ssl_bench.nets._patches import patchify as patchify
from ssl_bench.settings.signature import BadSetting

Dtype = Literal['float32', 'bfloat16']  # of the computation; parameters, statistics and outputs are float32
Layers = Literal['dense', 'conv']  # of a decoder of images
LastNorm = Literal['none', 'affine', 'scale', 'plain']


class Net(NamedTuple):
  """A network as two pure functions.

  `init(key, *inputs) -> (params, stats)`: `params` is what an optimizer moves, `stats` is what the network
  observes (running moments; `{}` where it has none).  Only shapes and dtypes of the inputs matter; under
  `jit` no forward pass is compiled.

  `apply(params, stats, *inputs, train, key=None, **options) -> (output, stats)`: with `train` true, batch
  statistics and dropout (drawn from `key`) are used and the new `stats` are returned; with `train` false,
  the running statistics are used and the same `stats` are returned.  To leave the running statistics
  untouched by a training pass, drop what it returns.

  `patch`: where the input is cut into square patches that become tokens, their side in pixels; such a net
  takes the options `keep`, `mask` and `tokens` (see `nets.vit`).

  `kind` is what it reads: images, float32 [B, H, W, C], or tokens, whole numbers [B, L] or [B, L, 1, 1].
  """

  init: Callable[..., tuple[Any, Any]]
  apply: Callable[..., tuple[Any, Any]]
  patch: int | None = None
  kind: Literal['image', 'tokens'] = 'image'


def from_linen(module: nn.Module) -> Net:
  """A Linen module whose `__call__` takes arrays, a keyword `train`, and options of its own."""

  def init(key, *inputs):
    variables = dict(module.init({'params': key}, *inputs, train=False))
    return variables.pop('params', {}), variables

  def apply(params, stats, *inputs, train: bool, key=None, **options):
    output, new = module.apply(
      {'params': params, **stats},
      *inputs,
      train=train,
      **options,
      mutable=list(stats) if train else [],
      rngs={} if key is None else {'dropout': key},
    )
    return output, dict(new) if train else stats

  return Net(init, apply)


def chain(**nets: Net) -> Net:
  """Composes nets left to right; the output is a dict of every intermediate, by name.

  Inputs and options go to the first net.  `params` and `stats` are dicts by name, and a part can be run
  alone with them: `head.apply(params['head'], stats['head'], features, train=False)`.
  """

  def init(key, *inputs):
    params, stats = {}, {}
    for name, net in nets.items():
      params[name], stats[name] = net.init(fold_name(key, name), *inputs)
      output, _ = net.apply(params[name], stats[name], *inputs, train=False)
      inputs = (output,)
    return params, stats

  def apply(params, stats, *inputs, train: bool, key=None, **options):
    outputs, new = {}, {}
    for name, net in nets.items():
      own = None if key is None else fold_name(key, name)
      outputs[name], new[name] = net.apply(
        params[name], stats[name], *inputs, train=train, key=own, **options
      )
      inputs, options = (outputs[name],), {}
    return outputs, new

  return Net(init, apply)


def each(net: Net) -> Net:
  """The net on several batches [B, …], whose images may be of several sizes: a pass for each, in turn.

  The output holds the rows of all of them, in order; BatchNorm sees each batch by itself.
  """

  def init(key, *batches):
    return net.init(key, batches[0])

  def apply(params, stats, *batches, train: bool, key=None, **options):
    outputs = []
    for i, images in enumerate(batches):
      own = None if key is None else jax.random.fold_in(key, i)
      output, stats = net.apply(params, stats, images, train=train, key=own, **options)
      outputs.append(output)
    if len({output.shape[1:] for output in outputs}) > 1:
      raise BadSetting('The number of features goes by the size of images; choose a net for any size.')
    return jnp.concatenate(outputs), stats

  return Net(init, apply)


def init_each(key: jax.Array, **nets: tuple[Any, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
  """`init_each(key, generator=(net, z), discriminator=(net, x)) -> (params, stats)`, dicts by name.

  A net's initial values depend on the key and its name only, so the same key may serve several calls
  with different names.
  """
  made = {name: net.init(fold_name(key, name), *inputs) for name, (net, *inputs) in nets.items()}
  return {name: params for name, (params, _) in made.items()}, {
    name: stats for name, (_, stats) in made.items()
  }


def fold_name(key: jax.Array, name: str) -> jax.Array:
  """A key of its own for each name, the same in every process."""
  return jax.random.fold_in(key, np.uint32(zlib.crc32(name.encode())))


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
  *widths: int,
  norm: Kind = 'batch',
  last_norm: LastNorm = 'none',
  last_bias: bool = True,
  activation: Literal['relu', 'gelu'] = 'relu',
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
  =====================================  ====================================================

  Args:
    widths: output size of each layer, at least one.
    norm: normalization of the hidden layers.
    last_norm: normalization of the last layer, of the kind `norm` (batch where that is none): with scale
      and bias (`affine`), scale only (`scale`), neither (`plain`), or no normalization (`none`).
    last_bias: whether the last linear layer has a bias where it is not normalized.
    activation: of the hidden layers; gelu is the exact one.
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
  widths: tuple[int, ...]
  norm: Kind
  last_norm: LastNorm
  last_bias: bool
  activation: str
  momentum: float
  epsilon: float
  dtype: Any

  @nn.compact
  def __call__(self, x, *, train):
    act = {'relu': nn.relu, 'gelu': lambda y: nn.gelu(y, approximate=False)}[self.activation]
    settings = {'train': train, 'momentum': self.momentum, 'epsilon': self.epsilon, 'dtype': self.dtype}
    for width in self.widths[:-1]:
      x = nn.Dense(width, use_bias=self.norm == 'none', dtype=self.dtype)(x)
      x = act(normalize(x, self.norm, **settings))
    bias = self.last_bias and self.last_norm == 'none'
    x = nn.Dense(self.widths[-1], use_bias=bias, dtype=self.dtype)(x)
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
    layers: dense or conv.
    width: of the first hidden layer.
    norm: normalization of every layer but the last; a layer that has it has no bias.
  """
  module = {'dense': _decoder.Dense, 'conv': _decoder.Conv}[layers]
  return from_linen(module(tuple(shape), width, norm))


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


def output(model: Net, part: str, weights: Callable[..., Any] | None = None) -> Callable[..., jax.Array]:
  """The function (state, images) -> output of one part of a chain, in evaluation mode.

  A method's `encode` is `net.output(model, 'encoder')`, its `predict` `net.output(model, 'head')`.
  `weights`: state -> (params, stats) to evaluate, such as a teacher's; the state's own by default.
  """
  weights = weights or (lambda state: (state.params, state.stats))
  return lambda state, images: model.apply(*weights(state), images, train=False)[0][part]


def read(model: Net, weights: Callable | None = None, *, head: str | None = 'head') -> dict[str, Callable]:
  """`encode` and, unless `head` is None, `predict` of a chain, as keywords of `Method`; see `output`."""
  parts = {'encode': 'encoder'} | ({'predict': head} if head else {})
  return {name: output(model, part, weights) for name, part in parts.items()}
