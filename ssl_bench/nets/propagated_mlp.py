"""A multilayer perceptron on features that are the mean of several propagations."""

from typing import Annotated, Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from ssl_bench.kinds.graph import Graph
from ssl_bench.nets._graph import Links, Project, in_blocks, linear, links_of, propagate, thin
from ssl_bench.nets._norm import WIDEST, Kind, Momentum, normalize
from ssl_bench.nets.core import Net, from_linen
from ssl_bench.nets.vit import Rate
from ssl_bench.settings.signature import BadSetting, Range


def propagated_mlp(
  *,
  widths: Annotated[tuple[int, ...], Range(1, WIDEST)] = (32,),
  steps: Annotated[int, Range(0, 64)] = 8,
  norm: Kind = 'none',
  momentum: Momentum = 0.9,
  input_dropout: Rate = 0.5,
  dropout: Rate = 0.5,
) -> Net:
  """Nodes -> features [B, widths[-1]]: the mean of Â⁰ X to Âᴷ X, then dropout, linear, ReLU for each width.

  Feng et al., "Graph Random Neural Networks for Semi-Supervised Learning on Graphs" (2020), section 3.1: with
  the policy `drop_nodes`, which changes X, this is their random propagation.

  Args:
    widths: size of each layer.
    steps: highest power of the matrix (K).
    norm: normalization of each layer, after its ReLU as in the authors' code.
    momentum: share of the old value in BatchNorm's running moments.
    input_dropout: probability that an entry of the propagated features is zeroed while training.
    dropout: the same of each layer's output.
  """
  if not widths:
    raise BadSetting('propagated_mlp needs at least one width, such as net.widths=[32].')
  net = from_linen(_PropagatedMLP(widths, steps, norm, momentum, input_dropout, dropout))
  return net._replace(kinds=('graph',))


class _PropagatedMLP(nn.Module):
  widths: tuple[int, ...]
  steps: int
  norm: Kind
  momentum: float
  input_dropout: float
  dropout: float

  @nn.compact
  def __call__(self, nodes, *, train):
    drop = nn.Dropout(self.dropout, deterministic=not train)
    x = self._first(nodes.graph, train)
    for i, width in enumerate(self.widths):
      x = linear(x, width, bias=True) if i else x
      x = drop(normalize(nn.relu(x), self.norm, train=train, momentum=self.momentum))
    return x[nodes.index]

  def _first(self, graph, train):
    """The first linear layer.  Without dropout before it, it comes before propagation: that costs less."""
    links, width = links_of(graph), self.widths[0]
    project = Project(width)
    x = project(graph, train=False)
    if train and self.input_dropout:
      kernel: Any = project.get_variable('params', 'kernel')
      key = self.make_rng('dropout')
      x = _product(graph, links, kernel, self.steps, self.input_dropout, key)
    else:
      x = mean_of_powers(x, graph, links, self.steps)
    return x + self.param('bias', nn.initializers.zeros, (width,))[None]


def mean_of_powers(x: jax.Array, graph: Graph, links: Links, steps: int) -> jax.Array:
  """(Â⁰ x + … + Âᴷ x) / (K + 1), for x [nodes, d] and K = `steps`."""
  total = x
  for _ in range(steps):
    x = propagate(x, graph, links)
    total += x
  return total / (steps + 1)


def _product(graph, links, kernel, steps, rate, key):
  """The product of propagated and then thinned features with the kernel [features, width]."""
  blocks = in_blocks(graph.features())
  kernels = in_blocks(kernel.T).swapaxes(1, 2)

  def add(total, given):
    i, x, kernel = given
    x = thin(jax.random.fold_in(key, i), mean_of_powers(x, graph, links, steps), rate)
    return total + x @ kernel, None

  start = jnp.zeros((graph.count, kernel.shape[1]))
  return jax.lax.scan(add, start, (jnp.arange(len(blocks)), blocks, kernels))[0]
