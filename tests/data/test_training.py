"""MNIST and Fashion-MNIST, really prepared from their official files, and really trained on."""

from pathlib import Path

import pytest

from ssl_bench import config as configs
from ssl_bench import data
from ssl_bench.trial.run import run_trial
from ssl_bench.trial.run_folder import RunFolder

SHARED = Path(__file__).parents[3] / 'shared' / 'data'


@pytest.mark.slow
@pytest.mark.parametrize('name', ['mnist', 'fashion_mnist'])
def test_a_prepared_set_is_trained_on(name, tmp_path, monkeypatch):
  if not (SHARED / name).is_dir():
    pytest.skip(f'the official files of {name} are not beside the checkout')
  monkeypatch.setenv('SSL_BENCH_DATA', str(tmp_path / 'data'))
  data.prepare(name, source=SHARED / name)
  tree = {
    'dataset': name,
    'labels': 100,
    'protocol': 'smoke',
    'method': {'name': 'fixmatch', 'threshold': 0.8},
    'net': {'name': 'mlp', 'widths': [64]},
    'batch': {'labeled': 16, 'unlabeled_ratio': 2},
    'steps': 150,
    'optimizer': {'name': 'sgd', 'lr': 0.1},
    'augment': {'weak': 'crop(2)', 'strong': 'crop(2) | cutout(10)'},
    'evaluate': {'every': 150, 'probes': []},
  }
  found = run_trial(configs.validate(tree), RunFolder(tmp_path / 'run'))
  assert found['status'] == 'done', found['error']
  assert found['split'] | {'hash': ''} == {
    'hash': '', 'labeled': 100, 'train': 55000, 'validation': 5000, 'test': 10000,
  }  # fmt: skip
  assert found['metrics']['accuracy'] > 0.4  # chance is 0.1
