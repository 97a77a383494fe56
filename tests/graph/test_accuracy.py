"""Neighbors, propagation and spreading where rounding and tolerances hide parts of a graph.

Oracles: exact fractions for the solvers, float64 differences of all pairs for neighbors.
"""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ssl_bench import graph
from ssl_bench.graph import search


def all_pairs(points, bank, k, same):
  """Squared distances in float64 of the k nearest, and which they are; the first of equals."""
  squared = ((points[:, None].astype('float64') - bank[None].astype('float64')) ** 2).sum(-1)
  if same:
    np.fill_diagonal(squared, np.inf)
  order = np.argsort(squared, 1, kind='stable')[:, :k]
  return np.take_along_axis(squared, order, 1), order


def groups(n, apart, spread, dimensions=16):
  """Two groups of points."""
  rng = np.random.default_rng(0)
  there = np.repeat([0.0, apart], n // 2)[:, None]
  return (there + spread * rng.normal(size=(n, dimensions))).astype('float32')


LONG = np.exp(np.random.default_rng(1).uniform(-9, 9, (300, 3))).astype('float32')
DUPLICATES = np.repeat(groups(6, 1.0, 0.1), 50, 0)
DEAD = np.full((200, 8), 0.3, 'float32')


@pytest.mark.parametrize('same', [True, False], ids=['same', 'others'])
@pytest.mark.parametrize(
  'points',
  [groups(400, 100.0, 0.01), groups(400, 1.0, 1e-5), groups(300, 1e4, 0.1) + 1e3, LONG, DUPLICATES, DEAD],
  ids=['apart', 'near', 'far from zero', 'many scales', 'duplicates', 'dead'],
)
def test_neighbors_are_exact_wherever_the_points_are(points, same):
  others = points if same else points[::3] + np.float32(0.001)
  found = graph.nearest(others, points, 8, same=same)
  value, index = all_pairs(others, points, 8, same)
  np.testing.assert_allclose(found.value, value, rtol=1e-5)
  np.testing.assert_array_equal(found.index, index)


def test_the_host_is_asked_only_where_the_device_is_not_certain(monkeypatch):
  asked, search_there = [], search._on_host

  def on_host(*given, same):
    asked.append((~np.asarray(given[4])).sum())
    return search_there(*given, same=same)

  monkeypatch.setattr(search, '_on_host', on_host)
  rng = np.random.default_rng(2)
  graph.nearest(rng.normal(size=(400, 16)).astype('float32'), rng.normal(size=(300, 16)).astype('float32'), 9)
  assert not asked
  found = graph.nearest(groups(400, 100.0, 0.01), groups(400, 100.0, 0.01), 9, same=True)
  jax.block_until_ready(found.index)  # the host is asked while the device computes
  assert asked and asked[0] > 0


def test_features_that_are_not_finite_stop_nothing():
  """A network that diverged: the log tells, so the graph need not."""
  points = groups(100, 1.0, 1.0)
  points[7] = np.nan
  found = graph.nearest(points, points, 5, same=True)
  assert found.index.shape == (100, 5)
  assert not np.asarray(graph.propagate(graph.gaussian(found, 1.0), np.full(100, -1, 'int32'), 3)).any()


def edges_of(n, weights):
  """`Edges` of {(i, j): weight}, each at both ends; the rest have weight 0."""
  k = max(sum(i in pair for pair in weights) for i in range(n))
  value, index, filled = np.zeros((n, k), 'float32'), np.zeros((n, k), 'int32'), [0] * n
  for (i, j), weight in weights.items():
    for here, there in ((i, j), (j, i)):
      value[here, filled[here]], index[here, filled[here]] = weight, there
      filled[here] += 1
  return graph.Edges(value, index)


def solve_exactly(matrix, right):
  """Gauss and Jordan in fractions."""
  rows, n = [[*left, *more] for left, more in zip(matrix, right)], len(matrix)
  for i in range(n):
    pivot = next(row for row in range(i, n) if rows[row][i])
    rows[i], rows[pivot] = rows[pivot], rows[i]
    rows[i] = [x / rows[i][i] for x in rows[i]]
    for row in range(n):
      if row != i and rows[row][i]:
        rows[row] = [x - rows[row][i] * y for x, y in zip(rows[row], rows[i])]
  return [row[n:] for row in rows]


def fractions_of(n, weights):
  """W, of the float32 weights."""
  dense = [[Fraction(0)] * n for _ in range(n)]
  for (i, j), weight in weights.items():
    dense[i][j] = dense[j][i] = Fraction(float(np.float32(weight)))
  return dense


def harmonic(n, weights, labels, classes):
  """The beliefs of label propagation, float64 from fractions."""
  dense, free = fractions_of(n, weights), [i for i in range(n) if labels[i] < 0]
  laplacian = [[sum(dense[i]) * (i == j) - dense[i][j] for j in free] for i in free]
  flows = [[sum(dense[i][j] for j in range(n) if labels[j] == c) for c in range(classes)] for i in free]
  beliefs = np.zeros((n, classes))
  beliefs[labels >= 0, labels[labels >= 0]] = 1
  beliefs[free] = np.array(solve_exactly(laplacian, flows), float)
  return beliefs


def cliques(count, size, bridge):
  """Cliques in a row: all weights in one are 1, one edge joins each to the next."""
  weights = {(c * size + a, c * size + b): 1.0 for c in range(count) for a in range(size) for b in range(a)}
  bridges = {(c * size, c * size - 1): bridge for c in range(1, count)}
  return count * size, weights | bridges


def random_tree(lowest):
  """A tree with cycles, of weights of many scales."""
  rng, weights = np.random.default_rng(3), {}
  for i in range(1, 24):
    for j in rng.choice(i, min(i, 2), replace=False):
      weights[i, int(j)] = 10.0 ** rng.uniform(lowest, 0)
  return 24, weights


GRAPHS = {
  'weak bridges': cliques(5, 4, 1e-12),
  'bridges that rounding hides': cliques(5, 4, 1e-20),
  'bridges of the least float32': cliques(4, 4, 1e-37),
  'strong bridges': cliques(5, 4, 0.3),
  'four scales': random_tree(-4),
  'thirty scales': random_tree(-30),
}


@pytest.mark.parametrize('name', GRAPHS)
def test_propagation_is_that_of_exact_fractions(name):
  n, weights = GRAPHS[name]
  labels = np.full(n, -1, 'int32')
  labels[[1, n - 2, n // 2]] = 0, 1, 2
  labels[n // 2] = 2 if 'scales' in name else -1
  found = graph.propagate(edges_of(n, weights), labels, 3)
  np.testing.assert_allclose(found, harmonic(n, weights, labels, 3), atol=2e-7)


def test_a_chain_of_cliques_shares_its_labels():
  """One label near one end of a bridge, the other beyond 500 times the resistance: 0.998 and 0.002."""
  n, weights = cliques(3, 4, 1e-12)
  weights[8, 7] = 1e-12 / 500
  labels = np.full(n, -1, 'int32')
  labels[0], labels[n - 1] = 0, 1
  found = np.asarray(graph.propagate(edges_of(n, weights), labels, 2))
  np.testing.assert_allclose(found[4:8], np.tile([500 / 501, 1 / 501], (4, 1)), atol=1e-5)


def potentials(n, weights, labels, classes):
  """Poisson's equation on a connected graph, times the mean degree, float64 from fractions."""
  dense = fractions_of(n, weights)
  degree, known = [sum(row) for row in dense], [int(label) for label in labels if label >= 0]
  mean = [Fraction(known.count(c), len(known)) for c in range(classes)]
  source = [
    [(label == c) - mean[c] if label >= 0 else Fraction(0) for c in range(classes)] for label in labels
  ]
  laplacian = [[degree[i] * (i == j) - dense[i][j] for j in range(1, n)] for i in range(1, n)]
  found = [[Fraction(0)] * classes, *solve_exactly(laplacian, source[1:])]
  middle = [sum(d * row[c] for d, row in zip(degree, found)) / sum(degree) for c in range(classes)]
  unit = sum(degree) / n
  return np.array([[float(unit * (u - m)) for u, m in zip(row, middle)] for row in found])


@pytest.mark.parametrize('name', GRAPHS)
def test_potentials_are_those_of_exact_fractions(name):
  """Beside the largest of them, which are far apart where next to nothing joins the labels."""
  n, weights = GRAPHS[name]
  labels = np.full(n, -1, 'int32')
  labels[[1, n - 2, n // 2, 0]] = 0, 1, 2, 2
  found = graph.poisson(edges_of(n, weights), labels, 3)
  right = np.clip(potentials(n, weights, labels, 3), -1e30, 1e30)
  np.testing.assert_allclose(found, right, atol=1e-6 * np.abs(right).max())


@pytest.mark.parametrize('name', GRAPHS)
@pytest.mark.parametrize('alpha', [0.2, 0.99])
def test_spreading_is_exact_relative_to_each_row(name, alpha):
  """Shares of (D - α W) G = D^(1/2) Y in fractions, F = D^(1/2) G, however small a row of F is."""
  n, weights = GRAPHS[name]
  dense, a = fractions_of(n, weights), Fraction(float(np.float32(alpha)))
  targets = np.zeros((n, 2), 'float32')
  targets[1, 0], targets[n - 2, 1] = 1, 1
  system = [[sum(dense[i]) * (i == j) - a * dense[i][j] for j in range(n)] for i in range(n)]
  roots = np.sqrt([float(sum(row)) for row in dense])
  right = [[Fraction(float(roots[i] * y)) for y in targets[i]] for i in range(n)]
  solved = solve_exactly(system, right)
  expected = np.array([[float(x / sum(row)) for x in row] for row in solved])
  found = graph.shares(graph.spread(edges_of(n, weights), targets, np.float32(alpha)))
  np.testing.assert_allclose(found, expected, atol=1e-5)


def test_where_all_points_are_one_all_believe_its_label():
  """The kernel's scale is 0; so is every distance, and every edge weighs 1."""
  points = jnp.full((40, 5), 0.3)
  labels = np.full(40, -1, 'int32')
  labels[21] = 2
  for believe in (
    lambda edges: graph.propagate(edges, labels, 4),
    lambda edges: graph.spread(edges, jax.nn.one_hot(labels, 4), 0.9),
  ):
    beliefs, scale = graph.settle(points, 6, 1.0, believe)
    assert float(scale) == 0
    np.testing.assert_allclose(beliefs, np.tile(np.eye(4)[2], (40, 1)), atol=1e-6)
    new = graph.induce(points[:3] + 1, points, 6, scale, beliefs)
    np.testing.assert_allclose(new, np.eye(4)[[2, 2, 2]], atol=1e-6)


def test_a_scale_of_zero_is_the_limit_of_small_ones():
  edges = graph.Edges(jnp.array([[0.0, 1.0, jnp.nan]]), jnp.zeros((1, 3), 'int32'))
  np.testing.assert_array_equal(graph.gaussian(edges, 0.0).value, [[1, 0, np.nan]])
