"""A grid on a real Slurm: an array of workers, preempted, timed out, cancelled, and a node that goes down."""

import json
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from support import slurm as local
from support.cli import ROOT, command, records, write_configs
from support.gang import checkpoints
from support.sweep import crashing_grid, grid_of, planned

from ssl_bench.grid import manifest
from ssl_bench.grid.engines.cluster import Cluster
from ssl_bench.grid.engines.engine import Work
from ssl_bench.grid.engines.slurm import Slurm, states
from ssl_bench.settings.signature import BadSetting
from ssl_bench.trial.claims import LEFT, Claim
from ssl_bench.trial.run_folder import RunFolder


def on_slurm(test):
  """Marks a test that needs the daemons, which the tests of one process share."""
  for mark in (
    pytest.mark.slow,
    pytest.mark.xdist_group('slurm'),
    pytest.mark.skipif(bool(local.MISSING), reason=local.WHY),
  ):
    test = mark(test)
  return test


def job_of(out: str) -> str:
  """The id of the array that a command says it has submitted."""
  return out.partition('Submitted as job ')[2].partition(':')[0].partition(',')[0]


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
    return job_of(out)

  def states(self, job: str) -> list[str]:
    found = self.slurm.run('squeue', '-h', '-r', '-t', 'all', '-j', job, '-o', '%T %r %N').stdout
    return found.splitlines()

  def wait(self, condition, seconds: float = 150) -> None:
    end = time.monotonic() + seconds
    while not condition():
      logs = [path.read_text() for path in (self.runs.path / 'slurm').glob('*.out')]
      assert time.monotonic() < end, '\n'.join([*logs, self.slurm.run('squeue', '-t', 'all').stdout])
      time.sleep(0.3)

  def claim(self) -> Claim | None:
    """The newest claim of the only training, once a worker has begun it."""
    begun = [name for name in self.runs.claims.all() if (self.runs.checkpoints / name).is_dir()]
    return self.runs.claims.newest(begun[0]) if begun else None

  def wait_for_worker(self, number: int) -> None:
    """Waits until a worker that made the claim of a number, or a later one, trains."""
    self.wait(lambda: (claim := self.claim()) and claim.number >= number and not claim.end)
    time.sleep(1.5)


@pytest.fixture(scope='module')
def scheduler(tmp_path_factory):
  with local.LocalSlurm(tmp_path_factory.mktemp('slurm')) as found:
    yield found


@pytest.fixture
def sweep(tmp_path, scheduler):
  return Sweep(tmp_path, scheduler)


LONG = """
steps: 40000
checkpoint: {every: 40000}
log_every: 200
evaluate: {every: 40000, last: 1, bootstrap: 100}
"""
ONE = '{method: supervised}'
TOGETHER = LONG.replace('40000', '1200').replace('log_every: 200', 'log_every: 100')
TOGETHER = TOGETHER.replace('checkpoint: {every: 1200}', 'checkpoint: {every: 100}')


@on_slurm
def test_an_array_runs_a_grid_and_builds_its_board(sweep):
  good = '{method: [supervised, simclr], labels: [20, 40], split_seed: [0, 1]}'
  bad = '{method: supervised, net: {name: vit, patch: 3, dim: 12, depth: 1}}'  # patches that do not fit
  words = sweep.words('', f'{good}, {bad}', 'workers: 2\nsetup: ["echo the setup ran"]')
  out = command(*words, '--wait', code=1, **sweep.slurm.environment)
  assert ': 9 trials. How far' in out and '0 trials left; jobs: ' in out
  assert '9 trials: 0 recorded before, 8 done, 1 failed now.' in out
  found = records(sweep.runs.records)
  assert Counter(r['status'] for r in found.values()) == {'done': 8, 'failed': 1}
  assert set(sweep.runs.claims.all().values()) == {0}
  logs = [path.read_text() for path in (sweep.runs.path / 'slurm').glob('*_[01].out')]
  assert len(logs) == 2 and all('the setup ran' in log and ': accuracy ' in log for log in logs)
  (script,) = (sweep.runs.path / 'slurm').glob('*.board.sh')
  assert f'--records {sweep.runs.records} --out {sweep.runs.path}/leaderboard' in script.read_text()
  sweep.wait(lambda: len(list((sweep.runs.path / 'slurm').glob('*.out'))) == 3)  # the board's job ran
  out = command(*words, '--wandb=offline', **sweep.slurm.environment)  # the one that failed is run again
  assert ': 1 trial. How far' in out
  done = {name for name, record in found.items() if record['status'] == 'done'}
  assert done <= {path.stem for path in (sweep.runs.path / 'wandb/mirrored').iterdir()}
  job = job_of(out)
  sweep.wait(lambda: not any(s.split()[0] in ('RUNNING', 'COMPLETING', 'PENDING') for s in sweep.states(job)))


@on_slurm
def test_a_second_command_follows_the_jobs_of_the_first(sweep):
  """It submits no more of them, and a job that is queued again goes on with its log."""
  words = sweep.words(TOGETHER, ONE, 'workers: 1\nsetup: ["echo the setup ran"]')
  job = sweep.submit(TOGETHER, ONE, 'workers: 1\nsetup: ["echo the setup ran"]')
  sweep.wait_for_worker(0)
  sweep.slurm.run('scontrol', 'requeue', job)
  out = command(*words, '--wait', **sweep.slurm.environment)
  assert f'Submitted already, as job {job}: 1 trial.' in out and '1 done now' in out
  log = (sweep.runs.path / f'slurm/{job}_0.out').read_text()
  assert log.count('the setup ran') == 2 and 'Stopped; what was trained is saved.' in log


@on_slurm
def test_a_setup_that_fails_is_told_and_nothing_runs(sweep):
  words = sweep.words('', ONE, 'workers: 1\nsetup: ["echo before", "source no/such/venv", "echo after"]')
  out = command(*words, '--wait', code=1, **sweep.slurm.environment)
  job = job_of(out)
  log = (sweep.runs.path / f'slurm/{job}_0.out').read_text()
  assert 'before' in log and 'setup failed, so nothing was run: source no/such/venv' in log
  assert 'after' not in log and not sweep.runs.claims.all() and not sweep.runs.names()


@on_slurm
def test_what_happens_to_jobs_loses_nothing(sweep, tmp_path, monkeypatch):
  """Another job takes its place, its node goes down, it is cancelled; then it is submitted again and ends.

  Beside it, on the other node, a job whose time is up.
  """
  for name, value in sweep.slurm.environment.items():
    monkeypatch.setenv(name, value)
  timed = Sweep(tmp_path / 'timed', sweep.slurm)
  job = sweep.submit(LONG, ONE)
  other = timed.submit(LONG.replace('40000', '400000'), ONE, 'time: "00:01:00"\nnotice: 30')
  sweep.wait_for_worker(0)
  assert states([job]) == {f'{job}_0': 'running'}
  done = sweep.slurm.run('srun', '-p', 'urgent', '-w', sweep.states(job)[0].split()[-1], 'true')
  assert done.returncode == 0, done.stderr

  timed.wait(lambda: (claim := timed.claim()) and claim.end == 'left')
  timed.wait(lambda: states([other]) == {f'{other}_0': 'queued'})
  timed.slurm.run('scancel', other)

  sweep.wait_for_worker(1)
  (name,) = sweep.runs.claims.all()
  first = sweep.runs.claims.at(name, 0)
  assert first.end == 'left' and 0 < first.note['step'] < 40_000
  node = sweep.states(job)[0].split()[-1]
  before = sweep.claim().number
  sweep.slurm.run('scontrol', 'update', f'nodename={node}', 'state=down', 'reason=test')
  try:
    sweep.wait_for_worker(before + 1)
  finally:
    sweep.slurm.run('scontrol', 'update', f'nodename={node}', 'state=resume')
  sweep.slurm.run('scancel', job)
  sweep.wait(lambda: not any(s.split()[0] in ('RUNNING', 'COMPLETING', 'PENDING') for s in sweep.states(job)))
  assert sweep.claim().end == 'left' and not sweep.runs.names()
  assert [int(path.name) for path in sweep.runs.checkpoints.glob('*/*')]
  assert 'small: 1 trial: 1 to do' in command('status', sweep.runs.path)

  sweep.submit(LONG, ONE)
  sweep.wait(lambda: len(sweep.runs.names()) == 1)
  (record,) = records(sweep.runs.records).values()
  assert record['status'] == 'done'


@on_slurm
def test_a_trial_on_two_nodes_stops_at_one_step_and_equals_that_of_one_process(sweep):
  words = sweep.words(TOGETHER, '{method: fixmatch}', 'workers: 1\nnodes: 2')
  out = command(*words, **sweep.slurm.environment)
  job = job_of(out)
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
def test_a_job_whose_worker_dies_or_crashes_is_queued_again(sweep):
  """What crashes three times nobody takes up."""
  sweep.submit(LONG.replace('40000', '4000'), ONE)
  sweep.wait_for_worker(0)
  (name,) = sweep.runs.claims.all()
  os.kill(sweep.runs.claims.newest(name).owner['pid'], signal.SIGKILL)
  sweep.wait(lambda: len(sweep.runs.names()) == 1)
  assert sweep.runs.claims.at(name, 0).end is None and sweep.runs.claims.newest(name).number == 1

  words = sweep.words('', '{method: supervised, seed: [0, 1]}', 'workers: 1')
  path = sweep.folder / 'small.yaml'
  path.write_text(crashing_grid(sweep.folder, 3) + path.read_text().replace('small', 'crashes'))
  out = command(*words, '--wait', code=1, **sweep.slurm.environment)
  assert 'Lost, since three workers died or crashed at it: supervised' in out
  found = records(sweep.folder / 'runs/crashes/records').values()
  assert [record['config']['seed'] for record in found] == [0]


@on_slurm
def test_a_job_that_runs_the_grid_itself_goes_on_after_its_time(sweep):
  """The script of the page, for nodes without GPUs; its first time is too short on the fastest core."""
  sweep.words(LONG.replace('40000', '120000'), ONE, '')
  page = (ROOT / 'docs/clusters.md').read_text(encoding='utf-8')
  ours = f'{sys.executable} -m ssl_bench.cli'
  text = page.partition('```bash title="node.sh"\n')[2].partition('```')[0]
  for old, new in {
    '--array=0-4': f'--array=0-1 --output={sweep.folder}/%a.out --open-mode=append',
    ' --exclusive --gpus-per-node=4': '',
    'ssl-bench grid experiments/mine.yaml': f'{ours} grid {sweep.folder}/small.yaml',
    '"$SCRATCH/runs"': f'{sweep.folder}/runs --wandb=disabled',
    '--time-limit 03:55:00': '--time-limit $((SLURM_RESTART_COUNT ? 60 : 10))s',
  }.items():
    assert old in text
    text = text.replace(old, new)
  (sweep.folder / 'node.sh').write_text(text)
  job = sweep.slurm.run('sbatch', '--parsable', sweep.folder / 'node.sh').stdout.strip()
  sweep.wait(lambda: len(sweep.runs.names()) == 1, 400)
  sweep.wait(lambda: not any(s.split()[0] in ('RUNNING', 'COMPLETING', 'PENDING') for s in sweep.states(job)))
  (name,) = sweep.runs.claims.all()
  assert sweep.runs.claims.at(name, 0).end == LEFT and sweep.runs.claims.newest(name).number >= 1
  assert '1 trial: ' in (sweep.folder / '0.out').read_text()


@on_slurm
def test_what_slurm_refuses_is_one_sentence(sweep, monkeypatch):
  for name, value in sweep.slurm.environment.items():
    monkeypatch.setenv(name, value)
  todo, _ = planned(grid_of(sweep.folder, f'name: small\nbase: configs\nblocks: [{ONE}]'), sweep.runs)
  work = Work(manifest.write(todo, sweep.runs.manifests), todo, sweep.runs, 1, 0)
  with pytest.raises(BadSetting, match=r'sbatch refused the job: .* invalid partition'):
    Slurm(Cluster(partition='none-such')).run(work)
