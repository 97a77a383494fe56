"""GCNII: a deep graph convolutional network whose layers recall the first one."""

from typing import Annotated

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from ssl_bench.nets._graph import Project, links_of, propagate, thin
from ssl_bench.nets._norm import WIDEST
from ssl_bench.nets.core import Net, from_linen
from ssl_bench.nets.vit import Rate
from ssl_bench.settings.signature import POSITIVE, UNIT, Range, Static


def gcnii(
  *,
  width: Annotated[int, Range(1, WIDEST)] = 64,
  depth: Annotated[int, Range(1, 1024)] = 64,
  teleport: Annotated[Static, UNIT] = 0.1,
  decay: Annotated[Static, POSITIVE] = 0.5,
  dropout: Rate = 0.6,
) -> Net:
  """Nodes -> features [B, width]: dropout, linear, ReLU, then `depth` layers that keep some of the first.

  Chen, Wei, Huang, Ding and Li, "Simple and Deep Graph Convolutional Networks" (2020), eq. 5: with
  S = (1 − α) Â H + α H₀, the next H is ReLU((1 − β) S + β S W) with β = log(λ / l + 1) in layer l = 1, 2, …

  Args:
    width: size of every layer.
    depth: number of layers after the first linear one.
    teleport: share of H₀ in each layer (α).
    decay: how much of a layer is its matrix (λ); β falls with depth.
    dropout: probability that an entry of the features, or of a layer's input, is zeroed while training; the
      last layer's output, the input of a linear classifier, too.
  """
  return from_linen(_GCNII(width, depth, teleport, decay, dropout))._replace(kinds=('graph',))


class _GCNII(nn.Module):
  width: int
  depth: int
  teleport: float
  decay: float
  dropout: float

  @nn.compact
  def __call__(self, nodes, *, train):
    graph, links = nodes.graph, links_of(nodes.graph)
    start = nn.relu(Project(self.width, self.dropout, bias=True)(graph, train=train))
    bound = 1 / np.sqrt(self.width)
    uniform = lambda key, shape: jax.random.uniform(key, shape, minval=-bound, maxval=bound)
    kernels = self.param('kernels', uniform, (self.depth, self.width, self.width))
    betas = np.log(self.decay / np.arange(1, self.depth + 1) + 1).astype('float32')
    key = self.make_rng('dropout') if train and self.dropout else None

    def layer(x, given):
      i, kernel, beta = given
      x = x if key is None else thin(jax.random.fold_in(key, i), x, self.dropout)
      mixed = (1 - self.teleport) * propagate(x, graph, links) + self.teleport * start
      return nn.relu((1 - beta) * mixed + beta * (mixed @ kernel)), None

    # A loop, not 64 layers side by side: XLA compiles it once, and draws each dropout once on a CPU.
    x, _ = jax.lax.scan(layer, start, (jnp.arange(self.depth), kernels, betas))
    return nn.Dropout(self.dropout, deterministic=not train)(x)[nodes.index]
