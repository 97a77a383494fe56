"""A graph with features on its nodes, and some of its nodes as a batch."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Graph:
  """An undirected graph, each edge in both directions, and sparse features on its nodes.

  The feature matrix [count, width] has `values` at (`rows`, `columns`), sorted by row; all else is zero.
  Edges go from `senders` to `receivers`, the first half of them in one direction and the second half, in the
  same order, in the other; none goes from a node to itself.  An edge of weight 0 is not there: operations
  remove edges without a change of shape.

  With `origin` a node has not its own row of features but that which is named there: features are shuffled,
  shared or replaced without a change of the entries.  The matrix then has `height` rows, [height, width].
  """

  rows: Any  # int32 [entries]
  columns: Any  # int32 [entries]
  values: Any  # float32 [entries]
  senders: Any  # int32 [edges]
  receivers: Any  # int32 [edges]
  weights: Any  # float32 [edges], 1 or 0
  count: int = field(metadata={'static': True})  # nodes
  width: int = field(metadata={'static': True})  # features of a node
  origin: Any = None  # int32 [count], in [0, height); None: every node has its own row
  height: int | None = field(default=None, metadata={'static': True})  # None: one row a node

  @property
  def stored(self) -> int:
    """Rows of the feature matrix."""
    return self.count if self.height is None else self.height

  def taken(self, stored: Any) -> Any:
    """What belongs to rows of the feature matrix, [stored, …] -> what belongs to nodes, [count, …]."""
    return stored if self.origin is None else stored[self.origin]

  def features(self) -> jax.Array:
    """The features of the nodes, float32 [count, width]."""
    stored = jnp.zeros((self.stored, self.width), 'float32')
    return self.taken(stored.at[self.rows, self.columns].add(self.values))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Nodes:
  """Some nodes of a graph: what a batch of images is where the data are images."""

  graph: Graph
  index: Any  # int32 [batch], positions in the graph

  def __len__(self) -> int:
    return len(self.index)

  def __getitem__(self, places: Any) -> 'Nodes':
    return replace(self, index=self.index[places])

  def with_graph(self, graph: Graph) -> 'Nodes':
    """The same nodes of a changed graph."""
    return replace(self, graph=graph)

  def features(self) -> jax.Array:
    """The nodes' own features, float32 [batch, width]."""
    return self.graph.features()[self.index]


def make_graph(
  edges: np.ndarray, starts: np.ndarray, columns: np.ndarray, values: np.ndarray, *, width: int
) -> Graph:
  """A `Graph` of NumPy arrays, each row of features divided by its sum.

  Every paper on Planetoid's citation graphs divides them so (Kipf and Welling 2017, section 5.2).

  Args:
    edges: int32 [m, 2], each undirected edge once.
    starts: int32 [nodes + 1], where the entries of each node begin.
    columns: int32 [entries], the feature of each entry.
    values: float32 [entries].
    width: number of features.
  """
  count, entries = len(starts) - 1, np.diff(starts)
  rows = np.repeat(np.arange(count, dtype=np.int32), entries)
  sums = np.bincount(rows, values, count)
  a, b = edges.T.astype(np.int32)
  return Graph(
    rows=rows,
    columns=columns.astype(np.int32),
    values=(values / np.where(sums == 0, 1, sums)[rows]).astype(np.float32),
    senders=np.concatenate([a, b]),
    receivers=np.concatenate([b, a]),
    weights=np.ones(2 * len(edges), np.float32),
    count=count,
    width=width,
  )


def concatenate(batches: Sequence[Any]) -> Any:
  """Batches of examples as one, along their first axis.

  Batches of nodes become nodes of one graph, the disjoint union of theirs, so a network treats each as if it
  were alone but for what it computes over the whole batch.
  """
  if not isinstance(batches[0], Nodes):
    return jnp.concatenate(batches)
  if len(batches) == 1:
    return batches[0]
  graphs = [batch.graph for batch in batches]
  starts = np.cumsum([0, *(graph.count for graph in graphs)])
  tops = np.cumsum([0, *(graph.stored for graph in graphs)])
  moved = lambda name, by=starts: [getattr(graph, name) + int(start) for graph, start in zip(graphs, by)]
  own = lambda graph: graph.taken(jnp.arange(graph.stored))
  is_taken = any(graph.origin is not None for graph in graphs)
  joined = lambda parts: jnp.concatenate([half for side in zip(*map(_halves, parts)) for half in side])
  return Nodes(
    Graph(
      rows=jnp.concatenate(moved('rows', tops)),
      columns=jnp.concatenate([graph.columns for graph in graphs]),
      values=jnp.concatenate([graph.values for graph in graphs]),
      senders=joined(moved('senders')),
      receivers=joined(moved('receivers')),
      weights=joined([graph.weights for graph in graphs]),
      count=int(starts[-1]),
      width=graphs[0].width,
      origin=jnp.concatenate([own(g) + int(top) for g, top in zip(graphs, tops)]) if is_taken else None,
      height=int(tops[-1]) if is_taken else None,
    ),
    jnp.concatenate([batch.index + int(start) for batch, start in zip(batches, starts)]),
  )


def _halves(edges: Any) -> tuple[Any, Any]:
  """The edges of one direction and those of the other."""
  half = len(edges) // 2
  return edges[:half], edges[half:]


class GraphSizes(NamedTuple):
  """What a compiled program knows of a graph."""

  nodes: int
  features: int  # of a node
  entries: int  # of the sparse features
  edges: int  # in both directions


def sizes_of(graph: Graph) -> GraphSizes:
  """The sizes of a graph."""
  return GraphSizes(graph.count, graph.width, len(graph.values), len(graph.weights))


def graph_of_shapes(sizes: GraphSizes, shape: Any) -> Graph:
  """The shapes of a graph's arrays; `shape(size, dtype)` makes one."""
  count, width, entries, edges = sizes
  whole, real = lambda n: shape((n,), 'int32'), lambda n: shape((n,), 'float32')
  return Graph(
    whole(entries), whole(entries), real(entries), whole(edges), whole(edges), real(edges), count, width
  )
