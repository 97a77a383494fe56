"""Faults made to happen: kills at random, memory that runs out, folders of the user's that take nothing."""

import json
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import faults
import psutil
import pytest
from support import ray_nodes
from support.cli import command, records, start, write_configs

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FEW = 'name: small\nbase: configs\nblocks: [{method: supervised, seed: [0, 1, 2]}]'


def test_what_is_killed_at_random_loses_nothing(tmp_path, monkeypatch):
  """A few kills; `python tests/faults.py` makes many, and its result is kept."""
  monkeypatch.setattr(faults, 'PAUSES', (5.0, 12.0))
  found = faults.Faults(tmp_path, 1, grid=FEW, trials=3).run(2)
  assert sum(found['kills'].values()) == 2 and not any(found['wrong'].values()), found


def test_the_page_says_what_the_long_run_found():
  found = json.loads((ROOT / 'tests/faults.json').read_text(encoding='utf-8'))
  page = ' '.join((ROOT / 'docs/clusters.md').read_text(encoding='utf-8').split())
  kills = found['kills']
  assert (
    f'{sum(kills.values())} times at random moments, {kills["submitting processes"]} times the command and '
    f'{kills["workers"]} times a worker'
  ) in page
  assert not any(found['wrong'].values()) and sum(kills.values()) >= 50
  assert f'{found["trials"]} trials' in page


def test_what_is_wrong_is_found(tmp_path):
  """The comparison itself can fail: a record that is gone, one that is torn, a training that ended twice."""
  found = faults.Faults(tmp_path, 1, grid=FEW, trials=3)
  for runs in ('whole', 'ours'):
    command(*found.words, '--runs', tmp_path / runs, **found.environment)
  ours, whole = tmp_path / 'ours/small', tmp_path / 'whole/small'
  found.compare(ours, whole)
  assert not any(found.wrong.values())
  first, second, _ = sorted((ours / 'records').glob('*.json'))
  first.unlink()
  (ours / 'leaderboard/README.md').write_text('another')
  claim = next(path for path in (ours / 'claims').iterdir() if path.name.endswith('.0'))
  claim.with_suffix('.1').write_bytes(claim.read_bytes())
  found.compare(ours, whole)
  second.write_text(second.read_text()[:100])
  found.compare(ours, whole)
  assert found.wrong['records that are lost'] == 1 + 3 and found.wrong['records that are torn'] == 1
  assert found.wrong['boards that differ'] == found.wrong['trainings that ended twice'] == 2


@pytest.fixture
def little_memory():
  """A control group whose processes have 1 MB from now on: a function that puts one there."""
  for place, limit in (
    ('/sys/fs/cgroup/memory', 'memory.limit_in_bytes'),
    ('/sys/fs/cgroup', 'memory.max'),
  ):
    group = Path(place) / 'ssl-bench-test'
    with suppress(OSError):
      group.mkdir()
      if (group / limit).is_file():
        break
      group.rmdir()
  else:
    pytest.skip('No control group for memory can be made here; it needs root.')
  (group / limit).write_text(str(2**20))
  yield lambda pid: (group / 'cgroup.procs').write_text(str(pid))
  for _ in range(50):
    with suppress(OSError):
      group.rmdir()
      break
    time.sleep(0.1)


def test_a_worker_for_which_memory_runs_out_is_told_with_its_trial(tmp_path, little_memory):
  """Linux ends it; another one takes the trial up."""
  write_configs(tmp_path / 'configs', 'steps: 20000\ncheckpoint: {every: 2000}\nlog_every: 100')
  (tmp_path / 'small.yaml').write_text('name: small\nbase: configs\nblocks: [{method: supervised}]')
  own = ('--runs', tmp_path / 'runs', '--workers=1', '--wandb=disabled', '--no-timing')
  grid = start('grid', tmp_path / 'small.yaml', *own)
  end = time.monotonic() + 120
  while not any((tmp_path / 'runs/small/checkpoints').glob('*')):
    assert time.monotonic() < end and grid.poll() is None
    time.sleep(0.1)
  (worker,) = (one for one in psutil.Process(grid.pid).children() if 'spawn_main' in ' '.join(one.cmdline()))
  little_memory(worker.pid)
  out, errors = grid.communicate(timeout=240)
  assert grid.returncode == 0, out + errors
  told = 'supervised, 20 labels, seeds 0/0: its process ended with code -9, since memory ran out; another one'
  assert told in out
  (record,) = records(tmp_path / 'runs/small/records').values()
  assert record['status'] == 'done'


@pytest.fixture
def home(tmp_path):
  """A home folder that takes nothing."""
  place = tmp_path / 'home'
  place.mkdir()
  words = ['mount', '-t', 'tmpfs', '-o', 'ro,size=100k', 'tmpfs', place]
  if error := subprocess.run(words, capture_output=True, text=True).stderr:
    pytest.skip(f'No file system can be mounted here: {error.strip()}')
  yield place
  subprocess.run(['umount', place], check=True)


@pytest.mark.parametrize(
  'engine', ['local', pytest.param('ray', marks=pytest.mark.skipif(ray_nodes.MISSING, reason=ray_nodes.WHY))]
)
def test_a_home_that_takes_nothing_is_needed_for_nothing(tmp_path, home, monkeypatch, engine):
  """Nor are the places for caches and settings in it: of matplotlib, W&B, Ray and JAX."""
  for name in ('XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'MPLCONFIGDIR', 'JAX_COMPILATION_CACHE_DIR'):
    monkeypatch.delenv(name, raising=False)
  for name in ('RAY_AUTH_MODE', 'RAY_AUTH_TOKEN'):
    monkeypatch.delenv(name, raising=False)
  write_configs(tmp_path / 'configs')
  (tmp_path / 'small.yaml').write_text('name: small\nbase: configs\nblocks: [{method: supervised}]')
  words = ('grid', tmp_path / 'small.yaml', '--runs', tmp_path / 'runs', f'--engine={engine}')
  own = {'HOME': str(home), 'RAY_ADDRESS': ''}
  out = command(*words, **own)
  assert '1 trial: 0 recorded before, 1 done now.' in out and 'Traceback' not in out
  assert (tmp_path / 'runs/small/leaderboard/index.html').is_file()
  assert any((tmp_path / 'runs/compiled').iterdir()) and not any(home.iterdir())
