"""The decoder of GraphMAE: features of masked nodes from those of the nodes around them."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from ssl_bench.kinds.graph import Graph
from ssl_bench.nets._graph import glorot, linear, links_of, propagate
from ssl_bench.nets.gat import attend


class GraphDecoder(nn.Module):
  """One layer of a graph on features [nodes, D] that the masked nodes lack; see `heads.graph_decoder`.

  Attention is linear in what it sums, so W comes after the sum, and only masked nodes pay for it.
  """

  out: int
  attention: bool
  dropout: float
  attention_dropout: float

  @nn.compact
  def __call__(self, x, graph, masked, *, train):
    x = linear(x, x.shape[-1], bias=False).at[masked].set(0)
    x = nn.Dropout(self.dropout, deterministic=not train)(x)
    x = self._attend(x, graph, train) if self.attention else propagate(x, graph, links_of(graph))
    return linear(x[masked], self.out, bias=True)

  def _attend(self, x: jax.Array, graph: Graph, train: bool) -> jax.Array:
    """One head, whose score of neighbor j is LeakyReLU(b · x_j + c), since masked nodes are themselves 0."""
    sender = x @ self.param('sender', glorot, (x.shape[-1], 1))
    thin = nn.Dropout(self.attention_dropout, deterministic=not train)
    shift = self.param('shift', nn.initializers.zeros, (1,))
    return attend(x[:, None], jnp.broadcast_to(shift, sender.shape), sender, graph, thin)[:, 0]
