"""The kind `graph` against dense NumPy: propagation, unions of graphs, operations, and a training on it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ssl_bench import api, augment, data
from ssl_bench.config import validate
from ssl_bench.contract import Nodes, concatenate
from ssl_bench.data.fake import fake_by_name
from ssl_bench.kinds.graph import make_graph
from ssl_bench.nets import appnp, gcn, mlp, sgc
from ssl_bench.planning import make_plan
from ssl_bench.settings.signature import BadSetting

KEY = jax.random.key(0)


@pytest.fixture(scope='module')
def nodes():
  graph = fake_by_name('fake_graph').graph
  return jax.tree.map(jnp.asarray, Nodes(graph, np.array([3, 0, 311], 'int32')))


def dense(graph):
  """(features, normalized adjacency with self-loops) as plain matrices, float64."""
  features = np.zeros((graph.count, graph.width))
  np.add.at(features, (np.asarray(graph.rows), np.asarray(graph.columns)), np.asarray(graph.values, float))
  adjacency = np.eye(graph.count)  # row: who receives
  np.add.at(
    adjacency, (np.asarray(graph.receivers), np.asarray(graph.senders)), np.asarray(graph.weights, float)
  )
  scale = adjacency.sum(1) ** -0.5
  return features, scale[:, None] * adjacency * scale


def test_rows_sum_to_one_and_edges_go_both_ways():
  edges = np.array([[0, 2], [1, 2]], 'int32')
  graph = make_graph(edges, np.array([0, 2, 2, 3]), np.array([0, 3, 1]), np.array([1.0, 3.0, 5.0]), width=4)
  np.testing.assert_allclose(graph.features(), [[0.25, 0, 0, 0.75], [0, 0, 0, 0], [0, 1, 0, 0]])
  pairs = set(zip(graph.senders.tolist(), graph.receivers.tolist()))
  assert pairs == {(0, 2), (2, 0), (1, 2), (2, 1)}


def test_nets_equal_dense_matrices(nodes):
  features, adjacency = dense(nodes.graph)
  net = gcn.gcn(widths=(5, 4), dropout=0.5, bias=True)
  params, stats = net.init(KEY, nodes)
  x = features
  for name in ('Project_0', 'Dense_0'):
    x = np.maximum(adjacency @ (x @ np.asarray(params[name]['kernel'], float)), 0)
  found, _ = net.apply(params, stats, nodes, train=False)
  np.testing.assert_allclose(found, (adjacency @ x)[np.asarray(nodes.index)], atol=1e-5)

  found, _ = sgc.sgc(steps=2).apply({}, {}, nodes, train=False)
  np.testing.assert_allclose(found, (adjacency @ adjacency @ features)[np.asarray(nodes.index)], atol=1e-6)

  net = appnp.appnp(widths=(5,), steps=3, teleport=0.2)
  params, stats = net.init(KEY, nodes)
  h = np.maximum(features @ np.asarray(params['Project_0']['kernel'], float), 0)
  z = h
  for _ in range(3):
    z = 0.8 * adjacency @ z + 0.2 * h
  found, _ = net.apply(params, stats, nodes, train=False)
  np.testing.assert_allclose(found, z[np.asarray(nodes.index)], atol=1e-5)

  net = mlp.mlp(widths=(5,), norm='none')
  params, stats = net.init(KEY, nodes)
  found, _ = net.apply(params, stats, nodes, train=False)
  np.testing.assert_allclose(
    found,
    np.maximum(features @ np.asarray(params['Project_0']['kernel'], float), 0)[np.asarray(nodes.index)],
    atol=1e-5,
  )


def test_a_perceptron_sees_no_edge(nodes):
  net = mlp.mlp(widths=(5,), norm='none')
  params, stats = net.init(KEY, nodes)
  cut = augment.compile_policy('drop_edges(0.9)', 1, 'graph')(KEY, nodes)
  one, other = (net.apply(params, stats, x, train=False)[0] for x in (nodes, cut))
  np.testing.assert_array_equal(one, other)


def test_gradients_equal_those_of_dense_matrices(nodes):
  net = gcn.gcn(widths=(5,), dropout=0.0, activation='elu')
  params, stats = net.init(KEY, nodes)
  features, adjacency = (jnp.asarray(x, 'float32') for x in dense(nodes.graph))

  def sparse_value(params):
    return (net.apply(params, stats, nodes, train=True, key=KEY)[0] ** 3).sum()

  def dense_value(params):
    return (
      (adjacency @ jax.nn.elu(adjacency @ (features @ params['Project_0']['kernel'])))[nodes.index] ** 3
    ).sum()

  found, right = jax.grad(sparse_value)(params), jax.grad(dense_value)(params)
  np.testing.assert_allclose(found['Project_0']['kernel'], right['Project_0']['kernel'], atol=1e-5)


def test_a_union_of_graphs_is_seen_as_its_parts_are(nodes):
  cut = augment.compile_policy('drop_edges(0.5) | mask_features(0.5)', 1, 'graph')(KEY, nodes)
  net = gcn.gcn(widths=(5,))
  params, stats = net.init(KEY, nodes)
  look = lambda x: net.apply(params, stats, x, train=False)[0]
  both = concatenate([nodes, cut])
  assert len(both) == 6 and both.graph.count == 2 * nodes.graph.count
  np.testing.assert_allclose(look(both), np.concatenate([look(nodes), look(cut)]), atol=1e-6)
  half = len(both.graph.senders) // 2  # the two directions of an edge stay in the two halves
  np.testing.assert_array_equal(both.graph.senders[:half], both.graph.receivers[half:])


@pytest.mark.parametrize('undirected', [False, True])
def test_drop_edges(nodes, undirected):
  cut = augment.compile_policy(f'drop_edges(0.3, undirected={str(undirected).lower()})', 1, 'graph')(
    KEY, nodes
  )
  weights = np.asarray(cut.graph.weights)
  assert set(weights.tolist()) == {0.0, 1.0}
  assert weights.mean() == pytest.approx(0.7, abs=0.05)
  forth, back = np.split(weights, 2)
  assert np.array_equal(forth, back) == undirected


def test_mask_features_and_drop_nodes(nodes):
  features = np.asarray(nodes.graph.features())
  masked = np.asarray(augment.compile_policy('mask_features(0.4)', 1, 'graph')(KEY, nodes).graph.features())
  gone = ~masked.any(0) & features.any(0)
  assert 0.2 < gone.mean() < 0.6
  np.testing.assert_array_equal(masked[:, ~gone], features[:, ~gone])
  dropped = np.asarray(augment.compile_policy('drop_nodes(0.5)', 1, 'graph')(KEY, nodes).graph.features())
  kept = dropped.any(1)
  assert 0.35 < kept.mean() < 0.65
  np.testing.assert_allclose(dropped[kept], 2 * features[kept], rtol=1e-6)


def config(**changes):
  return validate(
    {
      'dataset': 'fake_graph',
      'labels': 20,
      'method': {'name': 'supervised'},
      'net': {'name': 'gcn', 'widths': [16]},
      'batch': {'whole': True},
      'steps': 60,
      'optimizer': {'name': 'adam', 'lr': 0.02},
      'augment': {'weak': 'none', 'strong': 'drop_edges(0.2) | mask_features(0.2)'},
      'ema': None,
      'evaluate': {'every': 30, 'probes': ['linear', 'knn']},
    }
    | changes
  )


def test_the_semi_supervised_gcn_uses_edges_and_beats_a_perceptron():
  plan = make_plan(config())
  assert plan.structure.batch == (20, 360, True)
  metrics = api.evaluate(plan, api.train(plan))
  other = make_plan(config(net={'name': 'mlp', 'widths': [16], 'norm': 'none'}))
  alone = api.evaluate(other, api.train(other))
  assert metrics['accuracy'] > alone['accuracy'] > 0.15


def test_every_step_of_a_whole_batch_sees_each_label_once():
  from ssl_bench.planning.arrays import arrays_of
  from ssl_bench.planning.batch import drawer

  plan = make_plan(config(method={'name': 'fixmatch'}))
  drawn = drawer(plan.structure, None)(arrays_of(plan.dataset, plan.labeled), KEY, 3, 20)
  positions = np.asarray(drawn['labeled']['image'].index)
  np.testing.assert_array_equal(positions, plan.dataset.train_images[plan.labeled])
  np.testing.assert_array_equal(drawn['labeled']['label'], plan.dataset.train_labels[plan.labeled])
  np.testing.assert_array_equal(drawn['unlabeled']['index'], np.arange(360))
  assert 'label' not in drawn['unlabeled']


@pytest.mark.parametrize(
  ('changes', 'sentence'),
  [
    ({'net': {'name': 'convnet'}}, 'net convnet reads images or sounds, and these are nodes of a graph'),
    (
      {'method': {'name': 'mixmatch'}},
      'mixmatch learns from images, series, sounds and rows of a table, and fake_graph has nodes of a graph',
    ),
    (
      {'augment': {'weak': 'flip', 'strong': 'none'}},
      'flip is for images, and the data are nodes of a graph',
    ),
    (
      {'federated': {'clients': 2, 'local_steps': 2}},
      'fake_graph is one graph, whose nodes are not apart; leave federated out',
    ),
    ({'stress': {'shift': 'drop_edges(0.5)'}}, 'stress.shift moves images one by one, and fake_graph is one'),
    ({'dataset': 'fake'}, 'net gcn reads nodes of a graph, and these are images'),
  ],
)
def test_what_does_not_fit_a_graph_is_one_sentence(changes, sentence):
  with pytest.raises(BadSetting, match=sentence):
    make_plan(config(**changes))


def test_the_synthetic_graph_is_sound():
  found = data.load('fake_graph')
  assert found.shape == (64,) and found.n_images == found.graph.count == 360
  assert (found.hidden_labels()[240:] == -1).all()


def test_a_whole_batch_is_for_one_learner():
  images = {'dataset': 'fake', 'net': {'name': 'mlp'}, 'augment': {'weak': 'none', 'strong': 'none'}}
  with pytest.raises(BadSetting, match=r'batch\.whole lets one learner see everything'):
    make_plan(config(**images, federated={'clients': 2, 'local_steps': 2}))
  assert make_plan(config(**images)).structure.batch == (20, 240, True)
