"""`gat`, `gcnii` and `propagated_mlp` against dense matrices: values in NumPy, gradients in JAX."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.trees import leaves

from ssl_bench.contract import Nodes
from ssl_bench.data.fake import fake_by_name
from ssl_bench.nets import gat, gcnii, propagated_mlp
from ssl_bench.settings.signature import BadSetting

KEY = jax.random.key(0)
CUT = np.array([0, 5, 17])  # edges that an operation has removed


@pytest.fixture(scope='module')
def nodes():
  graph = fake_by_name('fake_graph').graph
  weights = graph.weights.copy()
  weights[CUT] = 0
  return jax.tree.map(
    jnp.asarray, Nodes(replace(graph, weights=weights), np.arange(311, 0, -7, dtype='int32'))
  )


def dense(graph):
  """(features, adjacency with self-loops, the same normalized) as plain matrices, float64; rows receive."""
  features = np.zeros((graph.count, graph.width))
  np.add.at(features, (np.asarray(graph.rows), np.asarray(graph.columns)), np.asarray(graph.values, float))
  adjacency = np.eye(graph.count)
  ends = np.asarray(graph.receivers), np.asarray(graph.senders)
  np.add.at(adjacency, ends, np.asarray(graph.weights, float))
  scale = adjacency.sum(1) ** -0.5
  return features, adjacency, scale[:, None] * adjacency * scale


def attention(np, x, adjacency, p):
  """Attention of each head [nodes, heads, d], by a softmax over whole rows; `np` is NumPy or JAX's."""
  found = []
  for head in range(x.shape[1]):
    own = x[:, head]
    score = (own @ p['receiver'][head]) + (own @ p['sender'][head]).T + p['shift'][head]
    score = np.where(score > 0, score, 0.2 * score)
    score = np.where(adjacency > 0, score, -1e9)
    weights = np.exp(score - score.max(1, keepdims=True))
    found.append(weights / weights.sum(1, keepdims=True) @ own)
  return np.stack(found, 1)


def dense_gat(np, params, features, adjacency, heads, layers):
  x = features
  for i in range(layers):
    name = 'Project' if i == 0 else 'Dense'
    kernels = [params[f'{name}_{head}']['kernel'] for head in range(heads)]
    x = attention(np, np.stack([x @ kernel for kernel in kernels], 1), adjacency, params[f'Attention_{i}'])
    x = x.reshape(len(x), -1) + params[f'bias_{i}'][None]
    x = np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1)
  return attention(np, x[:, None], adjacency, params[f'Attention_{layers}'])[:, 0]


def dense_gcnii(np, params, features, matrix, teleport, decay):
  first = params['Project_0']
  x = start = np.maximum(features @ first['kernel'] + first['bias'][None], 0)
  for layer, kernel in enumerate(params['kernels'], 1):
    beta = np.log(decay / layer + 1)
    mixed = (1 - teleport) * matrix @ x + teleport * start
    x = np.maximum((1 - beta) * mixed + beta * mixed @ kernel, 0)
  return x


def dense_perceptron(np, params, features, matrix, steps):
  powers = [features]
  for _ in range(steps):
    powers.append(matrix @ powers[-1])
  x = sum(powers) / len(powers) @ params['Project_0']['kernel'] + params['bias'][None]
  x = np.maximum(x, 0) @ params['Dense_0']['kernel'] + params['Dense_0']['bias'][None]
  return np.maximum(x, 0)


def moved(params):
  """Every parameter off its initial value, so that nodes differ and biases matter."""
  rng = np.random.default_rng(0)
  return jax.tree.map(
    lambda p: p + ((1 if p.ndim > 1 else 0.1) * rng.normal(size=p.shape)).astype('float32'), params
  )


NETS = {
  'gat': (
    gat.gat(widths=(3, 2), heads=2, dropout=0.0, attention_dropout=0.0),
    lambda np, params, x, links, matrix: dense_gat(np, params, x, links, 2, 2),
  ),
  'gcnii': (
    gcnii.gcnii(width=4, depth=3, teleport=0.2, decay=0.7, dropout=0.0),
    lambda np, params, x, links, matrix: dense_gcnii(np, params, x, matrix, 0.2, 0.7),
  ),
  'propagated_mlp': (
    propagated_mlp.propagated_mlp(widths=(4, 3), steps=3, input_dropout=0.0, dropout=0.0),
    lambda np, params, x, links, matrix: dense_perceptron(np, params, x, matrix, 3),
  ),
  # so little dropout that none is drawn: the features are propagated block by block before the first layer
  'propagated_mlp in blocks': (
    propagated_mlp.propagated_mlp(widths=(4, 3), steps=3, input_dropout=1e-12, dropout=0.0),
    lambda np, params, x, links, matrix: dense_perceptron(np, params, x, matrix, 3),
  ),
}


@pytest.mark.parametrize('name', NETS)
def test_nets_and_their_gradients_equal_those_of_dense_matrices(name, nodes):
  net, formula = NETS[name]
  params, stats = jax.jit(net.init)(KEY, nodes)
  params = moved(params)
  matrices, at = dense(nodes.graph), np.asarray(nodes.index)

  def ours(params):
    found = net.apply(params, stats, nodes, train=True, key=KEY)[0]
    return (found**3).sum(), found

  def theirs(params):
    small = [jnp.asarray(matrix, 'float32') for matrix in matrices]
    return (formula(jnp, params, *small)[at] ** 3).sum()

  (_, found), grads = jax.jit(jax.value_and_grad(ours, has_aux=True))(params)
  exact = formula(np, jax.tree.map(lambda p: np.asarray(p, float), params), *matrices)[at]
  np.testing.assert_allclose(found, exact, atol=2e-5 * np.abs(exact).max())
  right = jax.jit(jax.grad(theirs))(params)
  largest = max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(right))
  for path, leaf in leaves(right).items():
    assert np.abs(leaf).max() > 1e-4 * largest, path
    np.testing.assert_allclose(leaves(grads)[path], leaf, atol=2e-6 * largest, err_msg=path)


def test_projected_features_are_dropped_only_where_that_is_asked(nodes):
  def zeros(**changes):
    net = gat.gat(widths=(64,), heads=1, dropout=0.3, attention_dropout=0.0, last=False, **changes)
    lonely = nodes.with_graph(replace(nodes.graph, weights=jnp.zeros(len(nodes.graph.weights))))
    params, stats = jax.jit(net.init)(KEY, lonely)
    found = net.apply(params, stats, lonely, train=True, key=KEY)[0]
    rows = found[(found != 0).any(1)]  # others have lost all features
    return float((rows == 0).mean())

  assert zeros(drop_projected=False) == 0
  assert 0.2 < zeros() < 0.4


@pytest.mark.parametrize('net', [gat.gat, propagated_mlp.propagated_mlp])
def test_a_net_without_layers_is_told(net):
  with pytest.raises(BadSetting, match='needs at least one width'):
    net(widths=())
