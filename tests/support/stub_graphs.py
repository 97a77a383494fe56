"""An encoder of nodes that a golden file can write down, and a small graph that all views of it change."""

import jax
import jax.numpy as jnp
import numpy as np
from support.stub_encoders import vector_encoder

from ssl_bench.contract import Graph, Nodes
from ssl_bench.nets.core import Net

NODES = {  # of each stream, positions in the graph; node 5 has no edge
  'labeled': np.array([2, 0, 5, 3, 1], 'int32'),
  'unlabeled': np.array([3, 0, 5, 1, 4, 2], 'int32'),
}
COUNT = 6
ENDS = np.array([[0, 1], [1, 2], [2, 3], [0, 4]], 'int32')


def node_encoder(rows: np.ndarray, *, norm: bool) -> Net:
  """An encoder of nodes: the features of a node are its embedding and those of its neighbors, (A + I) X K.

  Where the nodes' features X are unit vectors, row i of the kernel K is the embedding of node i.  With
  `norm`, the features of the batch are normalized over it (no scale, no bias), with running moments.
  """
  plain = vector_encoder(rows, norm=norm)

  def apply(params, stats, nodes, *, train, key=None):
    graph = nodes.graph
    x = graph.features()
    x += jax.ops.segment_sum(graph.weights[:, None] * x[graph.senders], graph.receivers, graph.count)
    return plain.apply(params, stats, x[nodes.index], train=train, key=key)

  return Net(plain.init, apply, kinds=('graph',))


def nodes_in_view(stream: str, rows: np.ndarray, total: int) -> Nodes:
  """The nodes of a stream in a view whose features are unit vectors of their own: those of `rows`, in order.

  A node beyond them has no features.
  """
  senders, receivers = (np.concatenate([ENDS[:, i], ENDS[:, 1 - i]]) for i in (0, 1))
  graph = Graph(
    rows=np.arange(len(rows), dtype='int32'),
    columns=rows.astype('int32'),
    values=np.ones(len(rows), 'float32'),
    senders=senders,
    receivers=receivers,
    weights=np.ones(len(senders), 'float32'),
    count=COUNT,
    width=total,
  )
  return jax.tree.map(jnp.asarray, Nodes(graph, NODES[stream]))
