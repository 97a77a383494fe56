"""The public API: what it names, its examples, a trained record, and a loop of one's own."""

import doctest
import subprocess
import sys

import jax
import numpy as np
import optax
import pytest
from support.cli import ROOT, write_configs

import ssl_bench
from ssl_bench import api
from ssl_bench.config import load
from ssl_bench.settings.signature import BadSetting
from ssl_bench.trial.run import run_trial
from ssl_bench.trial.run_folder import RunFolder


def test_every_public_name_is_there_and_costs_nothing_before_it_is_used():
  for name in ssl_bench.__all__:
    assert getattr(ssl_bench, name).__doc__, name
  code = 'import ssl_bench, sys; print("jax" in sys.modules); ssl_bench.plan; print(callable(ssl_bench.plan))'
  out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout
  assert out.split() == ['False', 'True']
  with pytest.raises(AttributeError, match="no attribute 'no_such'"):
    ssl_bench.no_such  # noqa: B018


@pytest.mark.slow
def test_the_examples_of_the_docstrings_run(monkeypatch):
  monkeypatch.chdir(ROOT)
  found = doctest.testmod(api)
  assert found.attempted >= 6 and not found.failed


@pytest.fixture(scope='module')
def run_folder(tmp_path_factory):
  folder = tmp_path_factory.mktemp('api')
  configs = write_configs(folder / 'configs', 'net: {name: mlp, widths: [8], norm: none}')
  run_folder = RunFolder(folder / 'runs')
  run_trial(load(configs / 'supervised.yaml'), run_folder)
  return run_folder


@pytest.mark.slow
def test_a_trained_record_gives_features_logits_and_parameters(run_folder):
  trained = ssl_bench.load_trained(run_folder.path)
  images = trained.plan.dataset.test_images
  labels = trained.plan.dataset.test_labels
  logits = trained.logits(images)
  assert trained.features(images).shape == (len(images), 8)
  (path,) = run_folder.records.glob('*.json')
  by_file = ssl_bench.load_trained(path)
  accuracy = ssl_bench.evaluate(trained.plan, trained.fitted)['accuracy']
  assert accuracy == np.mean(by_file.logits(images).argmax(-1) == labels)
  weights = trained.params  # the average, which is what is evaluated
  hidden = images.reshape(len(images), -1) / np.float32(127.5) - 1
  (dense,) = [v for v in jax.tree.leaves(weights['encoder']) if v.ndim == 2]
  (bias,) = [v for v in jax.tree.leaves(weights['encoder']) if v.ndim == 1]
  np.testing.assert_allclose(
    trained.features(images), np.maximum(hidden @ np.asarray(dense) + np.asarray(bias), 0), atol=1e-4
  )
  assert logits.shape == (len(images), 10)


@pytest.mark.parametrize('wrong', ['float', 'shape'])
def test_images_that_are_scaled_already_are_refused(run_folder, wrong):
  trained = ssl_bench.load_trained(run_folder.path)
  images = trained.plan.dataset.test_images
  images = images / np.float32(255) if wrong == 'float' else images[:, :4]
  with pytest.raises(BadSetting, match=r'^Images must be uint8 \[n, 8, 8, 1\]'):
    trained.features(images)


def test_a_folder_without_a_record_is_one_sentence(tmp_path):
  with pytest.raises(BadSetting, match='has no record; name one'):
    ssl_bench.load_trained(tmp_path)


LOOP = (ROOT / 'docs' / 'library.md').read_text().split('```python\n')[3].split('```')[0]


@pytest.mark.slow
def test_a_loop_of_ones_own_has_fifteen_lines_and_learns():
  assert len([line for line in LOOP.splitlines() if line.strip()]) <= 15
  names: dict = {}
  exec(LOOP, names)
  digits, method, state = names['digits'], names['method'], names['state']
  scaled = jax.vmap(names['sb'].policy('none'), (None, 0))(jax.random.key(0), digits.test_images)
  accuracy = np.mean(method.predict(state, scaled).argmax(-1) == digits.test_labels)
  assert accuracy > 0.75


def test_a_loop_of_ones_own_that_forgets_the_scale_is_told():
  """Before, it trained on images from 0 to 255 in silence."""
  from ssl_bench.methods.baselines.supervised import supervised
  from ssl_bench.nets.mlp import mlp

  method, tx = supervised(mlp(), 10), optax.sgd(0.1)
  batch = {'labeled': {'image': np.zeros((4, 8, 8, 1), 'uint8'), 'label': np.zeros(4, 'int32')}}
  with pytest.raises(BadSetting, match=r'ssl_bench\.policy'):
    ssl_bench.init_state(method, tx, {'weak': lambda key, image: image}, jax.random.key(0), batch)
  state = ssl_bench.init_state(method, tx, {'weak': ssl_bench.policy('none')}, jax.random.key(0), batch)
  with pytest.raises(BadSetting, match=r'scale'):
    method.predict(state, batch['labeled']['image'])
