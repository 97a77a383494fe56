"""The decoder of GraphMAE: features of masked nodes from those of the nodes around them."""

import flax.linen as nn

from ssl_bench.nets._graph import linear, links_of, propagate
from ssl_bench.nets.gat import Attention


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
    if self.attention:
      x = Attention(self.attention_dropout)(x[:, None], graph, train=train)[:, 0]
    else:
      x = propagate(x, graph, links_of(graph))
    return linear(x[masked], self.out, bias=True)
