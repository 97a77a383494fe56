"""A graph attention network."""

from typing import Annotated, Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from ssl_bench.kinds.graph import Graph
from ssl_bench.nets._graph import Activation, Project, activate, linear
from ssl_bench.nets._norm import WIDEST
from ssl_bench.nets.core import Net, from_linen
from ssl_bench.nets.vit import Rate
from ssl_bench.settings.signature import ADDED, BadSetting, Range

SLOPE = 0.2  # of the LeakyReLU on scores, below zero


def gat(
  *,
  widths: Annotated[tuple[int, ...], Range(1, WIDEST)] = (8,),
  heads: Annotated[int, Range(1, 64)] = 8,
  activation: Activation = 'elu',
  dropout: Rate = 0.6,
  attention_dropout: Rate = 0.6,
  drop_projected: Annotated[bool, ADDED] = True,
  last: bool = True,
) -> Net:
  """Nodes -> features [B, heads · widths[-1]]: layers of attention over a node's neighbors and itself.

  Velickovic et al., "Graph Attention Networks" (2018), eq. 1 to 5: a node's score of a neighbor is
  LeakyReLU(a · W h_i + b · W h_j + c), its attention the softmax of these scores, its new features the sum of
  W h_j by attention, a bias, and the activation; heads side by side.

  The paper's last layer is attention of one head onto classes, without activation.  Here a linear classifier
  stands last, so with `last` attention of one head on the features themselves precedes it: since attention is
  linear in what it sums, Σ α_j (W h_j) = W Σ α_j h_j.  It differs from the paper in its scores, a · h_i +
  b · h_j with a and b free, where the paper's a · W h_i shares the classifier's W, and in that W h_j is not
  dropped once more.

  Args:
    widths: size of a head in each layer.
    heads: of each layer but the last.
    activation: of each layer but the last; PReLU has one slope a layer, 0.25 at the start.
    dropout: probability that an entry of a layer's input is zeroed while training; of the data's features
      each head draws its own, as in the authors' code.
    attention_dropout: probability that a node's attention to a neighbor is zeroed while training.
    drop_projected: whether entries of W h are zeroed too, as in the authors' code; GraphMAE's zeroes none.
    last: whether the layer that belongs to a linear classifier follows.
  """
  if not widths:
    raise BadSetting('gat needs at least one width, such as net.widths=[8].')
  net = from_linen(_GAT(widths, heads, activation, dropout, attention_dropout, drop_projected, last))
  return net._replace(kinds=('graph',))


class _GAT(nn.Module):
  widths: tuple[int, ...]
  heads: int
  activation: Activation
  dropout: float
  attention_dropout: float
  drop_projected: bool
  last: bool

  @nn.compact
  def __call__(self, nodes, *, train):
    graph, heads = nodes.graph, self.heads
    drop = nn.Dropout(self.dropout, deterministic=not train)
    look = lambda values, **changes: Attention(self.attention_dropout, **changes)(values, graph, train=train)
    x: Any = None
    for i, width in enumerate(self.widths):
      if x is None:
        x = [Project(width, self.dropout)(graph, train=train) for _ in range(heads)]
      else:
        seen = drop(x)
        x = [linear(seen, width, bias=False) for _ in range(heads)]
      x = look(jnp.stack(x, 1), dropout=self.dropout * self.drop_projected)
      x = x.reshape(graph.count, heads * width)
      x = activate(self.activation)(
        x + self.param(f'bias_{i}', nn.initializers.zeros, (heads * width,))[None]
      )
    if self.last:
      x = look(drop(x)[:, None])[:, 0]
    return x[nodes.index]


class Attention(nn.Module):
  """Sums of a node's neighbors and itself by attention: [nodes, heads, d] -> the same.

  attention_dropout: probability that an edge's attention is zeroed.
  dropout: probability that an entry of what is summed, not of what is scored, is zeroed.
  """

  attention_dropout: float = 0.0
  dropout: float = 0.0

  @nn.compact
  def __call__(self, x: jax.Array, graph: Graph, *, train: bool) -> jax.Array:
    heads, width = x.shape[1:]
    init = nn.initializers.glorot_uniform(in_axis=1, out_axis=2, batch_axis=0)
    a, b = (self.param(name, init, (heads, width, 1)) for name in ('receiver', 'sender'))
    shift = self.param('shift', nn.initializers.zeros, (heads,))
    receiver, sender = (jnp.einsum('nhd,hdo->nh', x, vector) for vector in (a, b))
    thin = nn.Dropout(self.attention_dropout, deterministic=not train)
    summed = nn.Dropout(self.dropout, deterministic=not train)(x)
    return attend(summed, receiver + shift[None], sender, graph, thin)


def attend(x: jax.Array, receiver: jax.Array, sender: jax.Array, graph: Graph, thin: Any) -> jax.Array:
  """Σ_j α_ij x_j over the neighbors j of i and i itself, [nodes, heads, d]; α_i is a softmax over them.

  An edge's score is LeakyReLU(receiver_i + sender_j), [nodes, heads] each.  `thin` may zero some attention,
  which is then not normalized anew.  Sums over edges are divided by their total at the nodes.
  """
  total = lambda edges: jax.ops.segment_sum(edges, graph.receivers, graph.count)
  score = lambda to, of: nn.leaky_relu(to + of, SLOPE)
  loops = score(receiver, sender)
  edges = score(receiver[graph.receivers], sender[graph.senders])
  edges = jnp.where(graph.weights[:, None] > 0, edges, -jnp.inf)
  top = jnp.maximum(jax.ops.segment_max(edges, graph.receivers, graph.count), loops)
  top = jax.lax.stop_gradient(top)
  edges, loops = jnp.exp(edges - top[graph.receivers]), jnp.exp(loops - top)
  seen = thin(loops)[..., None] * x + total(thin(edges)[..., None] * x[graph.senders])
  return seen / (loops + total(edges))[..., None]
