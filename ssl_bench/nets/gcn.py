"""A graph convolutional network."""

from typing import Annotated, Any

import flax.linen as nn

from ssl_bench.nets._graph import Activation, Project, activate, linear, links_of, propagate
from ssl_bench.nets._norm import WIDEST, Kind, Momentum, normalize
from ssl_bench.nets.core import Net, from_linen
from ssl_bench.nets.vit import Rate
from ssl_bench.settings.signature import Range


def gcn(
  *,
  widths: Annotated[tuple[int, ...], Range(1, WIDEST)] = (16,),
  activation: Activation = 'relu',
  norm: Kind = 'none',
  momentum: Momentum = 0.9,
  dropout: Rate = 0.5,
  bias: bool = False,
  last: bool = True,
) -> Net:
  """Nodes -> features [B, widths[-1]]: dropout, linear, propagation, activation, for each width.

  Kipf and Welling, "Semi-Supervised Classification with Graph Convolutional Networks" (2017), eq. 2.  With
  `last`, dropout and one propagation follow, so that a linear classifier on the features is the paper's last
  layer, Â H W = (Â H) W.

  Args:
    widths: size of each layer.
    activation: of each layer; PReLU has one slope a layer, 0.25 at the start.
    norm: normalization before each activation.
    momentum: share of the old value in BatchNorm's running moments.
    dropout: probability that an entry of the features, or of a layer, is zeroed while training.
    bias: whether the layers have one (the authors' code: none).
    last: whether features are propagated once more.
  """
  return from_linen(_GCN(widths, activation, norm, momentum, dropout, bias, last))._replace(kinds=('graph',))


class _GCN(nn.Module):
  widths: tuple[int, ...]
  activation: Activation
  norm: Kind
  momentum: float
  dropout: float
  bias: bool
  last: bool

  @nn.compact
  def __call__(self, nodes, *, train):
    graph, drop = nodes.graph, nn.Dropout(self.dropout, deterministic=not train)
    links = links_of(graph)
    x: Any = None
    for i, width in enumerate(self.widths):
      if x is None:
        x = Project(width, self.dropout)(graph, train=train)
      else:
        x = linear(drop(x), width, bias=False)
      x = propagate(x, graph, links)
      if self.bias:
        x = x + self.param(f'bias_{i}', nn.initializers.zeros, (width,))[None]
      x = normalize(x, self.norm, train=train, momentum=self.momentum)
      x = activate(self.activation)(x)
    if self.last:
      x = propagate(drop(x), graph, links)
    return x[nodes.index]
