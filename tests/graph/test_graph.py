"""Graphs, solvers and induction against scikit-learn and SciPy; how the methods and probes on them end."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors
from sklearn.semi_supervised import LabelPropagation, LabelSpreading
from support.cli import ROOT
from support.tiny_trial import run, tiny_trial

from ssl_bench import data, graph
from ssl_bench.evaluation.propagation import propagation
from ssl_bench.graph import host, search
from ssl_bench.settings.signature import BadSetting

pytestmark = pytest.mark.slow

DIGITS = data.load('digits')
POINTS = DIGITS.train_images[:240].reshape(240, -1).astype('float32') / 127.5 - 1
NEW = DIGITS.test_images[:60].reshape(60, -1).astype('float32') / 127.5 - 1
LABELED = data.labeled_indices(DIGITS.train_labels[:240], 30, split_seed=100, classes=10)
LABELS = np.full(240, -1, 'int32')
LABELS[LABELED] = DIGITS.train_labels[LABELED]
K, SCALE = 8, 9.0
EDGES = graph.gaussian(graph.nearest(POINTS, POINTS, K, same=True), SCALE)


def weights():
  return graph.symmetric(*map(np.asarray, EDGES)).toarray()


def kernel(points, others):
  """The graph's own kernel, as scikit-learn asks for it: of all points, or of the graph and new ones."""
  if len(others) == len(points):
    return weights()
  squared, index = NearestNeighbors(n_neighbors=K).fit(points).kneighbors(others)
  dense = np.zeros((len(points), len(others)))
  dense[index, np.arange(len(others))[:, None]] = np.exp(-(squared**2) / SCALE)
  return dense


@pytest.mark.parametrize('same', [True, False])
def test_neighbors_are_scikit_learns(same, monkeypatch):
  monkeypatch.setattr(search, 'HELD', 240 * 37)  # in blocks, the last of them smaller
  there = NearestNeighbors(n_neighbors=K).fit(POINTS)
  distance, index = there.kneighbors(None if same else NEW)
  found = graph.nearest(POINTS if same else NEW, POINTS, K, same=same)
  np.testing.assert_allclose(found.value, distance**2, rtol=1e-4, atol=1e-4)
  agree = (np.sort(found.index, 1) == np.sort(index, 1)).all(1)
  assert agree.mean() > 0.98  # equally near ones aside


def test_equally_near_points_are_neighbors_but_nobody_is_its_own():
  points = jnp.zeros((5, 3))
  found = graph.nearest(points, points, 3, same=True)
  assert not np.asarray(found.value).any()
  assert all(i not in row for i, row in enumerate(np.asarray(found.index)))


def test_label_propagation_is_scikit_learns_on_the_same_graph():
  theirs = LabelPropagation(kernel=kernel, max_iter=100_000, tol=1e-9).fit(POINTS, LABELS)
  ours = jax.jit(lambda labels: graph.propagate(EDGES, labels, 10))(LABELS)
  np.testing.assert_allclose(ours, theirs.label_distributions_, atol=1e-5)
  np.testing.assert_allclose(
    graph.induce(NEW, POINTS, K, SCALE, ours), theirs.predict_proba(NEW), rtol=1e-3, atol=1e-4
  )


@pytest.mark.parametrize('alpha', [0.2, 0.99])
def test_label_spreading_is_scikit_learns_on_the_same_graph(alpha):
  theirs = LabelSpreading(kernel=kernel, alpha=alpha, max_iter=100_000, tol=1e-9).fit(POINTS, LABELS)
  solve = jax.jit(lambda labels, alpha: graph.spread(EDGES, jax.nn.one_hot(labels, 10), alpha))
  ours = graph.shares(solve(LABELS, np.float32(alpha)))
  np.testing.assert_allclose(ours, theirs.label_distributions_, atol=1e-5)
  np.testing.assert_allclose(
    graph.induce(NEW, POINTS, K, SCALE, ours), theirs.predict_proba(NEW), rtol=1e-3, atol=1e-4
  )


def test_scikit_learns_own_graph_has_the_same_labels():
  """Its neighbors include the point itself and need not be mutual, which moves few of them."""
  theirs = LabelPropagation(kernel='knn', n_neighbors=K + 1, max_iter=100_000, tol=1e-9).fit(POINTS, LABELS)
  ours = np.asarray(graph.propagate(graph.gaussian(EDGES, 1e9), LABELS, 10)).argmax(1)
  assert (ours == theirs.transduction_).mean() > 0.9


def test_where_no_path_leads_nothing_is_believed():
  """Two pairs and a point alone; the second pair has no label, and an edge of weight 0 is none."""
  edges = graph.Edges(
    np.array([[1.0], [1.0], [1.0], [1.0], [0.0]], 'float32'), np.array([[1], [0], [3], [2], [0]], 'int32')
  )
  labels = np.array([2, -1, -1, -1, -1], 'int32')
  expected = np.zeros((5, 3))
  expected[:2, 2] = 1
  np.testing.assert_allclose(graph.propagate(edges, labels, 3), expected)
  found = np.asarray(graph.spread(edges, jax.nn.one_hot(labels, 3), 0.5))
  np.testing.assert_allclose(found[:2, 2], [2 / 3, 1 / 3], rtol=1e-6)  # of (I - S / 2) F = Y / 2
  assert not found[2:].any() and not found[:, :2].any()
  np.testing.assert_allclose(graph.shares(found)[2:], 1 / 3, rtol=1e-6)
  assert np.isfinite(graph.logits(expected)).all()


def test_without_labels_or_weights_nothing_is_believed():
  nothing = np.full(240, -1, 'int32')
  assert not np.asarray(graph.propagate(EDGES, nothing, 10)).any()
  assert not np.asarray(graph.spread(EDGES, jax.nn.one_hot(nothing, 10), 0.99)).any()
  broken = EDGES._replace(value=EDGES.value * jnp.nan)
  found = np.asarray(graph.propagate(broken, LABELS, 10))
  assert found[LABELED].sum() == len(LABELED) == found.sum()


def test_edges_that_both_ends_chose_count_once_or_twice():
  value, index = np.array([[2.0], [3.0], [5.0]]), np.array([[1], [0], [0]])
  once = np.array([[0, 3, 5], [3, 0, 0], [5, 0, 0]])
  np.testing.assert_array_equal(graph.symmetric(value, index).toarray(), once)
  np.testing.assert_array_equal(graph.symmetric(value, index, add=True).toarray(), once + (once == 3) * 2)


def test_a_far_point_still_has_neighbors():
  beliefs = jax.nn.one_hot(jnp.arange(240) % 10, 10)
  assert np.isfinite(graph.induce(NEW + 100, POINTS, K, SCALE, beliefs)).all()
  near = graph.nearest(NEW + 100, POINTS, K)
  assert float(graph.gaussian(near, SCALE).value.max()) == 0


def test_more_neighbors_than_there_are_is_one_sentence():
  with pytest.raises(BadSetting, match='at most 239 neighbors each, not 240'):
    graph.check_neighbors(240, 240)


def test_the_probes_are_scikit_learns_on_features():
  """On features of unit length; a probe's settings are the defaults of the method of its name."""
  few = DIGITS._replace(train_labels=DIGITS.train_labels[:240], test_labels=DIGITS.test_labels[:60])
  for name, theirs in (('label_propagation', LabelPropagation), ('label_spreading', LabelSpreading)):
    found = propagation(name, few, LABELED, POINTS, NEW)
    points = POINTS / np.linalg.norm(POINTS, axis=1, keepdims=True)
    edges = graph.nearest(points, points, 7, same=True)
    own = graph.symmetric(*map(np.asarray, graph.gaussian(edges, edges.value.mean()))).toarray()
    settings = {} if name == 'label_propagation' else {'alpha': 0.99}
    model = theirs(kernel=lambda *_, own=own: own, max_iter=100_000, tol=1e-9, **settings).fit(points, LABELS)
    hidden = LABELS < 0
    transductive = (model.transduction_ == DIGITS.train_labels[:240])[hidden].mean()
    assert found['transductive'] == pytest.approx(transductive, abs=1 / hidden.sum())
    assert found['accuracy'] > 0.8
  moved = np.where(LABELS < 0, (few.train_labels + 1) % 10, few.train_labels)  # hidden ones only
  assert (
    propagation(name, few._replace(train_labels=moved), LABELED, POINTS, NEW)['accuracy'] == found['accuracy']
  )


@pytest.mark.parametrize('name', ['label_propagation', 'label_spreading'])
def test_what_is_transduced_is_what_is_believed_of_the_unlabeled_set(name):
  tiny = tiny_trial(name)
  state = run(tiny).state
  logits = tiny.program.transduce(state, tiny.numbers)
  assert logits.shape == (tiny.dataset.n_unlabeled, 10)
  labels = np.asarray(tiny.data['label'])
  at = np.asarray(tiny.data['pool'])[: tiny.config.labels]
  assert (np.asarray(logits).argmax(1) == labels)[at].all()
  assert (np.asarray(logits).argmax(1) == labels).mean() > 0.9


def test_near_one_alpha_lets_classes_with_many_labels_outvote_the_rest():
  """What the docstring of `label_spreading` says, on all training images and one draw of a long tail."""
  points = DIGITS.train_images.reshape(len(DIGITS.train_labels), -1).astype('float32') / 127.5 - 1
  edges = graph.nearest(points, points, 7, same=True)
  weights, rng = graph.gaussian(edges, edges.value.mean()), np.random.default_rng(0)
  places = lambda sizes: np.concatenate(
    [rng.choice(np.flatnonzero(DIGITS.train_labels == c), n, replace=False) for c, n in enumerate(sizes)]
  )

  def found(at, alpha):
    seen = np.full(len(points), -1, 'int32')
    seen[at] = DIGITS.train_labels[at]
    beliefs = np.asarray(graph.spread(weights, jax.nn.one_hot(seen, 10), np.float32(alpha)))
    return (beliefs.argmax(1) == DIGITS.train_labels)[seen < 0].mean()

  even, tail = places([4] * 10), places(np.round(10 * 10 ** (-np.arange(10) / 9)).astype(int))
  assert found(even, 0.99) > found(even, 0.2)
  assert found(tail, 0.99) < found(tail, 0.9) - 0.02


def test_a_search_that_calls_back_ends_on_one_thread():
  """A search on the device that the host has to finish, behind programs that take a while."""
  code = """
import jax, jax.numpy as jnp, numpy as np
from ssl_bench import graph
x = np.random.default_rng(0).normal(size=(400, 500)).astype('float32')
x[100:] = x[0]  # so many are equally near that the host ranks them
long = jax.jit(lambda x: jnp.linalg.matrix_power(x @ x.T * 0, 6) @ x + x)
search = jax.jit(lambda x: graph.nearest(x, x, 5, same=True))
jax.block_until_ready([search(long(jnp.asarray(x))) for _ in range(8)])
print('ended')
"""
  one_thread = {'NPROC': '1', 'XLA_FLAGS': '--xla_cpu_multi_thread_eigen=false', 'JAX_PLATFORMS': 'cpu'}
  env = {**os.environ, 'PYTHONPATH': str(ROOT), **one_thread}
  told = subprocess.run([sys.executable, '-c', code], env=env, capture_output=True, text=True, timeout=120)
  assert told.stdout == 'ended\n', told.stderr


def test_a_call_to_the_host_is_the_function_also_under_vmap_and_outside_of_a_program():
  shape = [jax.ShapeDtypeStruct((3,), 'float32'), jax.ShapeDtypeStruct((), 'int32')]
  function = lambda x, y: (np.sort(x) + y, np.int32(x.argmax()))
  call = lambda x, y: host.call(function, shape, x, y)
  x = np.random.default_rng(0).normal(size=(4, 3)).astype('float32')
  y = np.arange(4, dtype='float32')
  many = jax.jit(jax.vmap(call))(x, y)
  for i in range(4):
    expected = function(x[i], y[i])
    for found in (call(x[i], y[i]), jax.jit(call)(x[i], y[i]), [part[i] for part in many]):
      jax.tree.map(np.testing.assert_array_equal, tuple(found), expected)
