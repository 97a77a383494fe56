"""A multilayer perceptron on flattened images, series or rows."""

from typing import Annotated, Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from ssl_bench.kinds.graph import Nodes
from ssl_bench.nets._graph import Project
from ssl_bench.nets._norm import WIDEST, Kind, Momentum, normalize
from ssl_bench.nets.core import Dtype, Net, from_linen
from ssl_bench.settings.signature import ADDED, BadSetting, Range, Static


def mlp(
  *,
  widths: Annotated[tuple[int, ...], Range(1, WIDEST)] = (256, 256),
  norm: Kind = 'batch',
  momentum: Momentum = 0.9,
  dropout: Annotated[Static, Range(0, 1, below=True)] = 0.0,
  dtype: Dtype = 'float32',
  pixels: Annotated[Literal['symmetric', 'unit'], ADDED] = 'symmetric',
  input_dropout: Annotated[Static, Range(0, 1, below=True), ADDED] = 0.0,
  input_noise: Annotated[Static, Range(0, 100), ADDED] = 0.0,
  noise: Annotated[Static, Range(0, 100), ADDED] = 0.0,
) -> Net:
  """Images [B, H, W, C] -> features [B, widths[-1]]: linear, normalization, ReLU, dropout, for each width.

  Series [B, L, C] are flattened as images are, and rows of a table [B, values] are flat.  Of nodes of a
  graph it reads the features alone, so it sees no edge.  Raises `BadSetting` for images of another size than
  those of `init`.

  Args:
    widths: size of each layer; with none the features are the pixels.
    norm: normalization of each layer; a layer that has it has no bias.
    momentum: share of the old value in BatchNorm's running moments.
    dropout: probability that a unit is zeroed while training.
    dtype: of the computation; parameters, statistics and features are float32.
    pixels: the range on which the first layer sees them: symmetric, [-1, 1], or unit, [0, 1], as most code
      for MNIST has it.  Without BatchNorm the best rate of SGD depends on it.
    input_dropout: probability that a pixel is black, or another value zero, while training; the others are
      larger by as much as dropout scales them, pixels on [0, 1].
    input_noise: deviation of normal noise on the pixels while training, on their range (Salimans et al.
      2016, code for MNIST: 0.3 on [0, 1]).
    noise: deviation of normal noise on the output of each layer while training (as there: 0.5).
  """
  modules = _MLP(widths, norm, momentum, dropout, jnp.dtype(dtype), pixels, input_dropout, input_noise, noise)
  return from_linen(modules)._replace(kinds=('image', 'graph', 'series', 'table', 'audio'))


class _MLP(nn.Module):
  widths: tuple[int, ...]
  norm: Kind
  momentum: float
  dropout: float
  dtype: Any
  pixels: str
  input_dropout: float
  input_noise: float
  noise: float

  @nn.compact
  def __call__(self, x, *, train):
    if isinstance(x, Nodes):
      return self._of_nodes(x, train=train)
    are_images, x = x.ndim == 4, x.reshape(len(x), -1)
    if self.widths and self.has_variable('params', 'Dense_0'):
      made_for = len(self.get_variable('params', 'Dense_0')['kernel'])
      if made_for != x.shape[1]:
        raise BadSetting(
          f'mlp: made for images of {made_for} values, it cannot see those of {x.shape[1]}; '
          'give all views one size, or choose a net for any size, such as convnet.'
        )
    x = self._dropped(x, are_images, train)
    x = self._noisy(x, self.input_noise, train)
    for width in self.widths:
      x = nn.Dense(width, use_bias=self.norm == 'none', dtype=self.dtype)(x)
      x = self._activated(x, train)
    return x.astype(jnp.float32)

  def _dropped(self, x, are_images, train):
    """Dropout of the inputs: a pixel becomes black, which is −1, any other value 0."""
    drop = nn.Dropout(self.input_dropout, deterministic=not train, name='input')
    if not are_images:
      return drop(x)
    if self.pixels == 'symmetric' and not self.input_dropout:
      return x
    x = drop((x + 1) / 2)
    return x if self.pixels == 'unit' else 2 * x - 1

  def _of_nodes(self, nodes, *, train):
    if not self.widths:
      return nodes.features()
    first, *others = self.widths
    x = Project(first, self.input_dropout, bias=self.norm == 'none')(nodes.graph, train=train)[nodes.index]
    x = self._activated(x, train)
    for width in others:
      x = self._activated(nn.Dense(width, use_bias=self.norm == 'none')(x), train)
    return x

  def _activated(self, x, train):
    x = normalize(x, self.norm, train=train, momentum=self.momentum, dtype=self.dtype)
    x = nn.Dropout(self.dropout, deterministic=not train)(nn.relu(x))
    return self._noisy(x, self.noise, train)

  def _noisy(self, x, deviation, train):
    if not (train and deviation):
      return x
    return x + deviation * jax.random.normal(self.make_rng('dropout'), x.shape, x.dtype)
