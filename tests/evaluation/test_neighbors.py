"""Cosine nearest neighbors against scikit-learn."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from ssl_bench.evaluation import neighbors


@pytest.fixture(scope='module')
def digits():
  images, labels = load_digits(return_X_y=True)
  images = images + np.random.default_rng(0).normal(0, 1e-3, images.shape)  # no ties
  return images[:1000], labels[:1000], images[1000:]


def by_similarity(distance):
  return np.exp((1 - distance) / 0.07)


@pytest.mark.parametrize('temperature, weights', [(0.07, by_similarity), (None, 'uniform')])
def test_votes_equal_scikit_learn(digits, temperature, weights):
  bank, labels, images = digits
  votes = neighbors.knn(bank.astype(np.float32), labels, images, 10, (1, 20, 200), temperature=temperature)
  assert list(votes) == [1, 20, 200]
  for k, found in votes.items():
    oracle = KNeighborsClassifier(k, metric='cosine', weights=weights).fit(bank, labels)
    assert found.k == k
    np.testing.assert_allclose(found.scores, oracle.predict_proba(images), atol=1e-5)
    np.testing.assert_array_equal(found.predictions, oracle.predict(images))


def test_candidates_in_float32_are_the_neighbors_in_float64(digits, monkeypatch):
  """Of a bank that is spread out, of one whose rows are nearly equal, and with rows that are equal."""
  bank, _, images = digits
  for features in (bank, 1 + 1e-9 * bank, np.repeat(bank[:50], 20, axis=0)):
    similarity, index = neighbors.nearest(features, images, 20)
    exact = neighbors.unit(images) @ neighbors.unit(features).T
    np.testing.assert_allclose(similarity, -np.sort(-exact)[:, :20], atol=1e-15)
    np.testing.assert_allclose(np.take_along_axis(exact, index, -1), similarity, atol=1e-15)
    assert all(len(set(row)) == 20 for row in index)
  monkeypatch.setattr(neighbors, '_nearest_of_all', lambda *_: pytest.fail('compared with the whole bank'))
  neighbors.nearest(bank, images, 20)


def test_k_is_cut_to_the_bank(digits):
  bank, labels, images = digits
  votes = neighbors.knn(bank[:30], labels[:30], images[:5], 10)
  assert votes[20].k == 20
  assert votes[200].k == 30
  np.testing.assert_allclose(votes[200].scores.sum(-1), 1)


def test_chunks_change_nothing(digits, monkeypatch):
  bank, _, images = digits
  whole = neighbors.nearest(bank, images, 20)
  monkeypatch.setattr(neighbors, '_CHUNK', 7 * len(bank))
  parts = neighbors.nearest(bank, images, 20)
  np.testing.assert_allclose(parts[0], whole[0])
  np.testing.assert_array_equal(parts[1], whole[1])
  assert (np.diff(whole[0]) <= 0).all()


def test_length_does_not_matter_and_zero_is_allowed(digits):
  bank, labels, images = digits
  scaled = neighbors.knn(bank * np.arange(1, 1001)[:, None], labels, images * 1e-3, 10)[20]
  np.testing.assert_allclose(scaled.scores, neighbors.knn(bank, labels, images, 10)[20].scores, atol=1e-9)
  zero = neighbors.knn(bank, labels, np.zeros((1, 64)), 10)[20]
  assert zero.scores.sum() == pytest.approx(1)


def test_a_tie_goes_to_the_lower_class_and_small_temperatures_do_not_overflow():
  bank, labels = np.eye(3), np.array([2, 0, 1])
  assert neighbors.knn(bank, labels, np.ones((1, 3)), 3, (3,))[3].predictions == [0]
  sharp = neighbors.knn(bank, labels, [[3.0, 1, 1]], 3, (3,), temperature=1e-4)[3]
  np.testing.assert_allclose(sharp.scores, [[0, 0, 1]], atol=1e-9)


def test_features_that_are_not_finite_do_not_crash():
  votes = neighbors.knn(np.full((5, 2), np.nan), np.zeros(5, int), np.ones((2, 2)), 3, (2,))[2]
  assert np.isnan(votes.scores).all()
