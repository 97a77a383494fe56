"""Operations on a graph: they change the edges and the features that all nodes of a view see."""

from dataclasses import replace
from typing import Annotated, Any

import jax
import jax.numpy as jnp

from ssl_bench.augment.ops import Operation
from ssl_bench.settings.signature import Range

KIND = 'graph'
RATE = Range(0, 1, below=True)


def drop_edges(*, probability: Annotated[float, RATE] = 0.2, undirected: bool = False) -> Operation:
  """Removes each edge with that probability (DropEdge, Rong et al. 2020).

  Each direction is drawn by itself, as GRACE's code does; with `undirected`, both together.
  """

  def operation(key: jax.Array, nodes: Any) -> Any:
    weights = nodes.graph.weights
    drawn = len(weights) // 2 if undirected else len(weights)
    kept = jax.random.bernoulli(key, 1 - probability, (drawn,)).astype(weights.dtype)
    kept = jnp.tile(kept, 2) if undirected else kept
    return nodes.with_graph(replace(nodes.graph, weights=weights * kept))

  return operation


def mask_features(*, probability: Annotated[float, RATE] = 0.2) -> Operation:
  """Sets each feature, with that probability, to zero for all nodes alike (GRACE, Zhu et al. 2020, eq. 3)."""

  def operation(key: jax.Array, nodes: Any) -> Any:
    graph = nodes.graph
    kept = jax.random.bernoulli(key, 1 - probability, (graph.width,))
    return nodes.with_graph(replace(graph, values=jnp.where(kept[graph.columns], graph.values, 0)))

  return operation


def drop_nodes(*, probability: Annotated[float, RATE] = 0.5) -> Operation:
  """Sets all features of each node to zero with that probability, and scales the others up.

  DropNode (GRAND, Feng et al. 2020, section 3.1).  The nodes and their edges stay.
  """

  def operation(key: jax.Array, nodes: Any) -> Any:
    graph = nodes.graph
    kept = jax.random.bernoulli(key, 1 - probability, (graph.count,))
    values = jnp.where(kept[graph.rows], graph.values / (1 - probability), 0)
    return nodes.with_graph(replace(graph, values=values))

  return operation
