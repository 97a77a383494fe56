"""A grid on a real Ray: two nodes on loopback, one of which is killed, a stop, and what cannot be."""

import signal
import tempfile
import time
from pathlib import Path

import pytest
from support import ray_nodes
from support.cli import command, records, start, write_configs
from support.sweep import crashing_grid

from ssl_bench.trial.run_folder import RunFolder

pytestmark = [pytest.mark.slow, pytest.mark.skipif(ray_nodes.MISSING, reason=ray_nodes.WHY)]

LONG = 'steps: {steps}\ncheckpoint: {{every: 1000}}\nlog_every: 200\n'
LONG += 'evaluate: {{every: {steps}, last: 1, bootstrap: 100}}'


@pytest.fixture(scope='module')
def nodes():
  with ray_nodes.RayNodes() as found:
    yield found


class Sweep:
  """A grid of four trials, its run folder, and the words that run it on Ray."""

  def __init__(self, folder: Path, steps: int):
    write_configs(folder / 'configs', LONG.format(steps=steps))
    (folder / 'small.yaml').write_text(
      'name: small\nbase: configs\nblocks: [{method: supervised, seed: [0, 1, 2, 3]}]'
    )
    (folder / 'cluster.yaml').write_text('workers: 2')
    self.runs = RunFolder(folder / 'runs/small')
    own = ('--runs', folder / 'runs', '--wandb=disabled', '--no-timing')
    self.words = ('grid', folder / 'small.yaml', *own, '--engine=ray', '--cluster', folder / 'cluster.yaml')

  def at_work(self) -> dict[str, int]:
    """Training -> the process that takes steps at it."""
    newest = {name: self.runs.claims.newest(name) for name in self.runs.claims.all()}
    return {
      name: claim.owner['pid'] for name, claim in newest.items() if not claim.end and claim.note.get('step')
    }

  def wait_for_two(self, process) -> dict[str, int]:
    end = time.monotonic() + 150
    while len(found := self.at_work()) < 2:
      if process.poll() is not None or time.monotonic() > end:
        process.kill()
        pytest.fail('\n'.join(process.communicate()))
      time.sleep(0.2)
    return found


def test_a_node_that_is_killed_loses_nothing(tmp_path, nodes):
  """Its trial goes on where another worker has room; none is trained twice, as the claims tell."""
  sweep = Sweep(tmp_path, 20_000)
  process = start(*sweep.words, **nodes.environment)
  found = sweep.wait_for_two(process)
  of_node = set(nodes.pids(nodes.nodes[1]))
  (hit,) = (name for name, pid in found.items() if pid in of_node)  # one worker on each node
  nodes.kill(nodes.nodes[1])
  out, errors = process.communicate(timeout=300)
  assert process.returncode == 0, out + errors
  assert '4 trials: 0 recorded before, 4 done now.' in out
  assert 'its node or its process is gone' in out and 'another one takes its place.' in out
  assert {r['status'] for r in records(sweep.runs.records).values()} == {'done'}
  claims = sweep.runs.claims
  ends = {name: [claims.at(name, k).end for k in range(last + 1)] for name, last in claims.all().items()}
  assert len(ends) == 4 and ends.pop(hit) == [None, 'ended']
  assert list(ends.values()) == 3 * [['ended']]
  logs = [path.read_text() for path in (sweep.runs.path / 'ray').glob('*.out')]
  assert sum(log.count(': accuracy ') for log in logs) == 4


@pytest.mark.parametrize('times', [1, 3])
def test_a_worker_that_crashes_is_told_and_another_goes_on_until_three_did(tmp_path, nodes, times):
  sweep = Sweep(tmp_path, 12)
  text = 'name: small\nbase: configs\nblocks: [{method: supervised, seed: [0, 1]}]\n'
  (tmp_path / 'small.yaml').write_text(crashing_grid(tmp_path, times) + text)
  out = command(*sweep.words, code=int(times == 3), **nodes.environment)
  crash = (
    'its process ended with code 70 (Crashed: ValueError: its fault, as far as anybody knows); another one'
  )
  assert out.count(crash) in ({1} if times == 1 else {2, 3})  # the last one may die as the other says so
  done = [record['config']['seed'] for record in records(sweep.runs.records).values()]
  assert sorted(done) == ([0, 1] if times == 1 else [0])
  assert ('Lost, since three workers died or crashed at it' in out) == (times == 3)


def test_a_command_that_is_stopped_has_its_workers_save(tmp_path):
  """On a Ray of this machine, of which nothing is left."""
  sweep = Sweep(tmp_path, 500_000)
  place, before = Path(tempfile.gettempdir()), set(Path(tempfile.gettempdir()).glob('ray*'))
  process = start(*sweep.words, RAY_ADDRESS='')
  sweep.wait_for_two(process)
  process.send_signal(signal.SIGTERM)
  out, errors = process.communicate(timeout=90)
  assert process.returncode == 128 + signal.SIGTERM, out + errors
  assert 'Stopped; what was trained is saved.' in out and 'Traceback' not in errors
  claims = sweep.runs.claims
  assert [claims.newest(name).end for name in claims.all()] == ['left', 'left']
  steps = [int(path.name) for path in sweep.runs.checkpoints.glob('*/*')]
  assert len(steps) >= 2 and all(0 < step < 500_000 for step in steps)
  assert set(place.glob('ray*')) <= before


def test_what_ray_cannot_do_is_one_sentence(tmp_path):
  sweep = Sweep(tmp_path, 12)
  (tmp_path / 'cluster.yaml').write_text('memory: 900T')
  out = command(*sweep.words, code=2, RAY_ADDRESS='')
  assert 'ssl-bench: No node of Ray has what a worker needs (cpus 1, gpus 0, memory 900T); lower it' in out
  out = command(*sweep.words, code=2, RAY_ADDRESS='127.0.0.1:1')
  assert out == 'ssl-bench: No Ray answers at 127.0.0.1:1: Connection refused.\n'
