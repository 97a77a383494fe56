"""DGI: by a summary of the graph, tell its nodes from those of the graph with shuffled features."""

from dataclasses import replace

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, Nodes, View, concatenate
from ssl_bench.losses import bernoulli
from ssl_bench.nets import core as net

VERSION = 1


def dgi(encoder: net.Net) -> Method:
  """Veličković et al., "Deep Graph Infomax" (2019).

  Objective: binary cross-entropy of D(h_i, s) = σ(h_i W s + b) for the nodes of the graph, whose
  target is 1, and for those of the same graph whose nodes have each other's features, whose target is 0; the
  mean over 2N.  The summary s is σ of the mean of the h_i.

  Evaluated: the encoder's features of the whole graph.
  BatchNorm: the paper's encoder has none; a net that has it sees both graphs together.
  The graph and its corruption are one graph of 2N nodes that share N rows of features, so the first layer
  multiplies them once.
  Deviations: the authors stop when the training loss has not fallen for 20 epochs and evaluate the weights of
  the lowest; here `steps` says when it ends.
  """

  def init(key, views):
    nodes = views['nodes']['image']
    params, stats = net.init_each(key, encoder=(encoder, nodes))
    features, _ = encoder.apply(params['encoder'], stats['encoder'], nodes, train=False)
    size = features.shape[-1]
    weight = jax.nn.initializers.glorot_uniform()(net.fold_name(key, 'discriminator'), (size, size))
    return {**params, 'discriminator': {'kernel': weight, 'bias': jnp.zeros(1)}}, stats, ()

  def loss(state, views, key):
    both = with_shuffled(views['nodes']['image'], draw(key, views)['order'])
    features, seen = encoder.apply(
      state.params['encoder'], state.stats['encoder'], both, train=True, key=net.fold_name(key, 'encoder')
    )
    size, part = len(features) // 2, state.params['discriminator']
    summary = jax.nn.sigmoid(features[:size].mean(0))
    logits = features @ (part['kernel'] @ summary) + part['bias']
    value = bernoulli(logits, (jnp.arange(2 * size) < size).astype('float32')).mean()
    return value, Aux({**state.stats, 'encoder': seen}, (), {'loss/discrimination': value})

  def encode(state, nodes):
    return encoder.apply(state.params['encoder'], state.stats['encoder'], nodes, train=False)[0]

  return Method({'nodes': View('unlabeled', 'weak')}, init, loss, encode=encode, kinds=('graph',))


def with_shuffled(nodes: Nodes, order: jax.Array) -> Nodes:
  """The nodes of a graph, then those of a copy where node i has the features of node order[i]: [2 batch]."""
  graph, both = nodes.graph, concatenate([nodes, nodes])
  shared = {name: getattr(graph, name) for name in ('rows', 'columns', 'values')}
  own = graph.taken(jnp.arange(graph.stored))
  origin = jnp.concatenate([own, own[order]])
  return both.with_graph(replace(both.graph, **shared, origin=origin, height=graph.stored))


def draw(key, views):
  """A permutation of all nodes of the graph, int32 [nodes]."""
  count = views['nodes']['image'].graph.count
  return {'order': jax.random.permutation(net.fold_name(key, 'order'), count)}
