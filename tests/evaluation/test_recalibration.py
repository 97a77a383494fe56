"""Vector scaling and histogram binning: planted maps, another optimizer, plain loops."""

import numpy as np
import pytest
from scipy import optimize
from sklearn.metrics import log_loss

from ssl_bench.evaluation import recalibration
from ssl_bench.evaluation.scores import log_softmax, softmax


def make(n, seed=0, weights=(0.5, 1.0, 2.0), biases=(0.5, -1.0, 0.5)):
  """Log-probabilities of three classes, and labels drawn from a vector scaling of them."""
  rng = np.random.default_rng(seed)
  log_probs = log_softmax(2 * rng.normal(size=(n, 3)))
  true = softmax(np.array(weights) * log_probs + np.array(biases))
  return log_probs, (true.cumsum(-1) < rng.uniform(size=(n, 1))).sum(-1), true


def test_vector_scaling_finds_a_planted_map():
  log_probs, labels, _ = make(50_000)
  calibrate = recalibration.fit_vector(log_probs, labels)
  other, _, true = make(500, seed=1)
  np.testing.assert_allclose(calibrate(other), true, atol=0.02)


def test_vector_scaling_has_the_least_loss():
  """Another optimizer, which has no gradient, on scikit-learn's loss."""
  log_probs, labels, _ = make(200)
  loss = lambda both: log_loss(labels, softmax(both[:3] * log_probs + both[3:]), labels=range(3))
  best = optimize.minimize(loss, [1, 1, 1, 0, 0, 0], method='Powell', options={'xtol': 1e-6, 'ftol': 1e-10})
  found = log_loss(labels, recalibration.fit_vector(log_probs, labels)(log_probs), labels=range(3))
  assert found == pytest.approx(best.fun, abs=1e-5) and found < log_loss(labels, softmax(log_probs))


def test_predictions_that_are_all_right_stay_as_they_are():
  log_probs, *_ = make(50)
  calibrate = recalibration.fit_vector(log_probs, log_probs.argmax(-1))
  np.testing.assert_allclose(calibrate(log_probs), np.exp(log_probs))


def test_images_that_a_weight_and_a_bias_would_separate_identify_no_map():
  """The second image is wrong, and would be right with a bias; its loss then falls without end."""
  log_probs = log_softmax([[2.0, 1.0], [1.5, 1.0], [0.5, 0.0], [-1.0, 3.0]])
  calibrate = recalibration.fit_vector(log_probs, [0, 1, 1, 1])
  np.testing.assert_allclose(calibrate(log_probs), np.exp(log_probs))


def test_a_class_that_validation_lacks_ends_at_a_bound():
  log_probs, labels, _ = make(200)
  found = recalibration.fit_vector(log_probs, np.minimum(labels, 1))(log_probs)
  assert (found > 0).all() and found[:, 2].max() < 1e-3


def test_histogram_binning_equals_plain_loops():
  rng = np.random.default_rng(0)
  (probs, labels), other = (
    (rng.dirichlet(np.ones(3), 200), rng.integers(3, size=200)),
    rng.dirichlet(np.ones(3), 50),
  )
  found = recalibration.fit_histogram(probs, labels)(other)
  for i in range(50):
    row = []
    for c in range(3):
      b = next(b for b in range(15) if other[i, c] <= (b + 1) / 15)
      own = (probs[:, c] > b / 15) & (probs[:, c] <= (b + 1) / 15)
      row.append((labels[own] == c).mean() if own.any() else other[i, c])
    shares = np.array(row) / sum(row)
    np.testing.assert_allclose(found[i], (200 * shares + 1 / 3) / 201)
  np.testing.assert_allclose(found.sum(-1), 1)


def test_a_bin_that_validation_left_empty_keeps_its_probability_and_none_is_zero():
  calibrate = recalibration.fit_histogram([[0.95, 0.05]] * 9, [1] * 9)
  np.testing.assert_allclose(calibrate([[0.5, 0.5]]), [[0.5, 0.5]])
  np.testing.assert_allclose(calibrate([[0.95, 0.05]]), [[0.05, 0.95]])  # (9 · 0 + ½) / 10
