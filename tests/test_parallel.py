"""Four devices give what one gives: a whole trial, BatchNorm included."""

import numpy as np
import pytest
from support.cli import command, write_configs

from ssl_bench.records.record import read_with_curves

# Sums over the batch are added in another order; over some tens of steps that stays below these.
LOSS_TOLERANCE = 1e-4  # of every entry of the curve
ACCURACY_TOLERANCE = 1 / 80 + 1e-9  # one of the 80 test images

PROTOCOL = """
net: {name: convnet, width: 4}
steps: 60
evaluate: {every: 20}
optimizer: {name: sgd, lr: 0.1}
"""


@pytest.fixture(scope='module')
def trials(tmp_path_factory):
  """The record of the same command on one device and on four."""
  folder = tmp_path_factory.mktemp('parallel')
  config = write_configs(folder / 'configs', PROTOCOL) / 'fixmatch.yaml'
  found = {}
  for devices in (1, 4):
    flags = f'--xla_force_host_platform_device_count={devices}'
    words = ('train', config, 'method.threshold=0.2', '--runs')
    command(*words, folder / str(devices), XLA_FLAGS=flags, NPROC='16')
    (path,) = (folder / str(devices)).glob('train/records/*.json')
    found[devices] = read_with_curves(path)
    assert found[devices]['environment']['device']['count'] == devices
  return found


@pytest.mark.slow
def test_a_trial_on_four_devices_is_the_trial_on_one(trials):
  one, four = trials[1], trials[4]
  assert one['status'] == four['status'] == 'done'
  assert one['id'] == four['id']  # how many devices is no part of what a trial is
  assert one['curve'][-1]['pseudo/coverage'] > 0  # else half of the loss was not tested
  for a, b in zip(one['curve'], four['curve'], strict=True):
    for name in ('loss', 'loss/supervised', 'loss/unsupervised', 'grad_norm'):
      np.testing.assert_allclose(a[name], b[name], rtol=LOSS_TOLERANCE, atol=LOSS_TOLERANCE, err_msg=name)
    for name in ('pseudo/coverage', 'pseudo/precision', 'agreement'):
      assert a[name] == pytest.approx(b[name], abs=0.05), name
  for name in ('accuracy', 'linear', 'linear_budget', 'raw'):
    a, b = (m[name] if name == 'accuracy' else m[name]['accuracy'] for m in (one['metrics'], four['metrics']))
    assert a == pytest.approx(b, abs=ACCURACY_TOLERANCE), name
  for name in ('nll', 'brier', 'ece'):
    assert one['metrics'][name] == pytest.approx(four['metrics'][name], abs=1e-4), name
  a, b = (record['cost']['gflops_per_epoch'] for record in (one, four))
  assert a == pytest.approx(b, rel=1e-4)  # counted before the step is divided
  assert one['split'] == four['split']
