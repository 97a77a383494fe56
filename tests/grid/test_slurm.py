"""A grid on a real Slurm: an array of workers, preempted, timed out, cancelled, and a node that goes down."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from support import slurm as local
from support.cli import command, records, write_configs
from support.gang import checkpoints

from ssl_bench.grid.engines import cluster
from ssl_bench.grid.engines.cluster import Cluster
from ssl_bench.grid.engines.slurm import states
from ssl_bench.settings.signature import BadSetting
from ssl_bench.trial.claims import LEFT
from ssl_bench.trial.run_folder import RunFolder

WRONG = {
  'workers: 0': 'workers must be greater than or equal to 1, not 0.',
  'wokers: 2': "There is no setting 'wokers'; did you mean 'workers'?",
  'gpus: many': "gpus must be a whole number, not 'many'.",
  'partition: a b': 'partition must be one word',
  'lines: ["--constraint=a\\nrm"]': 'lines.0 must be one line',
  '- 1': 'should hold settings of the form name: value.',
}


@pytest.mark.parametrize('text', WRONG)
def test_what_is_wrong_in_a_cluster_file_is_one_sentence(tmp_path, text):
  path = tmp_path / 'cluster.yaml'
  path.write_text(text)
  with pytest.raises(BadSetting) as error:
    cluster.read(path)
  assert WRONG[text] in str(error.value) and 'cluster.yaml' in str(error.value)


def test_a_cluster_has_defaults(tmp_path):
  assert cluster.read(None) == Cluster()
  with pytest.raises(BadSetting, match='no-such'):
    cluster.read(tmp_path / 'no-such.yaml')


def on_slurm(test):
  """Marks a test that needs the daemons, which the tests of one process share."""
  for mark in (
    pytest.mark.slow,
    pytest.mark.xdist_group('slurm'),
    pytest.mark.skipif(bool(local.MISSING), reason=local.WHY),
  ):
    test = mark(test)
  return test


class Sweep:
  """A grid file, its run folder, and the Slurm that it is submitted to."""

  def __init__(self, folder: Path, scheduler: local.LocalSlurm):
    self.folder, self.slurm = folder, scheduler
    self.runs = RunFolder(folder / 'runs/small')

  def words(self, protocol: str, blocks: str, settings: str) -> tuple:
    write_configs(self.folder / 'configs', protocol)
    (self.folder / 'small.yaml').write_text(f'name: small\nbase: configs\nblocks: [{blocks}]')
    (self.folder / 'cluster.yaml').write_text(settings)
    runs = ('--runs', self.folder / 'runs', '--wandb=disabled', '--no-timing')
    engine = ('--engine=slurm', '--cluster', self.folder / 'cluster.yaml')
    return 'grid', self.folder / 'small.yaml', *runs, *engine

  def submit(self, protocol: str, blocks: str, settings: str = 'workers: 1') -> str:
    """Submits it; the id of the array."""
    out = command(*self.words(protocol, blocks, settings), **self.slurm.environment)
    return out.partition('submitted as job ')[2].partition('.')[0]

  def states(self, job: str) -> list[str]:
    found = self.slurm.run('squeue', '-h', '-r', '-t', 'all', '-j', job, '-o', '%T %r %N').stdout
    return found.splitlines()

  def wait(self, condition, seconds: float = 150) -> None:
    end = time.monotonic() + seconds
    while not condition():
      logs = [path.read_text() for path in (self.runs.path / 'slurm').glob('*.out')]
      assert time.monotonic() < end, '\n'.join([*logs, self.slurm.run('squeue', '-t', 'all').stdout])
      time.sleep(0.3)

  def is_training(self) -> bool:
    """Whether a worker has taken steps lately: its checkpoint's folder is there and its claim is held."""
    newest = [self.runs.claims.newest(name) for name in self.runs.claims.all()]
    return any(claim and claim.end is None and claim.note.get('step', 0) > 0 for claim in newest)


@pytest.fixture(scope='module')
def scheduler(tmp_path_factory):
  with local.LocalSlurm(tmp_path_factory.mktemp('slurm')) as found:
    yield found


@pytest.fixture
def sweep(tmp_path, scheduler):
  return Sweep(tmp_path, scheduler)


LONG = """
steps: 60000
checkpoint: {every: 60000}
log_every: 200
evaluate: {every: 60000, last: 1, bootstrap: 100}
"""
ONE = '{method: supervised}'
TOGETHER = LONG.replace('60000', '1200').replace('log_every: 200', 'log_every: 100')
TOGETHER = TOGETHER.replace('checkpoint: {every: 1200}', 'checkpoint: {every: 100}')


@on_slurm
def test_an_array_runs_a_grid_and_builds_its_board(sweep):
  good = '{method: [supervised, simclr], labels: [20, 40], split_seed: [0, 1]}'
  bad = '{method: supervised, net: {name: vit, patch: 3, dim: 12, depth: 1}}'  # patches that do not fit
  every = sweep.words('', f'{good}, {bad}', 'workers: 2\nsetup: ["echo the setup ran"]')
  words = (*every, '--select=net=mlp')
  out = command(*words, '--wait', **sweep.slurm.environment)
  assert '8 trials are submitted as job ' in out and '0 trials left; jobs: ' in out
  found = records(sweep.runs.records)
  assert len(found) == 8 and {r['status'] for r in found.values()} == {'done'}
  assert set(sweep.runs.claims.all().values()) == {0}
  logs = [path.read_text() for path in (sweep.runs.path / 'slurm').glob('*_[01].out')]
  assert len(logs) == 2 and all('the setup ran' in log and ': accuracy ' in log for log in logs)
  sweep.wait(lambda: (sweep.runs.path / 'leaderboard/README.md').is_file())
  out = command(*words, **sweep.slurm.environment)
  assert '8 trials: all are recorded; nothing is submitted.' in out
  out = command(*every, '--wait', code=1, **sweep.slurm.environment)
  assert '1 trials are submitted as job ' in out and 'are left' not in out  # it failed by itself


@on_slurm
def test_a_job_that_another_one_takes_the_place_of_saves_and_goes_on(sweep, monkeypatch):
  job = sweep.submit(LONG, ONE, 'workers: 1\nlines: ["--nodelist=n0"]')
  sweep.wait(sweep.is_training)
  for name, value in sweep.slurm.environment.items():
    monkeypatch.setenv(name, value)
  assert states(job) == {f'{job}_0': 'running'}
  done = sweep.slurm.run('srun', '-p', 'urgent', '-w', 'n0', 'true')
  assert done.returncode == 0, done.stderr
  sweep.wait(lambda: len(sweep.runs.names()) == 1)
  (name,) = sweep.runs.claims.all()
  first, last = sweep.runs.claims.at(name, 0), sweep.runs.claims.newest(name)
  assert first.end == 'left' and 0 < first.note['step'] < 60_000 and last.number >= 1
  (record,) = records(sweep.runs.records).values()
  assert record['status'] == 'done'


@on_slurm
def test_a_job_whose_time_is_up_saves_and_goes_on(sweep):
  long = LONG.replace('60000', '400000')
  job = sweep.submit(long, ONE, 'workers: 1\ntime: "00:01:00"\nnotice: 30')
  sweep.wait(lambda: max(sweep.runs.claims.all().values(), default=0) >= 1, 240)
  (name,) = sweep.runs.claims.all()
  assert sweep.runs.claims.at(name, 0).end == 'left'
  sweep.slurm.run('scancel', job)


@on_slurm
def test_a_job_that_is_cancelled_saves_and_stays_away(sweep):
  job = sweep.submit(LONG, ONE)
  sweep.wait(sweep.is_training)
  sweep.slurm.run('scancel', job)
  sweep.wait(lambda: not any(s.split()[0] in ('RUNNING', 'COMPLETING', 'PENDING') for s in sweep.states(job)))
  (name,) = sweep.runs.claims.all()
  assert sweep.runs.claims.newest(name).end == 'left' and not sweep.runs.names()
  assert [int(path.name) for path in sweep.runs.checkpoints.glob('*/*')]
  assert 'small: 1 trials: 1 to do' in command('status', sweep.runs.path)


@on_slurm
def test_a_node_that_goes_down_loses_nothing(sweep):
  job = sweep.submit(LONG, ONE)
  sweep.wait(sweep.is_training)
  node = sweep.states(job)[0].split()[-1]
  sweep.slurm.run('scontrol', 'update', f'nodename={node}', 'state=down', 'reason=test')
  try:
    sweep.wait(lambda: len(sweep.runs.names()) == 1)
  finally:
    sweep.slurm.run('scontrol', 'update', f'nodename={node}', 'state=resume')
  (record,) = records(sweep.runs.records).values()
  assert record['status'] == 'done'


@on_slurm
def test_a_trial_on_two_nodes_stops_at_one_step_and_equals_that_of_one_process(sweep):
  words = sweep.words(TOGETHER, '{method: fixmatch}', 'workers: 1\nnodes: 2')
  out = command(*words, **sweep.slurm.environment)
  job = out.partition('submitted as job ')[2].partition('.')[0]
  sweep.wait(lambda: checkpoints(sweep.runs.path))
  sweep.slurm.run('scancel', '--batch', '--signal=USR2', job)
  sweep.wait(lambda: len(sweep.runs.names()) == 1, 400)
  (name,) = sweep.runs.claims.all()
  first, last = sweep.runs.claims.at(name, 0), sweep.runs.claims.newest(name)
  assert first.end == LEFT and 0 < first.note['step'] < 1200 and last.number >= 1
  (path,) = sweep.runs.records.glob('*.json')
  assert json.loads(path.read_text())['environment']['device'] | {'kind': ''} == {
    'platform': 'cpu',
    'kind': '',
    'count': 2,
    'processes': 2,
  }
  flags = f'{os.environ["XLA_FLAGS"]} --xla_force_host_platform_device_count=2'
  one = [word for word in words if 'cluster' not in str(word) and 'engine' not in str(word)]
  one[one.index(sweep.folder / 'runs')] = sweep.folder / 'one'
  command(*one, '--workers=1', XLA_FLAGS=flags)
  assert records(sweep.runs.records) == records(sweep.folder / 'one/small/records')


@on_slurm
def test_two_nodes_go_on_where_one_process_dies(sweep):
  sweep.submit(TOGETHER, ONE, 'workers: 1\nnodes: 2')
  sweep.wait(lambda: checkpoints(sweep.runs.path))
  (name,) = sweep.runs.claims.all()
  os.kill(sweep.runs.claims.newest(name).owner['pid'], signal.SIGKILL)
  sweep.wait(lambda: len(sweep.runs.names()) == 1, 400)
  assert sweep.runs.claims.at(name, 0).end is None and sweep.runs.claims.newest(name).number >= 1


@on_slurm
def test_what_slurm_refuses_is_one_sentence(sweep):
  words = sweep.words('', ONE, 'partition: none-such')
  out = command(*words, code=2, **sweep.slurm.environment)
  assert 'ssl-bench: sbatch refused the job' in out and 'invalid partition' in out
  out = command(*words, code=2, PATH='/nowhere')
  assert 'There is no sbatch on this machine; submit from a login node' in out
  out = command(*words[:-3], '--wait', code=2)
  assert '--cluster and --wait are for jobs; give --engine slurm with them.' in out
