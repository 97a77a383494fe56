"""The linear probe against scikit-learn's logistic regression on real digits."""

import time

import numpy as np
import pytest
from scipy.optimize import check_grad
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from ssl_bench.evaluation import linear
from ssl_bench.evaluation.linear import L2_GRID, fit_path, linear_probe, objective
from ssl_bench.evaluation.scores import accuracy, nll, softmax
from ssl_bench.settings.signature import BadSetting


@pytest.fixture(scope='module')
def digits():
  images, labels = load_digits(return_X_y=True)
  images = images.astype(np.float32)
  return [(images[part], labels[part]) for part in (slice(1197), slice(1197, 1397), slice(1397, None))]


def oracle(l2, features, labels, standardize_on=None):
  """scikit-learn's probabilities as a function of raw features."""
  features = features.astype(np.float64)
  scaler = StandardScaler().fit(features if standardize_on is None else standardize_on.astype(np.float64))
  exact = LogisticRegression(C=1 / (len(labels) * l2), tol=1e-11, max_iter=20_000)
  with threadpool_limits(1, 'blas'):
    exact.fit(scaler.transform(features), labels)
  return lambda held: exact.predict_proba(scaler.transform(held.astype(np.float64)))


def test_every_penalty_gives_scikit_learns_solution(digits):
  (train, labels), _, (test, _) = digits
  scaler = StandardScaler().fit(train.astype(np.float64))
  features, held = scaler.transform(train.astype(np.float64)), scaler.transform(test.astype(np.float64))
  with threadpool_limits(1, 'blas'):
    path = list(fit_path(features, labels, 10, L2_GRID))
  for l2, weights, bias in path:
    found, expected = softmax(held @ weights + bias), oracle(l2, train, labels)(test)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_array_equal(found.argmax(-1), expected.argmax(-1))


def test_the_chosen_probe_is_the_best_of_its_path(digits):
  (train, labels), (validation, truth), (test, test_labels) = digits
  probe = linear_probe(train, labels, validation, truth, 10)
  assert [tried.l2 for tried in probe.path] == list(L2_GRID[: len(probe.path)])
  best = min(probe.path, key=lambda tried: tried.validation_nll)
  assert probe.l2 == best.l2
  assert L2_GRID[-1] < probe.l2 < L2_GRID[0]
  assert nll(probe.logits(validation), truth) == pytest.approx(best.validation_nll)
  assert accuracy(probe.logits(validation), truth) == best.validation_accuracy
  np.testing.assert_allclose(softmax(probe.logits(test)), oracle(probe.l2, train, labels)(test), atol=1e-4)
  assert accuracy(probe.logits(test), test_labels) > 0.9


def test_equal_validation_scores_choose_the_stronger_penalty():
  features = np.zeros((6, 3))
  probe = linear_probe(features, [0, 1, 2] * 2, features, [0, 1, 2] * 2, 3)
  assert probe.l2 == max(L2_GRID)
  np.testing.assert_allclose(softmax(probe.logits(features)), 1 / 3, atol=1e-9)


def test_the_walk_ends_behind_the_best_penalty(digits):
  (train, labels), (validation, truth), _ = digits
  probe = linear_probe(train[:100], labels[:100], validation, truth, 10)
  losses = [tried.validation_nll for tried in probe.path]
  assert losses[-3] < losses[-2] < losses[-1]
  assert probe.l2 == probe.path[-3].l2
  assert len(probe.path) < len(L2_GRID)


@pytest.mark.parametrize('kept', [1, 8, 64])
def test_a_large_problem_has_the_same_solution(digits, kept, monkeypatch):
  """Its grid is walked in float32 first; with one feature the end of the path is flat."""
  (train, labels), (validation, truth), (test, _) = digits
  parts = (train[:, -kept:], labels, validation[:, -kept:], truth, 10)
  exact = linear_probe(*parts)
  monkeypatch.setattr(linear, 'LARGE', 0)
  seen = []
  monkeypatch.setattr(
    linear, 'objective', lambda p, inputs, *args: seen.append(inputs.dtype) or objective(p, inputs, *args)
  )
  found = linear_probe(*parts)
  assert found.l2 == exact.l2 and set(map(str, seen)) == {'float32', 'float64'}
  assert seen.index(np.dtype('float64')) > seen.count(np.dtype('float32')) - 1  # the exact ones are the last
  chosen, best = ({one.l2: one for one in probe.path}[exact.l2] for probe in (found, exact))
  assert chosen.validation_nll == pytest.approx(best.validation_nll, abs=1e-6)  # gradients end at 1e-7
  held = test[:, -kept:]
  np.testing.assert_allclose(softmax(found.logits(held)), softmax(exact.logits(held)), atol=2e-5)


def test_the_gradient_is_right():
  rng = np.random.default_rng(0)
  inputs, targets = rng.normal(size=(30, 5)), rng.integers(4, size=30)
  penalty = np.array([0.1, 0.2, 0.3, 0.4, 0])[:, None]
  args = inputs, targets, penalty, rng.uniform(0.5, 2, (5, 4))
  for point in (np.zeros(20), rng.normal(size=20), 100 * rng.normal(size=20)):
    error = check_grad(lambda p: objective(p, *args)[0], lambda p: objective(p, *args)[1], point)
    assert error < 1e-4 * (1 + np.linalg.norm(objective(point, *args)[1]))


@pytest.mark.parametrize('width', [64, 12])
def test_twenty_labels_in_few_or_many_dimensions(digits, width):
  """Fewer images than features (solved in their span) and more give the same optimum as scikit-learn."""
  (train, labels), (validation, truth), _ = digits
  chosen = np.concatenate([np.flatnonzero(labels == c)[:2] for c in range(10)])
  features = train[:, 20 : 20 + width] if width < 64 else train
  held = validation[:, 20 : 20 + width] if width < 64 else validation
  probe = linear_probe(features[chosen], labels[chosen], held, truth, 10, standardize_on=features)
  np.testing.assert_allclose(probe.mean, features.mean(0), atol=1e-4)
  expected = oracle(probe.l2, features[chosen], labels[chosen], standardize_on=features)(held)
  np.testing.assert_allclose(softmax(probe.logits(held)), expected, atol=1e-4)


def test_classes_without_a_label_are_never_predicted_and_have_a_finite_nll(digits):
  (train, labels), (validation, truth), _ = digits
  chosen = np.flatnonzero(labels % 3 == 0)[:40]  # 0, 3, 6, 9
  probe = linear_probe(train[chosen], labels[chosen], validation, truth, 10)
  logits = probe.logits(validation)
  assert set(logits.argmax(-1)) == {0, 3, 6, 9}
  assert np.isfinite(nll(logits, truth))
  expected = oracle(probe.l2, train[chosen], labels[chosen])(validation)
  np.testing.assert_allclose(softmax(logits[:, [0, 3, 6, 9]]), expected, atol=1e-4)


def test_one_class_and_one_image_do_not_fail():
  probe = linear_probe(np.ones((1, 4)), [2], np.ones((3, 4)), [2, 2, 0], 3)
  assert probe.logits(np.ones((2, 4))).argmax(-1).tolist() == [2, 2]
  assert np.isfinite(probe.path[0].validation_nll)


def test_features_that_do_not_vary_change_nothing(digits):
  (train, labels), (validation, truth), _ = digits
  train, labels = train[:200], labels[:200]
  noise = np.random.default_rng(0).normal(size=(200, 1)).astype(np.float32)
  dull = np.concatenate([train, np.full((200, 1), 0.1, np.float32), np.float32(1e3) + 1e-4 * noise], -1)
  held = np.concatenate([validation, np.full((200, 1), 0.1, np.float32), np.full((200, 1), 1e3)], -1)
  plain = linear_probe(train, labels, validation, truth, 10)
  probe = linear_probe(dull, labels, held, truth, 10)
  assert probe.l2 == plain.l2
  np.testing.assert_allclose(softmax(probe.logits(held)), softmax(plain.logits(validation)), atol=1e-4)


def test_units_of_the_features_do_not_matter(digits):
  (train, labels), (validation, truth), _ = digits
  units = np.geomspace(1e-4, 1e4, 64)
  plain = linear_probe(train[:300], labels[:300], validation, truth, 10)
  other = linear_probe(train[:300] * units + 5, labels[:300], validation * units + 5, truth, 10)
  np.testing.assert_allclose(
    softmax(other.logits(validation * units + 5)), softmax(plain.logits(validation)), atol=1e-4
  )


def test_what_cannot_be_probed_is_refused():
  with pytest.raises(BadSetting, match='needs labeled training and validation images'):
    linear_probe(np.zeros((2, 3)), [0, 1], np.zeros((0, 3)), [], 2)
  with pytest.raises(ValueError, match='finite features'):
    linear_probe(np.array([[0, np.nan], [1, 2]]), [0, 1], np.zeros((1, 2)), [0], 2)


def test_the_whole_grid_takes_little_time(digits):
  (train, labels), (validation, truth), _ = digits
  start = time.process_time()
  linear_probe(train, labels, validation, truth, 10)
  assert time.process_time() - start < 1.5  # 0.2 s on one idle core
