"""Edges that are given, in several parts: the three solvers against SciPy and scikit-learn."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import spsolve
from sklearn.semi_supervised import LabelSpreading

from ssl_bench import graph

CLASSES = 3


def of_several_parts():
  """Edges of 60 points in 10 or so parts, and the labels of some: several parts have none, one has one."""
  rng = np.random.default_rng(5)
  ends = np.unique(np.sort(rng.integers(0, 40, (55, 2)), 1), axis=0)
  ends = np.concatenate([ends[ends[:, 0] != ends[:, 1]], [[41, 42], [42, 43], [45, 46]]])
  labels = np.full(60, -1, 'int32')
  labels[[0, 3, 7, 11, 20, 33]] = [0, 1, 2, 2, 1, 0]
  labels[42] = 1
  return ends.astype('int32'), labels


ENDS, LABELS = of_several_parts()
WEIGHTS = sparse.csr_array((np.ones(len(ENDS)), tuple(ENDS.T)), shape=(60, 60))
WEIGHTS = sparse.csr_array(WEIGHTS + WEIGHTS.T)
part_of = connected_components(WEIGHTS)[1]
REACHED = np.isin(part_of, part_of[LABELS >= 0])
TARGETS = np.where(LABELS[:, None] >= 0, np.eye(CLASSES)[LABELS], 0)


@pytest.fixture(params=['both directions', 'one direction', 'one weighs nothing'])
def edges(request):
  """The same edges, written in several ways."""
  start, end = (jnp.asarray(np.concatenate([ENDS[:, i], ENDS[:, 1 - i]])) for i in (0, 1))
  value, half = jnp.ones(len(start)), len(ENDS)
  if request.param == 'one direction':
    return graph.Listed(value[:half], start[:half], end[:half])
  if request.param == 'one weighs nothing':
    return graph.Listed(value.at[half:].set(0), start, end)
  return graph.Listed(value, start, end)


def test_propagation_is_harmonic(edges):
  known, degree = LABELS >= 0, sparse.diags_array(WEIGHTS.sum(1))
  free = np.flatnonzero(~known & REACHED)
  laplacian = sparse.csr_array(degree - WEIGHTS)[free][:, free].tocsc()
  right = WEIGHTS[free][:, np.flatnonzero(known)] @ TARGETS[known]
  expected = TARGETS.copy()
  expected[free] = spsolve(laplacian, right)
  np.testing.assert_allclose(graph.propagate(edges, LABELS, CLASSES), expected, atol=1e-6)


@pytest.mark.parametrize('alpha', [0.3, 0.95])
def test_spreading_is_scikit_learns(edges, alpha):
  theirs = LabelSpreading(kernel=lambda *_: WEIGHTS.toarray(), alpha=alpha, max_iter=10_000, tol=1e-13)
  with np.errstate(invalid='ignore'):  # points without a label: 0 / 0
    theirs.fit(np.zeros((60, 1)), LABELS)
  found = np.asarray(graph.shares(graph.spread(edges, jnp.asarray(TARGETS, 'float32'), alpha)))
  np.testing.assert_allclose(found[REACHED], theirs.label_distributions_[REACHED], atol=1e-5)
  np.testing.assert_allclose(found[~REACHED], 1 / CLASSES)


def test_potentials_are_solved_in_each_part_by_itself(edges):
  found = np.asarray(graph.poisson(edges, LABELS, CLASSES))
  degree = WEIGHTS.sum(1)
  several = [p for p in np.unique(part_of) if len(set(LABELS[(part_of == p) & (LABELS >= 0)])) > 1]
  assert several and (part_of == part_of[42]).sum() == 3 and not REACHED[44:].any()
  unit = degree[np.isin(part_of, several)].mean()
  for p in several:
    at = np.flatnonzero(part_of == p)
    known = at[LABELS[at] >= 0]
    source = np.zeros((60, CLASSES))
    source[known] = TARGETS[known] - TARGETS[known].mean(0)
    np.testing.assert_allclose(degree[at] @ found[at], 0, atol=1e-4)
    left = (degree[:, None] * found - WEIGHTS @ found)[at]
    np.testing.assert_allclose(left, unit * source[at], atol=1e-5)
  np.testing.assert_allclose(found[41:44], np.tile([-1 / 3, 2 / 3, -1 / 3], (3, 1)), atol=1e-6)
  assert not found[~REACHED].any()


def test_no_label_at_all_is_no_error(edges):
  none = np.full(60, -1, 'int32')
  for found in (graph.propagate(edges, none, 3), graph.poisson(edges, none, 3)):
    assert not np.asarray(found).any()
