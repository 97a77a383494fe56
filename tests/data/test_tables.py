"""Rows and series: how columns become values, what is standardized by what, and what a set must be."""

import jax
import numpy as np
import pytest

from ssl_bench import api, data
from ssl_bench.config import validate
from ssl_bench.data.custom import fault, from_parts
from ssl_bench.data.tables import encode, standardize
from ssl_bench.planning import make_plan
from ssl_bench.planning.split import stressed

SIZES = {'fake_series': (16, 2), 'fake_table': (10,)}


def test_columns_become_values_by_the_training_part_alone():
  numbers = np.array([1.0, 3.0, 100.0, np.nan])
  words = np.array(['b', 'a', 'c', ''])
  constant = np.array([7, 7, 9, 7])
  rows, columns = encode([numbers, words, constant], train=np.array([0, 1]))
  assert columns == (1, 2, 1)
  np.testing.assert_allclose(rows, [[-1, 0, 1, 0], [1, 1, 0, 0], [98, 0, 0, 0], [0, 0, 0, 0]])
  assert rows.dtype == np.float32


def test_series_are_standardized_by_channel_and_time_is_not():
  values = np.random.default_rng(0).normal([3, -5], [2, 0.1], (6, 9, 2))
  found = standardize(values, np.arange(4))
  np.testing.assert_allclose(found[:4].mean((0, 1)), 0, atol=1e-6)
  np.testing.assert_allclose(found[:4].std((0, 1)), 1, atol=1e-5)
  seen = values[:4].reshape(-1, 2)
  np.testing.assert_allclose(found[5], (values[5] - seen.mean(0)) / seen.std(0), atol=1e-4)


@pytest.mark.parametrize(('name', 'shape'), SIZES.items())
def test_synthetic_sets_are_sound(name, shape):
  dataset = data.load(name)
  apart = dataset._replace(validation_index=dataset.validation_index + dataset.n_train)
  assert fault(apart, name) is None
  assert dataset.shape == shape and dataset.train_images.dtype == np.float32
  assert data.load(name).fingerprint == dataset.fingerprint != data.load('fake').fingerprint


def parts(*shape):
  rng = np.random.default_rng(0)
  return [(rng.normal(size=(n, *shape)).astype('float32'), np.arange(n) % 2) for n in (8, 4, 4)]


def test_a_table_of_ones_own_has_numbers_by_default():
  made = from_parts('mine', *parts(3), classes=2, kind='table')
  assert made.columns == (1, 1, 1) and fault(made, 'mine') is None
  other = from_parts('mine', *parts(3), classes=2, kind='table', columns=[1, 2])
  assert other.columns == (1, 2) and other.fingerprint != made.fingerprint
  assert fault(from_parts('mine', *parts(5, 2), classes=2, kind='series'), 'mine') is None


@pytest.mark.parametrize(
  ('kind', 'change', 'sentence'),
  [
    (
      'series',
      {'train_images': np.zeros((8, 5), 'float32')},
      r'must be float32 \[N, length, channels\] of one size',
    ),
    ('series', {'test_images': np.zeros((4, 6, 2), 'float32')}, 'test_images must be float32'),
    (
      'series',
      {'test_images': np.full((4, 5, 2), np.inf, 'float32')},
      'test_images hold a number that is not finite',
    ),
    ('series', {'train_images': np.zeros((8, 5, 2))}, 'must be float32 .* not float64'),
    ('series', {'unlabeled_images': np.full((2, 5, 2), np.nan, 'float32')}, 'unlabeled_images hold a number'),
    ('table', {'columns': (1, 5)}, 'its columns have 6 values, and a row has 5'),
    ('table', {'kind': 'tabel'}, "its kind must be one of image, tokens, series, table, audio, not 'tabel'"),
  ],
)
def test_what_is_wrong_is_one_clause(kind, change, sentence):
  made = from_parts('mine', *parts(*((5, 2) if kind == 'series' else (5,))), classes=2, kind=kind)
  with pytest.raises(AssertionError, match=sentence):
    assert fault(made._replace(**change), 'mine') is None, fault(made._replace(**change), 'mine')


def config(dataset, **changes):
  given = {
    'dataset': dataset,
    'labels': 20,
    'method': {'name': 'supervised'},
    'net': {'name': 'mlp', 'widths': [32]},
    'steps': 60,
    'batch': {'labeled': 20},
    'optimizer': {'name': 'sgd', 'lr': 0.05},
    'augment': {'weak': 'none', 'strong': 'none'},
    'evaluate': {'every': 60, 'probes': ['linear']},
  }
  return validate(given | changes)


@pytest.mark.slow
@pytest.mark.parametrize(
  ('dataset', 'strong', 'net'),
  [
    ('fake_series', 'jitter_series | mask_time', {'name': 'resnet1d', 'width': 8}),
    ('fake_table', 'mask_columns | noise_columns', {'name': 'tabular_resnet', 'width': 16, 'blocks': 1}),
  ],
)
def test_a_training_learns(dataset, strong, net):
  plan = make_plan(config(dataset, augment={'weak': 'none', 'strong': strong}, net=net))
  fitted = api.train(plan)
  metrics = api.evaluate(plan, fitted)
  assert metrics['accuracy'] > 0.5  # of ten classes


@pytest.mark.parametrize(
  ('dataset', 'shift'), [('fake_series', 'jitter_series(0.5)'), ('fake_table', 'mask_columns(0.5)')]
)
def test_a_shift_changes_what_is_not_labeled(dataset, shift):
  given = config(dataset, stress={'shift': shift})
  found = stressed(given, data.load(dataset))
  moved = (found.shifted_images != found.train_images).reshape(found.n_train, -1).any(1)
  assert 150 < moved.sum() <= 220 and found.shifted_images.dtype == np.float32


def test_a_policy_of_the_library_takes_columns():
  row = data.load('fake_table').train_images[0]
  seen = api.policy('mask_columns(0.9)', kind='table', columns=(1,) * 7 + (3,))(jax.random.key(0), row)
  assert seen.shape == (10,) and (np.asarray(seen) == 0).sum() > 5
