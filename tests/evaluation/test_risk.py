"""Selective prediction against plain loops and scikit-learn."""

import itertools
import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from ssl_bench.evaluation import risk


def make(n=300, seed=0, ties=False):
  """Confidences, and hits that are the more likely the higher they are."""
  rng = np.random.default_rng(seed)
  confidence = rng.uniform(0.2, 1, n)
  right = rng.uniform(size=n) < confidence
  return (confidence.round(1) if ties else confidence), right


def loop_risks(confidence, right):
  order = sorted(range(len(right)), key=lambda i: -confidence[i])
  wrong, found = 0, []
  for kept, i in enumerate(order, 1):
    wrong += not right[i]
    found.append(wrong / kept)
  return found


def test_the_curve_and_its_area_equal_plain_loops():
  confidence, right = make()
  found = loop_risks(confidence, right)
  np.testing.assert_allclose(risk.selective_risks(confidence, right), found)
  assert risk.aurc(confidence, right) == pytest.approx(sum(found) / len(found))
  assert found[-1] == pytest.approx(1 - right.mean())


def test_ties_are_the_mean_over_every_order_of_them():
  confidence, right = [0.9, 0.5, 0.5, 0.5, 0.2], [True, False, True, True, False]
  orders = [(0, *middle, 4) for middle in itertools.permutations((1, 2, 3))]
  curves = [loop_risks([5, 4, 3, 2, 1], [right[i] for i in order]) for order in orders]
  np.testing.assert_allclose(risk.selective_risks(confidence, right), np.mean(curves, 0))
  confidence, right = make(ties=True)
  order = np.random.default_rng(1).permutation(len(right))
  assert risk.aurc(confidence[order], right[order]) == pytest.approx(risk.aurc(confidence, right))


@pytest.mark.parametrize('ties', [False, True])
def test_the_excess_is_over_the_best_order(ties):
  confidence, right = make(2000, ties=ties)
  best = loop_risks(right.astype(float), right)
  assert risk.excess_aurc(confidence, right) == pytest.approx(risk.aurc(confidence, right) - np.mean(best))
  error = 1 - right.mean()  # the known limit of many images
  assert np.mean(best) == pytest.approx(error + (1 - error) * math.log(1 - error), abs=1e-3)
  assert risk.excess_aurc(right.astype(float), right) == 0
  assert risk.excess_aurc([0.9, 0.8], [True, True]) == 0


@pytest.mark.parametrize('ties', [False, True])
@pytest.mark.parametrize('error', [0.01, 0.05, 0.2])
def test_the_least_share_to_review_is_found_by_trying_every_threshold(ties, error):
  confidence, right = make(ties=ties)
  shares = [1.0]
  for lowest in sorted(set(confidence)):
    kept = [bool(hit) for c, hit in zip(confidence, right) if c >= lowest]
    if kept.count(False) / len(kept) <= error:
      shares.append(1 - len(kept) / len(right))
  found = risk.review(confidence, right, risk.threshold(confidence, right, error))
  assert found.share == pytest.approx(min(shares))
  assert found.error is None if found.share == 1 else found.error <= error


def test_an_error_that_no_threshold_reaches_sends_every_image_to_review():
  confidence, right = np.array([0.9, 0.8, 0.7]), np.array([False, True, True])
  lowest = risk.threshold(confidence, right, 0.05)
  assert lowest == np.inf and risk.review(confidence, right, lowest) == (1.0, None)
  assert risk.review(confidence, right, risk.threshold(confidence, right, 1 / 3)) == (0.0, 1 / 3)


def test_a_threshold_of_other_images_may_miss_its_error():
  lowest = risk.threshold([0.9, 0.8, 0.7], [True, True, False], 0.0)
  assert lowest == 0.8
  assert risk.review([0.95, 0.85, 0.75, 0.65], [False, True, True, True], lowest) == (0.5, 0.5)


@pytest.mark.parametrize('ties', [False, True])
def test_told_apart_as_scikit_learn_has_it(ties):
  confidence, right = make(ties=ties)
  found = risk.told(confidence, right)
  assert found.auroc == pytest.approx(roc_auc_score(right, confidence))
  assert found.aupr_right == pytest.approx(average_precision_score(right, confidence))
  assert found.aupr_wrong == pytest.approx(average_precision_score(~right, -confidence))


def test_where_all_are_right_there_is_nothing_to_tell():
  assert risk.told([0.9, 0.8], [True, True]) == risk.told([0.9, 0.8], [False, False]) == (None,) * 3


@pytest.mark.parametrize('n', [3, 20, 137, 400])
def test_the_recorded_curve_has_points_of_the_whole_one(n):
  confidence, right = make(n)
  whole, found = loop_risks(confidence, right), risk.thinned(risk.selective_risks(confidence, right))
  assert len(found['coverage']) == len(found['risk']) == min(n, 20) and found['coverage'][-1] == 1
  for coverage, value in zip(found['coverage'], found['risk']):
    assert value == pytest.approx(whole[round(coverage * n) - 1])
  assert np.all(np.diff(found['coverage']) > 0)
