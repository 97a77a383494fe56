"""Simple graph convolution: features that are propagated, with no layer of their own."""

from typing import Annotated

import flax.linen as nn
import jax

from ssl_bench.nets._graph import in_blocks, links_of, spread
from ssl_bench.nets.core import Net, from_linen
from ssl_bench.settings.signature import Range


def sgc(*, steps: Annotated[int, Range(0, 64)] = 2) -> Net:
  """Nodes -> features [B, width of the data], propagated `steps` times: S^K X.

  Wu et al., "Simplifying Graph Convolutional Networks" (2019), eq. 8; a linear classifier on them is the
  whole network.  It has no parameters.

  Args:
    steps: number of propagations (K; the paper: 2).
  """
  return from_linen(_SGC(steps))._replace(kinds=('graph',))


class _SGC(nn.Module):
  steps: int

  @nn.compact
  def __call__(self, nodes, *, train):
    graph, links = nodes.graph, links_of(nodes.graph)
    change = lambda block: spread(block, graph, links, self.steps)[nodes.index]
    found = jax.lax.map(change, in_blocks(graph.features())).swapaxes(0, 1)
    return found.reshape(len(nodes), -1)[:, : graph.width]
