"""Methods on the edges of a graph: beliefs in its nodes, in whatever order training sees them."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import sparse

from ssl_bench import api, data
from ssl_bench.config import validate
from ssl_bench.contract import Nodes, State, Teacher
from ssl_bench.methods.graphs.correct_and_smooth import correct_and_smooth
from ssl_bench.methods.graphs.label_propagation import label_propagation
from ssl_bench.methods.graphs.laplacian_regularization import roughness
from ssl_bench.planning import make_plan
from ssl_bench.settings.signature import BadSetting

SHARED = Path(__file__).parents[2].parent / 'shared' / 'data' / 'planetoid'
needs_planetoid = pytest.mark.skipif(
  not (SHARED / 'citeseer.npz').is_file(), reason='the graphs of Planetoid are not on this machine'
)
FAKE = data.load('fake_graph')


def config(**changes):
  return validate(
    {
      'dataset': 'fake_graph',
      'labels': 20,
      'method': {'name': 'label_propagation'},
      'net': {'name': 'mlp', 'widths': [8], 'norm': 'none'},
      'batch': {'whole': True},
      'steps': 1,
      'optimizer': {'name': 'adam'},
      'augment': {'weak': 'none', 'strong': 'none'},
      'ema': None,
      'evaluate': {'probes': ['linear']},
    }
    | changes
  )


def adjacency_of(graph):
  ends = np.asarray(graph.senders), np.asarray(graph.receivers)
  return sparse.csr_array((np.asarray(graph.weights, float), ends), shape=(graph.count,) * 2)


def walked(graph, labeled, labels, classes, *, alpha=None):
  """Label spreading with `alpha`, else label propagation, by iteration until nothing changes."""
  adjacency = adjacency_of(graph)
  degree = np.maximum(adjacency.sum(1), 1)[:, None]
  targets = np.zeros((graph.count, classes))
  targets[labeled, labels] = 1
  beliefs, before = targets, None
  while before is None or np.abs(beliefs - before).max() > 1e-10:
    before = beliefs
    if alpha is None:
      beliefs = adjacency @ beliefs / degree
      beliefs[labeled] = targets[labeled]
    else:
      beliefs = alpha * (adjacency @ (beliefs / np.sqrt(degree))) / np.sqrt(degree) + (1 - alpha) * targets
  total = beliefs.sum(1, keepdims=True)
  return np.where(total > 0, beliefs / np.where(total > 0, total, 1), 1 / classes)


@pytest.mark.parametrize('stress', [{}, {'unlabeled': 150}])
def test_beliefs_are_those_of_the_whole_graph_and_read_by_node(stress):
  """However few of the nodes the unlabeled stream holds, and in whatever order."""
  plan = make_plan(config(stress=stress))
  fitted = api.train(plan)
  dataset, labeled = plan.dataset, plan.dataset.train_images[plan.labeled]
  right = walked(FAKE.graph, labeled, FAKE.train_labels[plan.labeled], 10)
  memory = fitted.state.memory
  np.testing.assert_allclose(memory['belief'], right, atol=1e-5)
  stream = dataset.stream_images() if dataset.stream is None else dataset.stream_images()[dataset.stream]
  np.testing.assert_array_equal(memory['order'], stream)
  assert len(stream) == (150 if stress else 360)
  logits = np.asarray(fitted.program.transduce(fitted.state, fitted.numbers))
  np.testing.assert_allclose(np.exp(logits), right[stream], atol=1e-5)
  some = np.array([359, 0, 17], 'int32')
  seen = fitted.program.observe(fitted.state, fitted.numbers, some)
  np.testing.assert_allclose(np.exp(seen['logits']), right[some], atol=1e-5)
  np.testing.assert_allclose(seen['features'], FAKE.graph.features()[some], atol=1e-6)


def test_a_teachers_features_make_a_graph_of_neighbors_instead():
  nodes = jax.tree.map(jnp.asarray, Nodes(FAKE.graph, np.arange(359, -1, -1, dtype='int32')))
  look = lambda nodes: nodes.features() + 1
  method = label_propagation(10, 360, (64,), Teacher(look, None, None, None))
  some = nodes[:20]
  labeled = {
    'image': some,
    'index': jnp.arange(20),
    'label': jnp.arange(20) % 10,
    'valid': jnp.ones(20, bool),
  }
  state = State(None, 0, *method.init(None, {'labeled': labeled}), ())
  state = method.refresh(state, {'labeled': labeled, 'unlabeled': {'image': nodes}}, None, None)
  assert state.memory.keys() == {'bank', 'belief', 'scale'}
  points = np.asarray(look(nodes))
  np.testing.assert_allclose(
    state.memory['bank'], points / np.linalg.norm(points, axis=1, keepdims=True), atol=1e-6
  )
  np.testing.assert_allclose(jnp.exp(method.predict(state, some)).sum(1), np.ones(20), atol=1e-5)


@pytest.mark.parametrize('index', [np.arange(360)[::-1], np.arange(0, 360, 3), np.array([7])])
def test_roughness_is_a_mean_over_the_edges_within_the_batch(index):
  values = np.random.default_rng(0).normal(size=(len(index), 4))
  place = {int(node): i for i, node in enumerate(index)}
  gaps = [
    ((values[place[a]] - values[place[b]]) ** 2).sum()
    for a, b in zip(FAKE.graph.senders.tolist(), FAKE.graph.receivers.tolist())
    if a in place and b in place
  ]
  nodes = jax.tree.map(jnp.asarray, Nodes(FAKE.graph, index.astype('int32')))
  found = roughness(jnp.asarray(values, 'float32'), nodes)
  np.testing.assert_allclose(found, np.mean(gaps) if gaps else 0, rtol=1e-5)


def test_a_removed_edge_does_not_count():
  nodes = jax.tree.map(jnp.asarray, Nodes(FAKE.graph, np.arange(360, dtype='int32')))
  values = jnp.asarray(np.random.default_rng(0).normal(size=(360, 2)), 'float32')
  half = len(FAKE.graph.senders) // 2
  kept = jnp.tile(jnp.arange(half) % 2, 2).astype('float32')
  gap = jnp.square(values[FAKE.graph.senders] - values[FAKE.graph.receivers]).sum(1)
  fewer = nodes.with_graph(FAKE.graph.__class__(**{**vars(nodes.graph), 'weights': kept}))
  np.testing.assert_allclose(roughness(values, fewer), (kept * gap).sum() / kept.sum(), rtol=1e-5)


def test_what_needs_edges_or_a_classifier_says_so():
  images = {'dataset': 'fake', 'net': {'name': 'mlp'}, 'batch': {'labeled': 8, 'unlabeled_ratio': 2}}
  for method in ({'name': 'laplacian_regularization'}, {'name': 'correct_and_smooth'}):
    teacher = {'teacher': {'method': 'supervised'}} if 'correct' in method['name'] else {}
    with pytest.raises(
      BadSetting, match=f'{method["name"]} learns from nodes of a graph, and fake_8x8x1 has images'
    ):
      make_plan(config(method=method, **images, **teacher))
  with pytest.raises(BadSetting, match='needs a teacher with a classifier'):
    correct_and_smooth(10, 360, Teacher(lambda nodes: nodes.features(), None, None, None))


@pytest.mark.slow
def test_each_learns_from_edges_what_features_alone_do_not_tell():
  def accuracy(**changes):
    plan = make_plan(config(**changes))
    return api.evaluate(plan, api.train(plan))['accuracy']

  trained = {
    'steps': 100,
    'optimizer': {'name': 'adam', 'lr': 0.02},
    'net': {'name': 'mlp', 'widths': [32], 'norm': 'none'},
  }
  alone = accuracy(method={'name': 'supervised'}, **trained)
  smooth = accuracy(method={'name': 'laplacian_regularization', 'weight': 0.3}, **trained)
  corrected = accuracy(
    method={'name': 'correct_and_smooth'}, teacher={'method': {'name': 'supervised'}, **trained}
  )
  assert smooth > alone + 0.05 and corrected > alone + 0.02


@needs_planetoid
@pytest.mark.parametrize('name, published', [('cora', 68.0), ('citeseer', 45.3)])
def test_label_propagation_of_planetoids_paper(name, published, tmp_path):
  """Yang et al. (2016), table 3: what spreading with α = 0.5 reaches; the harmonic solution is better."""
  data.prepare(name, source=SHARED, data_dir=tmp_path, progress=lambda line: None)
  dataset = data.load(name, data_dir=tmp_path)
  labeled = dataset.train_images[dataset.folds[0]]
  labels = dataset.train_labels[dataset.folds[0]]
  reached = {}
  for method, alpha in (('label_spreading', 0.5), ('label_propagation', None)):
    settings = {'name': method} | ({'alpha': alpha} if alpha else {})
    plan = make_plan(config(dataset=name, labels=len(labels), fold=0, method=settings), dataset)
    fitted = api.train(plan)
    right = walked(dataset.graph, labeled, labels, dataset.classes, alpha=alpha)
    found = np.asarray(fitted.state.memory['belief'])
    np.testing.assert_allclose(found, right, atol=1e-4)
    hits = found[dataset.test_images].argmax(1) == dataset.test_labels
    reached[method] = 100 * hits.mean()
  assert reached['label_spreading'] == pytest.approx(published, abs=1)
  assert reached['label_propagation'] > reached['label_spreading'] + 2
