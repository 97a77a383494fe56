"""Losses against float64 NumPy and SciPy: values, gradients, and what happens at the extremes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax
from scipy.stats import entropy as scipy_entropy
from scipy.stats import norm

from ssl_bench import losses

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 3, (6, 5))
TARGETS = RNG.dirichlet(np.ones(5), 6)
LABELS = np.array([0, 4, 2, 2, 1, 3], 'int32')
A, B = RNG.normal(0, 2, (2, 4, 3))


def normal_divergence(mean, deviation):
  """KL(N(mean, deviation²) ‖ N(0, 1)) as an integral."""
  t = mean + deviation * np.linspace(-12, 12, 4001)
  p, q = norm(mean, deviation), norm()
  return np.trapezoid(p.pdf(t) * (p.logpdf(t) - q.logpdf(t)), t)


def reference(name, x):
  """Each loss in the words of its formula, in float64; its mean, as a function of the first argument."""
  if name == 'cross_entropy':
    return -np.mean([log_softmax(row)[label] for row, label in zip(x, LABELS)])
  if name == 'soft_cross_entropy':
    return -np.mean([(t * log_softmax(row)).sum() for row, t in zip(x, TARGETS)])
  if name == 'squared_error':
    return ((x - TARGETS) ** 2).mean()
  if name == 'cosine_distance':
    return np.mean([np.sum((a / np.linalg.norm(a) - b / np.linalg.norm(b)) ** 2) for a, b in zip(x, B)])
  if name == 'normalize':
    return np.mean([(a / np.linalg.norm(a) * b).sum() for a, b in zip(x, B)])
  if name == 'standardize':
    return np.mean([((a - a.mean()) / np.sqrt(a.var(ddof=1) + 1e-6) * b).sum() for a, b in zip(x, B)])
  if name == 'bernoulli':
    p = 1 / (1 + np.exp(-x))
    return -np.mean((TARGETS * np.log(p) + (1 - TARGETS) * np.log(1 - p)).sum(-1))
  if name == 'gaussian_divergence':
    return np.mean([sum(normal_divergence(m, np.exp(v / 2)) for m, v in zip(*rows)) for rows in zip(x, B)])
  z = np.array([v / np.linalg.norm(v) for v in [*x, *B]])
  terms = []
  for i in range(8):
    p = (i + 4) % 8
    negatives = sum(np.exp(z[i] @ z[k] / 0.3) for k in range(8) if k != i)
    terms.append(-np.log(np.exp(z[i] @ z[p] / 0.3) / negatives))
  return np.mean(terms)


OURS = {
  'cross_entropy': (lambda x: losses.cross_entropy(x, LABELS).mean(), LOGITS),
  'soft_cross_entropy': (lambda x: losses.soft_cross_entropy(x, TARGETS).mean(), LOGITS),
  'squared_error': (lambda x: losses.squared_error(x, TARGETS).mean(), LOGITS),
  'cosine_distance': (lambda x: losses.cosine_distance(x, B).mean(), A),
  'normalize': (lambda x: (losses.normalize(x) * B).sum(-1).mean(), A),
  'standardize': (lambda x: (losses.standardize(x) * B).sum(-1).mean(), A),
  'bernoulli': (lambda x: losses.bernoulli(x, TARGETS).mean(), LOGITS),
  'gaussian_divergence': (lambda x: losses.gaussian_divergence(x, B).mean(), A),
  'nt_xent': (lambda x: losses.nt_xent(x, B, 0.3), A),
}


@pytest.mark.parametrize('name', OURS)
def test_value_and_gradient(name):
  ours, x = OURS[name]
  value, gradient = jax.jit(jax.value_and_grad(ours))(x.astype('float32'))
  np.testing.assert_allclose(value, reference(name, x), rtol=1e-5)
  h = 1e-6
  numeric = np.zeros_like(x)
  for at in np.ndindex(x.shape):
    e = np.zeros_like(x)
    e[at] = h
    numeric[at] = (reference(name, x + e) - reference(name, x - e)) / (2 * h)
  np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('name', OURS)
def test_half_precision_inputs_are_computed_in_float32(name):
  ours, x = OURS[name]
  half = jnp.asarray(x, 'bfloat16')
  value = jax.jit(ours)(half)
  assert value.dtype == jnp.float32
  np.testing.assert_allclose(value, reference(name, np.asarray(half, 'float64')), rtol=1e-5)


def test_shapes_are_one_value_per_example():
  assert losses.cross_entropy(LOGITS, LABELS).shape == (6,)
  assert losses.soft_cross_entropy(LOGITS, TARGETS).shape == (6,)
  assert losses.squared_error(LOGITS, TARGETS).shape == (6,)
  assert losses.cosine_distance(A, B).shape == (4,)


def test_cross_entropy_of_extreme_logits_is_finite():
  logits = jnp.array([[1e4, -1e4, 0.0], [1e4, -1e4, 0.0]])
  value, gradient = jax.value_and_grad(lambda x: losses.cross_entropy(x, jnp.array([0, 1])).sum())(logits)
  np.testing.assert_allclose(value, 2e4)
  np.testing.assert_allclose(gradient, [[0, 0, 0], [1, -1, 0]])


def test_soft_cross_entropy_of_one_hot_targets_is_cross_entropy():
  soft = losses.soft_cross_entropy(LOGITS, np.eye(5)[LABELS])
  np.testing.assert_allclose(soft, losses.cross_entropy(LOGITS, LABELS), rtol=1e-6)


def test_normalize_is_safe_at_zero():
  value, gradient = jax.value_and_grad(lambda x: losses.normalize(x).sum())(jnp.zeros((2, 3)))
  assert value == 0 and np.isfinite(gradient).all()


def test_standardize_is_safe_where_nothing_varies():
  value, gradient = jax.value_and_grad(lambda x: losses.standardize(x).sum())(jnp.ones((2, 3)))
  assert value == 0 and np.isfinite(gradient).all()


def test_cosine_distance_runs_from_0_to_4_and_forgets_lengths():
  a = jnp.array([[1.0, 0], [1, 0], [3, 0]])
  b = jnp.array([[5.0, 0], [-0.1, 0], [0, 2]])
  np.testing.assert_allclose(losses.cosine_distance(a, b), [0, 4, 2], atol=1e-6)


def test_nt_xent_treats_both_views_alike_and_survives_low_temperature():
  loss = jax.jit(jax.value_and_grad(losses.nt_xent))
  usual, _ = loss(A, B, 0.3)
  order = np.array([2, 0, 3, 1])
  np.testing.assert_allclose(loss(B, A, 0.3)[0], usual, rtol=1e-6)
  np.testing.assert_allclose(loss(A[order], B[order], 0.3)[0], usual, rtol=1e-6)
  value, gradient = loss(A, B, 0.005)
  assert np.isfinite(value) and np.isfinite(gradient).all()


def test_nt_xent_of_collapsed_projections_is_the_log_of_the_others():
  one = jnp.ones((4, 3))
  np.testing.assert_allclose(losses.nt_xent(one, one, 0.5), np.log(7), rtol=1e-6)


def test_off_diagonal_keeps_all_but_the_diagonal_and_its_gradient():
  matrix = jnp.arange(9.0).reshape(3, 3) + 1
  np.testing.assert_array_equal(losses.off_diagonal(matrix), matrix - np.diag([1, 5, 9]))
  np.testing.assert_array_equal(jax.grad(lambda m: losses.off_diagonal(m).sum())(matrix), 1 - np.eye(3))


def test_entropy_is_that_of_scipy_and_0_where_one_class_is_certain():
  np.testing.assert_allclose(losses.entropy(TARGETS), scipy_entropy(TARGETS, axis=-1), rtol=1e-5)
  np.testing.assert_array_equal(losses.entropy(jnp.eye(3)), 0)


SCORES = RNG.uniform(-1, 1, (9, 4))
ALL = np.ones(9, bool)


def scaled(scores, epsilon, iterations):
  """Sinkhorn and Knopp's iterations on the matrix itself."""
  q = np.exp(scores / epsilon)
  for _ in range(iterations):
    q /= q.sum(0, keepdims=True)
    q /= q.sum(1, keepdims=True)
  return q


@pytest.mark.parametrize('iterations', [1, 3])
def test_sinkhorn_equals_the_iterations_on_the_matrix_itself(iterations):
  ours = losses.sinkhorn(SCORES.astype('float32'), 0.05, iterations, ALL)
  np.testing.assert_allclose(ours, scaled(SCORES, 0.05, iterations), rtol=1e-3, atol=1e-6)


def test_sinkhorn_ends_where_all_columns_are_used_alike():
  codes = losses.sinkhorn(SCORES.astype('float32'), 0.3, 200, ALL)
  np.testing.assert_allclose(codes.sum(1), 1, rtol=1e-5)
  np.testing.assert_allclose(codes.sum(0), 9 / 4, rtol=1e-3)


def test_sinkhorn_goes_by_the_valid_rows_only():
  """Whatever stands in the others, and in every iteration."""
  valid = np.array([True, False, True, True, False, False, True, True, True])
  expected = scaled(SCORES[valid], 0.1, 3)
  for nonsense in (0, 50, -50):
    rows = np.where(valid[:, None], SCORES, nonsense).astype('float32')
    codes = losses.sinkhorn(rows, 0.1, 3, valid)
    np.testing.assert_allclose(codes[valid], expected, rtol=1e-4, atol=1e-6)
    assert np.isfinite(codes).all()


def test_sinkhorn_survives_where_exp_overflows():
  codes = losses.sinkhorn(jnp.array([[1.0, -1], [0.9, -1], [-1, 1]]), 1e-3, 3, np.ones(3, bool))
  assert np.isfinite(codes).all()
  np.testing.assert_allclose(codes.sum(1), 1, rtol=1e-5)


def test_cross_views_leaves_out_a_target_with_its_own_view():
  logits, targets = RNG.normal(0, 2, (4, 6, 5)), RNG.dirichlet(np.ones(5), (2, 6))
  pairs = [(t, v) for t in range(2) for v in range(4) if t != v]
  expected = -np.mean([(targets[t] * log_softmax(logits[v], -1)).sum(-1).mean() for t, v in pairs])
  np.testing.assert_allclose(losses.cross_views(jnp.asarray(logits), targets), expected, rtol=1e-5)
  reach = jax.grad(lambda x: losses.cross_views(x, targets[:1]))(jnp.asarray(logits))
  assert not reach[0].any() and reach[1:].any((1, 2)).all()
