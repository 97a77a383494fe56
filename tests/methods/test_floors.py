"""The floors: features of a network before any training, and no network at all."""

import jax
import numpy as np
from support.cli import write_configs
from support.tiny_trial import run, tiny_trial
from support.trees import host

from ssl_bench.config import load
from ssl_bench.nets import get
from ssl_bench.trial.run import run_trial
from ssl_bench.trial.run_folder import RunFolder


def test_random_weights_are_the_networks_own_and_stay_so():
  tiny = tiny_trial('random_weights')
  begun = run(tiny, 0)
  before = host(begun.state.params)
  ended = run(tiny, start=begun)
  after = host(ended.state.params)
  assert before.keys() == after.keys() and all((before[k] == after[k]).all() for k in before)
  images = tiny.dataset.test_images[:7]
  settings = {k: tuple(v) if isinstance(v, list) else v for k, v in tiny.config.net.items() if k != 'name'}
  params, stats = ended.state.params['encoder'], ended.state.stats['encoder']
  features, _ = get('mlp')(**settings).apply(params, stats, images.astype('float32') / 127.5 - 1, train=False)
  seen = tiny.program.observe(ended.state, tiny.numbers, images)
  assert seen.keys() == {'features'}
  np.testing.assert_allclose(seen['features'], features, rtol=1e-5, atol=1e-6)


def test_raw_pixels_are_the_images():
  tiny = tiny_trial('raw_pixels')
  state = run(tiny).state
  assert not jax.tree.leaves(state.params)
  images = tiny.dataset.test_images[:7]
  seen = tiny.program.observe(state, tiny.numbers, images)
  np.testing.assert_allclose(seen['features'], images.reshape(7, -1) / 127.5 - 1, rtol=0, atol=1e-6)


def test_a_floor_has_a_record_like_any_other(tmp_path):
  config = load(write_configs(tmp_path, raw_pixels='method: raw_pixels') / 'raw_pixels.yaml')
  found = run_trial(config, RunFolder(tmp_path / 'runs'))
  assert found['status'] == 'done', found['error']
  assert found['family'] == 'self-supervised' and found['curve'] == []
  assert found['metrics']['classifier'] == 'probe with the same labels'
  assert found['metrics']['accuracy'] == found['metrics']['linear_budget']['accuracy'] > 0.5
  assert found['cost']['gflops_per_step'] == 0
