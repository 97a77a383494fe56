"""Scores against scikit-learn and plain counting."""

import numpy as np
import pytest
from sklearn import metrics

from ssl_bench.evaluation import scores


@pytest.fixture
def predictions():
  rng = np.random.default_rng(0)
  labels = rng.integers(5, size=300)
  return (2 * rng.normal(size=(300, 5)) + 2 * np.eye(5)[labels]).astype(np.float32), labels


def test_counts_equal_scikit_learn(predictions):
  logits, labels = predictions
  predicted = logits.argmax(-1)
  assert scores.accuracy(logits, labels) == pytest.approx(metrics.accuracy_score(labels, predicted))
  assert scores.top_k(logits, labels, 2) == pytest.approx(metrics.top_k_accuracy_score(labels, logits, k=2))
  assert scores.top_k(logits, labels, 9) == 1
  recall = metrics.recall_score(labels, predicted, average=None)
  np.testing.assert_allclose(scores.per_class_accuracy(logits, labels), recall)


def test_proper_scores_equal_scikit_learn(predictions):
  logits, labels = predictions
  probs = scores.softmax(logits)
  np.testing.assert_allclose(probs.sum(-1), 1)
  assert scores.nll(logits, labels) == pytest.approx(metrics.log_loss(labels, probs), abs=1e-9)
  assert scores.nll(np.log(probs), labels) == pytest.approx(scores.nll(logits, labels))
  assert scores.brier(probs, labels) == pytest.approx(metrics.brier_score_loss(labels, probs), abs=1e-9)
  one_against_rest = sum(metrics.brier_score_loss(labels == c, probs[:, c]) for c in range(5))
  assert scores.brier(probs, labels) == pytest.approx(one_against_rest, abs=1e-9)


def test_brier_of_two_classes_is_twice_the_binary_form_and_at_most_two():
  assert scores.brier([[0.7, 0.3]], [0]) == pytest.approx(2 * 0.3**2)
  assert scores.brier([[0, 1.0]], [0]) == 2
  assert scores.brier([[1.0, 0]], [0]) == 0


def test_logits_of_any_size_are_safe():
  assert scores.nll([[1e5, 0.0]], [0]) == 0
  assert scores.nll([[1e5, 0.0]], [1]) == pytest.approx(1e5)
  assert scores.nll([[-1e5, -1e5]], [1]) == pytest.approx(np.log(2))
  np.testing.assert_allclose(scores.softmax([[0.0, -np.inf]]), [[1, 0]])


def test_ties_go_to_the_lower_class_and_nan_is_wrong():
  assert scores.correct([[1, 1, 0], [1, 1, 0]], [0, 1]).tolist() == [True, False]
  assert scores.correct([[1, 1, 0]], [1], k=2).tolist() == [True]
  assert scores.accuracy([[np.nan, 1], [np.nan, np.nan]], [1, 0]) == 0


def test_a_class_without_images_has_no_accuracy():
  per_class = scores.per_class_accuracy(np.eye(3)[[0, 0]], [0, 1])
  np.testing.assert_array_equal(per_class, [1, 0, np.nan])
