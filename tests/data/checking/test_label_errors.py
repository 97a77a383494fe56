"""Confident learning against loops written from the paper, and against cleanlab; planted noise is found."""

import numpy as np
import pytest

from ssl_bench import data
from ssl_bench.data.checking import label_errors, probe


def noisy(labels, share=0.1, classes=10, seed=1):
  """Labels of which a share is replaced by another class, and which."""
  rng = np.random.default_rng(seed)
  wrong = rng.random(len(labels)) < share
  return np.where(wrong, (labels + rng.integers(1, classes, len(labels))) % classes, labels), wrong


def made(count=500, classes=5, seed=0):
  rng = np.random.default_rng(seed)
  true = rng.integers(0, classes, count)
  probs = rng.dirichlet(np.ones(classes), count) + 2 * np.eye(classes)[true] * rng.random((count, 1))
  given, _ = noisy(true, 0.2, classes)
  return given, probs / probs.sum(1, keepdims=True)


def by_loops(labels, probs):
  """The confident joint and its off-diagonal examples, one at a time."""
  classes = probs.shape[1]
  limits = [np.mean([p[k] for p, y in zip(probs, labels) if y == k]) for k in range(classes)]
  joint, off = np.zeros((classes, classes), int), []
  for n, (row, given) in enumerate(zip(probs, labels)):
    reached = [k for k in range(classes) if row[k] >= limits[k] - 1e-6]
    if reached:
      true = max(reached, key=lambda k: row[k])
      joint[given, true] += 1
      if true != given and row[given] < max(row):
        off.append((n, true))
  return joint, off


@pytest.mark.parametrize('seed', range(3))
def test_suspects_are_those_of_the_paper(seed):
  labels, probs = made(seed=seed)
  found = label_errors.suspects(labels, probs)
  joint, off = by_loops(labels, probs)
  np.testing.assert_array_equal(found.joint, joint)
  assert sorted(zip(found.positions.tolist(), found.suggested.tolist())) == off and len(off) > 20
  assert (np.diff(found.margin) >= 0).all() and found.margin.min() >= 0 and found.margin.max() < 0.5


@pytest.mark.parametrize('seed', range(3))
def test_suspects_are_those_of_cleanlab(seed):
  pytest.importorskip('cleanlab')
  from cleanlab.count import compute_confident_joint, get_confident_thresholds
  from cleanlab.filter import find_label_issues

  labels, probs = made(seed=seed)
  found = label_errors.suspects(labels, probs)
  np.testing.assert_allclose(label_errors.thresholds(labels, probs), get_confident_thresholds(labels, probs))
  np.testing.assert_array_equal(found.joint, compute_confident_joint(labels, probs, calibrate=False))
  theirs = find_label_issues(
    labels, probs, filter_by='confident_learning', return_indices_ranked_by='normalized_margin', n_jobs=1
  )
  assert sorted(found.positions) == sorted(theirs)
  margins = dict(zip(found.positions.tolist(), found.margin.tolist()))
  assert (np.diff([margins[int(k)] for k in theirs]) >= -1e-12).all()


def test_a_class_without_labels_suspects_nothing():
  labels, probs = made()
  labels = np.where(labels == 3, 2, labels)
  found = label_errors.suspects(labels, probs)
  assert 3 not in found.suggested and not found.joint[:, 3].any() and not found.joint[3].any()


def test_folds_hold_a_fifth_of_each_class():
  labels = np.repeat(np.arange(4), [50, 7, 3, 1])
  counts = np.array([np.bincount(labels[probe.folds_of(labels) == f], minlength=4) for f in range(5)])
  assert counts.sum() == len(labels) and (counts.max(0) - counts.min(0) <= 1).all()


def test_probabilities_do_not_see_their_own_labels():
  """Labels that nothing tells are guessed no better than by chance."""
  rng = np.random.default_rng(0)
  labels = rng.integers(0, 4, 400)
  probs = probe.out_of_fold(rng.normal(size=(400, 30)), labels, 4, waves=False)
  np.testing.assert_allclose(probs.sum(1), 1, rtol=1e-6)  # the probe computes in float32
  assert (probs.argmax(1) == labels).mean() < 0.36


def test_a_class_of_one_example_and_one_that_is_absent_do_no_harm():
  rng = np.random.default_rng(0)
  labels = np.r_[np.repeat([0, 1], 30), 3]
  features = rng.normal(size=(61, 5)) + 4 * labels[:, None]
  probs = probe.out_of_fold(features, labels, 4, waves=True)
  assert np.isfinite(probs).all() and not probs[:, 2].any() and not probs[60, 3]
  assert not probe.out_of_fold(features[:30], labels[:30], 4, waves=False)[:, 1:].any()


@pytest.mark.slow
def test_planted_noise_is_found_on_the_digits():
  digits = data.load('digits')
  images = np.concatenate([digits.train_images, digits.test_images])
  labels, wrong = noisy(np.concatenate([digits.train_labels, digits.test_labels]).astype(int))
  probs = probe.out_of_fold(probe.pixels(images), labels, 10, waves=True)
  found = label_errors.suspects(labels, probs)
  assert wrong[found.positions].mean() > 0.9 and wrong[found.positions].sum() > 0.7 * wrong.sum()
  assert wrong[found.positions[:50]].mean() > 0.95
