"""APPNP: a perceptron whose outputs are spread by personalized PageRank."""

from typing import Annotated, Any

import flax.linen as nn

from ssl_bench.nets._graph import Links, Project, linear, links_of, propagate
from ssl_bench.nets._norm import WIDEST
from ssl_bench.nets.core import Net, from_linen
from ssl_bench.nets.vit import Rate
from ssl_bench.settings.signature import UNIT, Range, Static


def appnp(
  *,
  widths: Annotated[tuple[int, ...], Range(1, WIDEST)] = (64,),
  steps: Annotated[int, Range(0, 256)] = 10,
  teleport: Annotated[Static, UNIT] = 0.1,
  dropout: Rate = 0.5,
) -> Net:
  """Nodes -> features [B, widths[-1]]: dropout, linear, ReLU for each width, then personalized PageRank.

  Klicpera, Bojchevski and Günnemann, "Predict then Propagate" (2019), eq. 4: Z ← (1 − α) Â Z + α H, `steps`
  times.  The paper spreads predictions H W; since spreading is linear, a linear classifier on spread features
  is the same network.

  Args:
    widths: size of each layer.
    steps: power iterations (K).
    teleport: share of a node's own features that each iteration restores (α).
    dropout: probability that an entry of the features, of a layer, or of Â in each iteration is zeroed while
      training, as in the authors' code.
  """
  return from_linen(_APPNP(widths, steps, teleport, dropout))._replace(kinds=('graph',))


class _APPNP(nn.Module):
  widths: tuple[int, ...]
  steps: int
  teleport: float
  dropout: float

  @nn.compact
  def __call__(self, nodes, *, train):
    graph, drop = nodes.graph, nn.Dropout(self.dropout, deterministic=not train)
    x: Any = None
    for width in self.widths:
      if x is None:
        x = Project(width, self.dropout)(graph, train=train)
      else:
        x = linear(drop(x), width, bias=False)
      x = nn.relu(x)
    links, start = links_of(graph), drop(x)
    z = start
    for _ in range(self.steps):
      kept = Links(drop(links.edges), drop(links.loops))
      z = (1 - self.teleport) * propagate(z, graph, kept) + self.teleport * start
    return z[nodes.index]
