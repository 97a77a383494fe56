"""The probe with every label: fitted once for features that several label budgets share."""

import numpy as np
import pytest

from ssl_bench import data
from ssl_bench.evaluation import probes
from ssl_bench.evaluation.linear import linear_probe
from ssl_bench.evaluation.probes import Features


@pytest.fixture
def fitted(monkeypatch):
  """The sizes of the training parts that probes were fitted on."""
  sizes = []

  def counted(features, *words, **options):
    sizes.append(len(features))
    return linear_probe(features, *words, **options)

  monkeypatch.setattr(probes, 'linear_probe', counted)
  probes._fit.cache_clear()
  yield sizes
  probes._fit.cache_clear()


def features_of(dataset, change=0.0):
  rng = np.random.default_rng(0)
  parts = (dataset.train_images, dataset.validation_images, dataset.test_images)
  features = Features(*(rng.normal(size=(len(x), 5)).astype('float32') for x in parts))
  features.train[3, 2] += change
  return features


def both(dataset, labeled, features):
  """Both probes of a trial: the strength of the one with all labels, and of the one with a few."""
  full = probes.with_all_labels(features, dataset)
  return full, probes.with_few_labels(features, dataset, labeled)


def test_it_is_fitted_once_for_all_budgets_and_anew_for_other_features_or_labels(fitted):
  dataset = data.load('fake')
  n = len(dataset.train_images)
  few, more = np.arange(20), np.arange(40)
  one, of_few = both(dataset, few, features_of(dataset))
  two, of_more = both(dataset, more, features_of(dataset))
  assert fitted == [n, 20, 40] and one is two
  assert not np.array_equal(of_few.weights, of_more.weights)
  both(dataset, few, features_of(dataset, 1e-3))
  assert fitted[3:] == [n, 20]
  other = dataset._replace(train_labels=np.roll(dataset.train_labels, 1))
  both(other, few, features_of(dataset, 1e-3))
  assert fitted[5:] == [n, 20]
