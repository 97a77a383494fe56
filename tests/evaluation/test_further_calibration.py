"""Calibration without bins, debiased and by parts: plain loops, known answers, and planted errors."""

import numpy as np
import pytest
from scipy.stats import entropy
from sklearn.metrics import brier_score_loss

from ssl_bench.evaluation import calibration, further_calibration
from ssl_bench.evaluation.scores import softmax


def make(n=400, classes=4, seed=0, scale=1.0):
  """Probabilities that are calibrated by construction (labels are drawn from them) at scale 1."""
  rng = np.random.default_rng(seed)
  logits = 2 * rng.normal(size=(n, classes))
  labels = (softmax(logits).cumsum(-1) < rng.uniform(size=(n, 1))).sum(-1)
  return softmax(scale * logits), np.minimum(labels, classes - 1)


def test_the_ks_error_equals_a_plain_loop_and_no_order_of_images_matters():
  probs, labels = make(scale=2)
  total, worst = 0.0, 0.0
  for i in sorted(range(len(labels)), key=lambda i: probs[i].max()):
    total += probs[i].max() - (probs[i].argmax() == labels[i])
    worst = max(worst, abs(total))
  assert further_calibration.ks_error(probs, labels) == pytest.approx(worst / len(labels))
  tied = probs.round(1) + 1e-3
  tied /= tied.sum(-1, keepdims=True)
  order = np.random.default_rng(0).permutation(len(labels))
  found = further_calibration.ks_error(tied, labels)
  assert further_calibration.ks_error(tied[order], labels[order]) == pytest.approx(found)


def test_the_ks_error_of_overconfidence_everywhere_is_the_gap_of_all_images():
  probs, labels = make(5000, scale=3)
  gap = probs.max(-1).mean() - (probs.argmax(-1) == labels).mean()
  assert further_calibration.ks_error(probs, labels) == pytest.approx(gap, abs=0.002)


def test_the_debiased_ece_is_the_mean_over_draws():
  """The authors' estimator, drawn many times by plain NumPy."""
  probs, labels = make(300, scale=1.5)
  seen = calibration.reliability_bins(probs, labels)
  full = seen.counts > 0
  n, a, c = seen.counts[full], seen.accuracy[full], seen.confidence[full]
  drawn = np.random.default_rng(0).normal(a, np.sqrt(a * (1 - a) / n), (200_000, len(n)))
  expected = 2 * calibration.ece(probs, labels) - (np.abs(drawn - c) @ n / n.sum()).mean()
  assert further_calibration.debiased_ece(probs, labels) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize('scale', [1.0, 1.5])
def test_debiasing_comes_closer_to_the_error_of_very_many_images(scale):
  truth = calibration.ece(*make(200_000, seed=99, scale=scale))
  squared = further_calibration.debiased_l2(*make(200_000, seed=99, scale=scale)) ** 2
  sets = [make(200, seed=seed, scale=scale) for seed in range(150)]
  plain = np.mean([calibration.ece(*one) for one in sets])
  debiased = np.mean([further_calibration.debiased_ece(*one) for one in sets])
  assert abs(debiased - truth) < 0.7 * abs(plain - truth)
  gap = lambda one: (
    np.subtract(*calibration.reliability_bins(*one)[2:]) ** 2
    @ np.divide(calibration.reliability_bins(*one).counts, 200)
  )
  plain, found = (
    np.mean([gap(one) for one in sets]),
    [further_calibration.debiased_l2(*one) ** 2 for one in sets],
  )
  assert abs(np.mean(found) - squared) < 0.5 * abs(plain - squared)


def test_the_debiased_l2_error_equals_a_plain_loop():
  probs, labels = make(200, scale=2)
  confidence, right = probs.max(-1), probs.argmax(-1) == labels
  total = 0.0
  for b in range(15):
    own = (confidence > b / 15) & (confidence <= (b + 1) / 15)
    if own.sum() > 1:
      a = right[own].mean()
      total += own.sum() * ((confidence[own].mean() - a) ** 2 - a * (1 - a) / (own.sum() - 1))
  assert further_calibration.debiased_l2(probs, labels) == pytest.approx(np.sqrt(total / 200))


@pytest.mark.parametrize('classes', [2, 5])
def test_the_parts_of_equal_probabilities_in_bins_are_the_brier_score(classes):
  """Every bin has one probability: Murphy's case, in which nothing is left."""
  rng = np.random.default_rng(0)
  forecasts = rng.dirichlet(np.ones(classes), 6)
  probs = forecasts[rng.integers(6, size=500)]
  labels = rng.integers(classes, size=500)
  found = further_calibration.brier_parts(probs, labels, bins=10**6)
  whole = brier_score_loss(labels, probs, labels=list(range(classes)), scale_by_half=False)
  assert found.reliability - found.resolution + found.uncertainty == pytest.approx(whole)
  shares = np.bincount(labels, minlength=classes) / 500
  assert found.uncertainty == pytest.approx(1 - (shares**2).sum())


def test_the_parts_equal_plain_loops_and_come_near_the_brier_score():
  probs, labels = make(300, scale=2)
  reliability = resolution = 0.0
  for c in range(4):
    base = (labels == c).mean()
    for b in range(15):
      own = (probs[:, c] > b / 15) & (probs[:, c] <= (b + 1) / 15)
      if own.any():
        seen = (labels[own] == c).mean()
        reliability += own.mean() * (probs[own, c].mean() - seen) ** 2
        resolution += own.mean() * (seen - base) ** 2
  found = further_calibration.brier_parts(probs, labels)
  assert found[:2] == pytest.approx((reliability, resolution))
  whole = brier_score_loss(labels, probs, labels=list(range(4)), scale_by_half=False)
  assert found.reliability - found.resolution + found.uncertainty == pytest.approx(whole, abs=0.01)


def test_skew_is_scipys_divergence_and_none_where_shares_agree():
  probs, labels = make()
  found, shares = further_calibration.skew(probs, labels), np.bincount(labels, minlength=4) / len(labels)
  assert found.kl == pytest.approx(entropy(shares, probs.mean(0)))
  assert found.total_variation == pytest.approx(np.abs(shares - probs.mean(0)).sum() / 2)
  assert further_calibration.skew([[1.0, 0.0], [0.0, 1.0]], [1, 0]) == (0, 0)  # all wrong, and no skew
  assert further_calibration.skew([[0.75, 0.25]] * 2, [0, 0]) == pytest.approx((0.25, np.log(4 / 3)))
