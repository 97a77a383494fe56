"""The probe on features of length 1: its objective by SciPy, its choice by hand."""

import numpy as np
import pytest
from scipy.optimize import minimize

from ssl_bench import data
from ssl_bench.evaluation.probes import Features
from ssl_bench.evaluation.rows import GRID, on_rows, one_against_rest

CLASSES = 4


@pytest.fixture(scope='module')
def points():
  """(features [40, 5], labels) of three of four classes."""
  rng = np.random.default_rng(0)
  labels = np.repeat([0, 1, 3], [14, 13, 13])
  return rng.normal(size=(40, 5)) + 1.5 * np.eye(5)[labels], labels


@pytest.mark.parametrize('c', [2.0**-10, 1.0, 2.0**10])
def test_each_class_has_the_least_of_its_objective(points, c):
  features, labels = points
  weights, intercepts = one_against_rest(features, labels, CLASSES, c)
  padded = np.c_[features, np.ones(len(features))]
  for label in (0, 1, 3):
    y = np.where(labels == label, 1, -1)
    objective = lambda w, y=y: c * np.logaddexp(0, -y * (padded @ w)).sum() + w @ w / 2
    least = minimize(objective, np.zeros(6), method='BFGS', options={'gtol': 1e-9}).x
    np.testing.assert_allclose([*weights[label], intercepts[label]], least, atol=2e-3 * np.abs(least).max())
  assert intercepts[2] == -np.inf  # a class without a label is never predicted
  assert (features @ weights.T + intercepts).argmax(1).tolist().count(2) == 0


def test_one_class_alone_is_predicted_everywhere():
  weights, intercepts = one_against_rest(np.eye(3), np.array([1, 1, 1]), CLASSES, 1.0)
  assert (np.eye(3) @ weights.T + intercepts).argmax(1).tolist() == [1, 1, 1]


def test_the_length_of_a_row_does_not_matter_and_validation_chooses(points):
  dataset = data.load('fake')
  rng = np.random.default_rng(1)
  labeled = np.arange(30)
  parts = [
    np.eye(10)[labels] + rng.normal(scale=0.3, size=(len(labels), 10))
    for labels in (dataset.train_labels, dataset.validation_labels, dataset.test_labels)
  ]
  found = on_rows(Features(*parts), dataset, labeled)
  lengths = [rng.uniform(0.01, 100, (len(part), 1)) for part in parts]
  longer = Features(*(part * length for part, length in zip(parts, lengths)))
  assert on_rows(longer, dataset, labeled) == found

  train, *others = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in parts)
  scores = []
  for c in GRID:
    weights, intercepts = one_against_rest(train[labeled], dataset.train_labels[labeled], 10, c)
    truths = (dataset.validation_labels, dataset.test_labels)
    scores.append([np.mean((x @ weights.T + intercepts).argmax(1) == y) for x, y in zip(others, truths)])
  best = next(test for validation, test in scores if validation == max(scores)[0])
  assert found == best and 0.5 < found < 1


def test_features_that_are_not_finite_have_no_accuracy():
  dataset = data.load('fake')
  parts = [
    np.ones((len(labels), 3))
    for labels in (dataset.train_labels, dataset.validation_labels, dataset.test_labels)
  ]
  parts[0][0] = np.inf
  assert np.isnan(on_rows(Features(*parts), dataset, np.arange(30)))
