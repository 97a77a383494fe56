"""Latency of single calls: what is timed, what is not, and where it stands in a record."""

import statistics
import time

import numpy as np
import pytest
from support.cli import command
from support.tiny_trial import make_config

from ssl_bench import api
from ssl_bench.config import outcome, to_dict
from ssl_bench.evaluation import latency
from ssl_bench.evaluation.network import TrainedNetwork
from ssl_bench.leaderboard import aggregate
from ssl_bench.records import record
from ssl_bench.trial.run import run_trial
from ssl_bench.trial.run_folder import RunFolder

QUICK = {'steps': 4, 'evaluate__bootstrap': 100, 'evaluate__probes': []}


def test_quantiles_are_those_of_the_standard_library():
  seconds = np.random.default_rng(0).gamma(2, 0.003, 137).tolist()
  cuts = statistics.quantiles(seconds, n=100, method='inclusive')
  found = latency.of_calls(seconds)
  assert found == pytest.approx((137, 1000 * cuts[49], 1000 * cuts[94], 1000 * cuts[98]))


def test_the_slowest_of_a_hundred_calls_needs_a_hundred_calls():
  assert latency.of_calls([0.001] * 99).p99 is None and latency.of_calls([0.001] * 100).p99 == 1


class Sluggish(TrainedNetwork):
  """A real network whose first calls, and every tenth one, take longer."""

  seen: list[np.ndarray]

  def logits(self, images):
    self.seen.append(images)
    calls = len(self.seen) % (latency.WARM_UP + 100)
    time.sleep(0.1 if 0 < calls <= latency.WARM_UP else 0.03 if calls % 10 == 0 else 0.003)
    return super().logits(images)


def test_what_a_user_calls_is_timed_after_warm_up(monkeypatch):
  monkeypatch.setattr(latency, 'CALLS', 100)
  plan = api.plan(make_config({'name': 'supervised'}, **QUICK))
  network = Sluggish(plan, api.train(plan))
  network.seen, asked = [], []
  found = latency.measure(network, lambda: asked.append(len(network.seen)))
  assert len(asked) == 200 and len(network.seen) == 2 * (latency.WARM_UP + 100)
  assert [len(images) for images in network.seen] == [1] * 105 + [64] * 105
  assert all(images.dtype == np.uint8 for images in network.seen)
  assert len({images.tobytes() for images in network.seen[:105]}) == latency.FEWEST
  for size in latency.BATCHES:
    own = found[f'batch_{size}']
    assert own.calls == 100 and 3 < own.p50 < 30 < own.p95 <= own.p99
    assert own.p50 < 90  # the calls of the warm-up take 100
  assert found['other_cores'] >= 0


def test_it_ends_after_a_while_where_calls_are_slow(monkeypatch):
  monkeypatch.setattr(latency, 'SECONDS', 0.0)
  plan = api.plan(make_config({'name': 'simclr'}, **QUICK | {'evaluate__probes': ['linear']}))
  network = api.TrainedNetwork(plan, api.train(plan))
  assert not network.has_classifier  # so its features are asked for
  found = latency.measure(network)
  assert found['batch_64'].calls == latency.FEWEST and found['batch_64'].p99 is None


def test_it_stands_among_the_times_of_a_record_and_is_no_part_of_a_trials_identity(tmp_path, monkeypatch):
  monkeypatch.setattr(latency, 'CALLS', 25)
  plain = make_config({'name': 'supervised'}, **QUICK)
  timed = make_config({'name': 'supervised'}, **QUICK, evaluate__latency=True)
  assert outcome(plain) == outcome(timed) and 'latency' not in to_dict(plain)['evaluate']
  one, other = (run_trial(c, RunFolder(tmp_path / str(i))) for i, c in enumerate((plain, timed)))
  assert (one['id'], one['metrics']) == (other['id'], other['metrics'])
  assert 'latency' not in one['cost']
  found = other['cost']['latency']
  assert set(found) == {'batch_1', 'batch_64', 'other_cores'}
  assert found['batch_1']['calls'] == 25 and found['batch_1']['p99'] is None
  assert 0 < found['batch_64']['p50'] <= found['batch_64']['p95']
  again = other | {'config': other['config'] | {'seed': 1}, 'id': 'f' * 16}
  (row,) = aggregate([one, again]).sections[0].budgets[0].rows  # not another variant
  assert row.measures['latency_64_p50'].value == found['batch_64']['p50']
  (row,) = aggregate([other], timing=False).sections[0].budgets[0].rows
  assert not any(name.startswith('latency') for name in row.measures)


@pytest.mark.slow
def test_the_command_adds_the_latency_of_a_record_once(tmp_path):
  run_folder = RunFolder(tmp_path / 'runs')
  made = run_trial(make_config({'name': 'supervised'}, **QUICK), run_folder)
  path = run_folder.record_of(made['id'])
  said = command('speed', path)
  assert '64 images  p50' in said and f'Added to {path}.' in said.replace('\n', '')
  first = record.read(path)
  assert first['cost']['latency']['batch_1']['calls'] >= latency.FEWEST
  assert {k: v for k, v in first['cost'].items() if k != 'latency'} == made['cost']
  assert 'has a latency already' in command('speed', path)
  assert record.read(path) == first
  del first['cost']['latency']
  first['environment']['device']['kind'] = 'another processor'
  record.write(first | {'curve': made['curve'], 'evaluations': made['evaluations']}, path.parent)
  assert 'was recorded on another processor' in command('speed', path)
  assert 'latency' not in record.read(path)['cost']
  assert 'leave all but the record out' in command('speed', path, 'seed=1', code=2)
