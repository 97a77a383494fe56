"""Parts of the test images against scikit-learn, SciPy and plain loops."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, f1_score, recall_score

from ssl_bench.evaluation import slices


def make(n=300, classes=4, seed=0):
  rng = np.random.default_rng(seed)
  labels = rng.integers(classes, size=n)
  predicted = np.where(rng.uniform(size=n) < 0.7, labels, rng.integers(classes, size=n))
  return labels, predicted, rng.uniform(0.3, 1, n)


@pytest.mark.parametrize(('hits', 'n'), [(0, 5), (3, 7), (10, 10), (391, 400)])
@pytest.mark.parametrize('level', [0.9, 0.95])
def test_wilson_is_scipys(hits, n, level):
  expected = binomtest(hits, n).proportion_ci(level, method='wilson')
  assert slices.wilson(hits, n, level) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_the_interval_covers_the_share_as_often_as_it_says():
  rng, n = np.random.default_rng(0), 40
  for share in (0.7, 0.95):
    ends = [slices.wilson(hits, n) for hits in rng.binomial(n, share, 4000)]
    assert 0.93 < np.mean([low <= share <= high for low, high in ends]) < 0.98


def test_slices_equal_plain_loops():
  of, predicted, confidence = make()
  right = predicted == of
  found = slices.by_slice(of, 5, confidence, right, resamples=2000)
  for index in range(4):
    own = [i for i in range(len(of)) if of[i] == index]
    hits = sum(bool(right[i]) for i in own)
    gap = sum(confidence[i] - right[i] for i in own) / len(own)
    assert found.accuracy[index] == pytest.approx(hits / len(own))
    assert found.accuracy_interval[index] == pytest.approx(
      [*binomtest(hits, len(own)).proportion_ci(method='wilson')]
    )
    assert found.gap[index] == pytest.approx(gap)
    error = np.std([confidence[i] - right[i] for i in own]) / np.sqrt(len(own))  # the normal approximation
    assert found.gap_interval[index] == pytest.approx(
      [gap - 1.96 * error, gap + 1.96 * error], abs=0.3 * error
    )
  assert [part[4] for part in found] == [None] * 4  # a slice without images


def test_a_slice_of_two_images_has_no_bootstrap_interval():
  found = slices.by_slice([0, 0], 1, [0.9, 0.8], [True, False])
  assert found.gap_interval == [None] and found.accuracy == [0.5]


def test_the_confusion_matrix_and_what_is_made_of_it_are_scikit_learns():
  labels, predicted, _ = make()
  counts = slices.confusion(labels, predicted, 4)
  np.testing.assert_array_equal(counts, confusion_matrix(labels, predicted))
  np.testing.assert_allclose(slices.f1(counts), f1_score(labels, predicted, average=None))
  expected = [recall_score(labels != c, predicted != c) for c in range(4)]
  assert slices.specificity(counts) == pytest.approx(expected)


def test_classes_without_images():
  counts = slices.confusion([0, 0, 1], [0, 1, 1], 3)
  assert counts.shape == (3, 3) and np.isnan(slices.f1(counts)[2])
  assert slices.specificity(slices.confusion([0, 0], [0, 1], 2)) == [None, 0.5]
