"""Streams: every epoch a permutation, a function of (key, step) alone, and uniform."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from ssl_bench.data.stream import epoch_indices, labeled_batch_indices, permute, steps_per_epoch
from ssl_bench.settings.signature import BadSetting

KEY = jax.random.key(7)
unlabeled = jax.jit(epoch_indices, static_argnums=(2, 3))
labeled = jax.jit(labeled_batch_indices, static_argnums=2)


@pytest.mark.parametrize('n', [1, 2, 3, 10, 1197, 60_000])
def test_permute_is_a_permutation(n):
  whole = jax.jit(permute, static_argnums=2)(KEY, jnp.arange(n), n)
  assert whole.dtype == jnp.int32
  np.testing.assert_array_equal(np.sort(whole), np.arange(n))


def test_a_traced_size_gives_the_same_permutation():
  traced = jax.jit(permute)(KEY, jnp.arange(100), 1197)
  np.testing.assert_array_equal(traced, permute(KEY, jnp.arange(100), 1197))


@pytest.mark.parametrize('n, batch', [(60, 12), (61, 12), (12, 12)])
def test_an_epoch_shows_each_image_at_most_once(n, batch):
  steps = steps_per_epoch(batch, n)
  epochs = np.array([unlabeled(KEY, step, batch, n) for step in range(3 * steps)]).reshape(3, -1)
  for epoch in epochs:
    assert len(set(epoch)) == len(epoch) == steps * batch > n - batch
    assert set(epoch) <= set(range(n))
  assert not np.array_equal(epochs[0], epochs[1])
  assert not np.array_equal(epochs[1], epochs[2])


def test_the_images_left_out_differ_between_epochs():
  left_out = set()
  for epoch in range(40):
    left_out |= set(range(7)) - set(np.asarray(unlabeled(KEY, epoch, 6, 7)).tolist())
  assert left_out == set(range(7))


def test_the_same_key_and_step_give_the_same_batch_in_any_order():
  forward = [unlabeled(KEY, step, 128, 1197) for step in range(30)]
  assert np.array_equal(unlabeled(KEY, jnp.int32(17), 128, 1197), forward[17])
  assert np.array_equal(epoch_indices(KEY, 17, 128, 1197), forward[17])
  assert not np.array_equal(unlabeled(jax.random.key(8), 17, 128, 1197), forward[17])
  pool = [labeled(KEY, step, 32, 40) for step in range(30)]
  assert np.array_equal(labeled_batch_indices(KEY, jnp.int32(17), 32, jnp.int32(40)), pool[17])


@pytest.mark.parametrize('batch', [0, 101])
def test_a_batch_larger_than_the_set_is_refused(batch):
  with pytest.raises(BadSetting, match='1 to 100'):
    steps_per_epoch(batch, 100)


@pytest.mark.parametrize('n_labels', [1, 10, 40, 100])
def test_the_labeled_stream_uses_every_label_equally(n_labels):
  drawn = np.concatenate([labeled(KEY, step, 32, n_labels) for step in range(n_labels)])
  assert set(np.bincount(drawn, minlength=n_labels)) == {32}
  for one_pass in drawn.reshape(32, n_labels):
    assert len(set(one_pass)) == n_labels


def test_one_program_serves_all_budgets():
  before = labeled._cache_size()
  for n_labels in (20, 21, 1197):
    assert int(labeled(KEY, 3, 16, jnp.int32(n_labels)).max()) < n_labels
  assert labeled._cache_size() == before + 1


def test_all_orders_of_four_are_equally_likely():
  keys = jax.random.split(jax.random.key(0), 24_000)
  orders = np.asarray(jax.jit(jax.vmap(lambda key: permute(key, jnp.arange(4), 4)))(keys))
  _, seen = np.unique(orders, axis=0, return_counts=True)
  assert len(seen) == 24
  assert stats.chisquare(seen).pvalue > 1e-3


def test_places_and_neighbors_are_uniform():
  keys = jax.random.split(jax.random.key(1), 10_000)
  orders = np.asarray(jax.jit(jax.vmap(lambda key: permute(key, jnp.arange(20), 20)))(keys))
  by_place = [stats.chisquare(np.bincount(orders[:, i], minlength=20)).pvalue for i in range(20)]
  assert stats.kstest(by_place, 'uniform').pvalue > 1e-3
  pairs = np.zeros((20, 20))
  np.add.at(pairs, (orders[:, 7], orders[:, 8]), 1)
  assert stats.chisquare(pairs[~np.eye(20, dtype=bool)]).pvalue > 1e-3


def test_successive_epochs_of_a_large_set_are_independent():
  n = 60_000
  first = jax.jit(jax.vmap(lambda epoch: permute(jax.random.fold_in(KEY, epoch), jnp.arange(64), n)))
  drawn = np.asarray(first(jnp.arange(4_000)))
  assert stats.kstest(drawn.ravel() / n, 'uniform').pvalue > 1e-3
  correlation = np.corrcoef(drawn[:-1].ravel(), drawn[1:].ravel())[0, 1]
  assert abs(correlation) < 4 / np.sqrt(drawn.size)
