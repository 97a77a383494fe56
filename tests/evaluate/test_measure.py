"""The probe with every label: fitted once for features that several label budgets share."""

import numpy as np
import pytest

from ssl_bench import data
from ssl_bench.evaluate import measure
from ssl_bench.evaluate.linear import linear_probe
from ssl_bench.evaluate.predict import Seen


@pytest.fixture
def fitted(monkeypatch):
  """The sizes of the training parts that probes were fitted on."""
  sizes = []

  def counted(features, *words, **options):
    sizes.append(len(features))
    return linear_probe(features, *words, **options)

  monkeypatch.setattr(measure, 'linear_probe', counted)
  measure._probe_of_all.cache_clear()
  yield sizes
  measure._probe_of_all.cache_clear()


def seen_of(dataset, change=0.0):
  rng = np.random.default_rng(0)
  parts = {
    'train': dataset.train_images,
    'validation': dataset.validation_images,
    'test': dataset.test_images,
  }
  seen = {name: Seen(rng.normal(size=(len(x), 5)).astype('float32'), None) for name, x in parts.items()}
  seen['train'].features[3, 2] += change
  return seen


def test_it_is_fitted_once_for_all_budgets_and_anew_for_other_features_or_labels(fitted):
  dataset = data.load('fake')
  n = len(dataset.train_images)
  few, more = np.arange(20), np.arange(40)
  one, _ = measure.probes(['linear'], dataset, few, seen_of(dataset))
  two, _ = measure.probes(['linear'], dataset, more, seen_of(dataset))
  assert fitted == [n, 20, 40] and one['linear'] == two['linear']
  assert one['linear_budget'] != two['linear_budget']
  measure.probes(['linear'], dataset, few, seen_of(dataset, 1e-3))
  assert fitted[3:] == [n, 20]
  other = dataset._replace(train_labels=np.roll(dataset.train_labels, 1))
  measure.probes(['linear'], other, few, seen_of(dataset, 1e-3))
  assert fitted[5:] == [n, 20]


def test_a_class_without_test_images_has_no_accuracy():
  rng = np.random.default_rng(0)
  logits, labels = rng.normal(size=(40, 3)), np.repeat([0, 2], 20)
  found = measure.classifier(logits, labels, logits, labels, 100)['accuracy_by_class']
  right = logits.argmax(-1) == labels
  assert found == [pytest.approx(right[:20].mean()), None, pytest.approx(right[20:].mean())]
