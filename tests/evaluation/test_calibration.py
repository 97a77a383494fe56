"""Calibration errors against plain loops, and maps against scikit-learn and known answers."""

import itertools
import time

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from ssl_bench.evaluation import calibration
from ssl_bench.evaluation.scores import accuracy, nll, softmax


def make(n=400, classes=4, seed=0, scale=1.0):
  """Logits that are calibrated by construction (labels are drawn from them), then scaled."""
  rng = np.random.default_rng(seed)
  logits = 2 * rng.normal(size=(n, classes))
  labels = np.array([rng.choice(classes, p=p) for p in softmax(logits)])
  return scale * logits, labels


def loop_bins(confidence, hits, edges):
  """(count, confidence, accuracy) of each bin (low, high]."""
  for low, high in itertools.pairwise(edges):
    inside = [i for i, c in enumerate(confidence) if low < c <= high or (low == 0 and c == 0)]
    count, some = len(inside), max(len(inside), 1)
    yield count, sum(confidence[i] for i in inside) / some, sum(hits[i] for i in inside) / some


def loop_ece(confidence, hits, bins):
  found = loop_bins(confidence, hits, np.linspace(0, 1, bins + 1))
  return sum(count * abs(acc - conf) for count, conf, acc in found) / len(confidence)


@pytest.mark.parametrize('bins', [10, 15])
def test_top_label_errors_equal_plain_loops(bins):
  logits, labels = make(scale=2)
  probs = softmax(logits)
  confidence, hits = probs.max(-1), probs.argmax(-1) == labels
  found = list(loop_bins(confidence, hits, np.linspace(0, 1, bins + 1)))
  reliability = calibration.reliability_bins(probs, labels, bins)
  np.testing.assert_allclose(np.transpose(reliability[1:]), found)
  assert reliability.counts.sum() == len(labels)
  assert calibration.ece(probs, labels, bins) == pytest.approx(loop_ece(confidence, hits, bins))
  assert calibration.mce(probs, labels, bins) == pytest.approx(max(abs(a - c) for n, c, a in found if n))


def test_classwise_error_equals_plain_loops():
  logits, labels = make(scale=2)
  probs = softmax(logits)
  expected = np.mean([loop_ece(probs[:, c], labels == c, 15) for c in range(4)])
  assert calibration.classwise_ece(probs, labels) == pytest.approx(expected)


@pytest.mark.parametrize('n', [150, 157, 9])
def test_adaptive_error_equals_plain_loops(n):
  logits, labels = make(n, scale=2)
  probs = softmax(logits)
  order = sorted(range(n), key=lambda i: probs[i].max())
  gaps = [float(probs[i].argmax() == labels[i]) - probs[i].max() for i in order]
  sizes = [n // 15 + (b < n % 15) for b in range(15)]
  total, start = 0.0, 0
  for size in sizes:
    total += abs(sum(gaps[start : start + size]))
    start += size
  assert calibration.adaptive_ece(probs, labels) == pytest.approx(total / n)


def test_no_error_depends_on_the_order_of_images():
  logits, labels = make(scale=2)
  probs = softmax(np.round(logits))  # many ties
  order = np.random.default_rng(1).permutation(len(labels))
  for error in (calibration.ece, calibration.mce, calibration.adaptive_ece, calibration.classwise_ece):
    assert error(probs[order], labels[order]) == pytest.approx(error(probs, labels), abs=1e-12)


def test_bins_are_closed_on_the_right():
  probs = np.array([[0.5, 0.5], [1, 0], [0.6, 0.4]])
  assert calibration.reliability_bins(probs, [0, 0, 0], 10).counts.tolist() == [0, 0, 0, 0, 1, 1, 0, 0, 0, 1]
  assert calibration.ece([[1.0, 0.0]] * 4, [0] * 4) == 0
  assert calibration.ece([[1.0, 0.0]] * 4, [1] * 4) == 1


def test_a_perfectly_calibrated_model_of_360_images_shows_an_error():
  """The reason why calibration is not ranked on small test sets."""
  errors = [
    calibration.ece(softmax(logits), labels) for logits, labels in (make(360, 10, s) for s in range(20))
  ]
  assert 0.03 < np.mean(errors) < 0.06
  logits, labels = make(20_000, 10)
  assert calibration.ece(softmax(logits), labels) < 0.012


def test_interval_equals_recomputing_each_resample():
  logits, labels = make(200, scale=3)
  probs = softmax(logits)
  rng = np.random.default_rng(7)
  drawn = [rng.integers(200, size=200) for _ in range(2000)]
  expected = np.quantile([calibration.ece(probs[i], labels[i]) for i in drawn], [0.025, 0.975])
  found = calibration.ece_interval(probs, labels, resamples=2000)
  assert found == pytest.approx(tuple(expected), abs=0.008)
  assert found[0] < calibration.ece(probs, labels) < found[1]


def test_interval_is_fast():
  logits, labels = make()
  probs = softmax(logits)
  start = time.perf_counter()
  calibration.ece_interval(probs, labels)
  assert time.perf_counter() - start < 1  # 0.02 s on an idle core


@pytest.mark.parametrize('scale', [0.2, 1, 4])
def test_temperature_is_found_again(scale):
  logits, labels = make(20_000, scale=scale)
  fitted = calibration.fit_temperature(logits, labels)
  assert fitted == pytest.approx(scale, rel=0.03)
  assert fitted == pytest.approx(scale * calibration.fit_temperature(logits / scale, labels), rel=1e-4)
  assert nll(logits / fitted, labels) <= nll(logits, labels)


def test_temperature_is_the_minimum_of_nll():
  logits, labels = make(scale=3)
  grid = np.geomspace(calibration.LOWEST, calibration.HIGHEST, 5000)
  best = grid[np.argmin([nll(logits / t, labels) for t in grid])]
  assert calibration.fit_temperature(logits, labels) == pytest.approx(best, rel=2e-3)


def test_temperature_of_degenerate_sets_is_finite():
  right = 5.0 * np.eye(3)
  assert calibration.fit_temperature(right, [0, 1, 2]) == 1
  assert calibration.fit_temperature(np.zeros((3, 3)), [0, 1, 2]) == 1
  assert calibration.fit_temperature(right, [1, 2, 0]) == pytest.approx(calibration.HIGHEST, rel=1e-3)
  nearly = np.concatenate([np.tile([1e-3, 0.0], (99, 1)), [[0.0, 1e-9]]])
  assert calibration.fit_temperature(nearly, [0] * 100) == pytest.approx(calibration.LOWEST, rel=1e-3)
  with pytest.raises(ValueError, match='finite logits'):
    calibration.fit_temperature([[np.nan, 0.0]], [0])


@pytest.mark.parametrize('scale', [0.3, 3, 40])  # 40: most probabilities are less than 1e-15 from 0 or 1
def test_isotonic_is_scikit_learns_per_class_and_normalized(scale):
  (logits, labels), (held, _) = make(300, scale=scale), make(100, seed=1, scale=scale)
  probs, new = softmax(logits), softmax(held)
  one = lambda c: IsotonicRegression(y_min=0, y_max=1, out_of_bounds='clip').fit(probs[:, c], labels == c)
  columns = [one(c).predict(new[:, c]) for c in range(4)]
  expected = np.transpose(columns)
  total = expected.sum(-1, keepdims=True)
  expected = (300 * np.where(total > 0, expected / np.maximum(total, 1e-9), 1 / 4) + 1 / 4) / 301
  np.testing.assert_array_equal(calibration.fit_isotonic(probs, labels)(new), expected)


def test_isotonic_repairs_overconfidence_and_keeps_nll_finite():
  (logits, labels), (held, truth) = make(2000, scale=4), make(2000, seed=1, scale=4)
  found = calibration.fit_isotonic(softmax(logits), labels)(softmax(held))
  assert calibration.ece(found, truth) < 0.06 < 0.1 < calibration.ece(softmax(held), truth)
  assert nll(np.log(found), truth) < nll(held, truth)
  assert accuracy(found, truth) == pytest.approx(accuracy(held, truth), abs=0.03)


def test_isotonic_of_a_class_never_seen_is_a_distribution():
  probs = softmax(np.random.default_rng(0).normal(size=(50, 3)))
  found = calibration.fit_isotonic(probs, np.arange(50) % 2)(np.array([[0.0, 0.0, 1.0], [0.5, 0.3, 0.2]]))
  np.testing.assert_allclose(found.sum(-1), 1)
  assert (found > 0).all()
