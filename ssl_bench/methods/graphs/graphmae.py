"""GraphMAE: reconstruct the features of masked nodes from those of the nodes around them."""

from dataclasses import replace
from typing import Annotated, Literal

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Graph, Method, Nodes, View
from ssl_bench.losses import cosine_distance
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import UNIT, BadSetting, Range, Static

VERSION = 1
SHARE = Range(0, 1, below=True)


def graphmae(
  encoder: net.Net,
  shape: tuple[int, ...],
  *,
  masking: Annotated[Static, Range(0, 1, above=True)] = 0.5,
  replaced: Annotated[Static, UNIT] = 0.05,
  exponent: Annotated[float, Range(1)] = 3.0,
  decoder: Literal['gat', 'gcn'] = 'gat',
  dropout: Annotated[Static, SHARE] = 0.2,
  attention_dropout: Annotated[Static, SHARE] = 0.1,
) -> Method:
  """Hou et al., "GraphMAE: Self-Supervised Masked Graph Autoencoders" (2022).

  Some nodes of the batch are masked: most of them have a learned vector for features, zero at the start, the
  others those of a random node.  The encoder sees all nodes; a decoder sees its features, linearly mapped,
  with zeros in the place of the masked nodes (re-masking), and gives back features.

  Objective (scaled cosine error): the mean over masked nodes of (1 − cos(x_i, z_i))^γ, where x_i are a
  node's features and z_i is what the decoder gives.

  Args:
    masking: share of the nodes that is masked, rounded down (the authors' code on Cora and Citeseer: 0.5).
    replaced: share of the masked nodes that have a random node's features (Cora: 0.05, Citeseer: 0.1).
    exponent: γ (Cora: 3, Citeseer: 1).
    decoder: its layer, graph attention of one head or a graph convolution.
    dropout: probability that an entry of the decoder's input is zeroed (0.2); the net has one of its own.
    attention_dropout: the same of the decoder's attention (0.1).

  Evaluated: the encoder's features of the whole graph, nothing masked.  The decoder is thrown away.
  BatchNorm: the paper's encoder has none on these graphs; a net that has it gets moments of the masked graph.
  Deviations: the decoder's attention scores features before its linear layer, the authors' after it; linear
  layers start as Glorot's; dropout in the encoder's first layer zeroes the same entries of the learned vector
  in all nodes that have it.
  """
  rebuild = heads.graph_decoder(
    shape[-1], attention=decoder == 'gat', dropout=dropout, attention_dropout=attention_dropout
  )

  def init(key, views):
    nodes = every(views['nodes']['image'].graph)
    masked = draw(key, views, masking=masking, replaced=replaced)['masked']
    params, stats = net.init_each(key, encoder=(encoder, nodes))
    features, _ = encoder.apply(params['encoder'], stats['encoder'], nodes, train=False)
    more, more_stats = net.init_each(key, decoder=(rebuild, features, nodes.graph, masked))
    return {**params, **more, 'mask_token': jnp.zeros(shape[-1])}, stats | more_stats, ()

  def loss(state, views, key):
    graph, params, stats = views['nodes']['image'].graph, state.params, state.stats
    drawn = draw(key, views, masking=masking, replaced=replaced)
    masked, keys = drawn['masked'], {name: net.fold_name(key, name) for name in ('encoder', 'decoder')}
    seen = every(with_masked(graph, masked, drawn['others'], params['mask_token']))
    features, moments = encoder.apply(
      params['encoder'], stats['encoder'], seen, train=True, key=keys['encoder']
    )
    found, _ = rebuild.apply(
      params['decoder'], stats['decoder'], features, graph, masked, train=True, key=keys['decoder']
    )
    errors = jnp.maximum(cosine_distance(found, graph.features()[masked]) / 2, 0)
    value = (errors**exponent).mean()
    return value, Aux({**stats, 'encoder': moments}, (), {'loss/reconstruction': value})

  def encode(state, nodes):
    return encoder.apply(state.params['encoder'], state.stats['encoder'], nodes, train=False)[0]

  return Method({'nodes': View('unlabeled', 'weak')}, init, loss, encode=encode, kinds=('graph',))


def every(graph: Graph) -> Nodes:
  """All nodes of a graph, in its order."""
  return Nodes(graph, jnp.arange(graph.count))


def with_masked(graph: Graph, masked: jax.Array, others: jax.Array, token: jax.Array) -> Graph:
  """The graph with other features at the nodes `masked` [K]: at its first those of `others`, else the token.

  The token is one more row of the feature matrix, which all nodes that have it share.
  """
  own = graph.taken(jnp.arange(graph.stored))
  origin = own.at[masked].set(graph.stored).at[masked[: len(others)]].set(own[others])
  return replace(
    graph,
    rows=jnp.concatenate([graph.rows, jnp.full(graph.width, graph.stored)]),
    columns=jnp.concatenate([graph.columns, jnp.arange(graph.width)]),
    values=jnp.concatenate([graph.values, token]),
    origin=origin,
    height=graph.stored + 1,
  )


def draw(key, views, *, masking, replaced):
  """Positions in the graph: `masked` int32 [K], and of random nodes, `others`, for the first of them."""
  nodes = views['nodes']['image']
  order, other = (net.fold_name(key, name) for name in ('masked', 'others'))
  size = int(len(nodes) * masking)
  if not size:
    raise BadSetting(f'graphmae: masking {masking} of {len(nodes)} nodes masks none; raise it.')
  masked = jax.random.permutation(order, nodes.index)[:size]
  others = jax.random.permutation(other, nodes.graph.count)[: int(size * replaced)]
  return {'masked': masked, 'others': others}
