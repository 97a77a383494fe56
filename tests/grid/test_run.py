"""A grid trains what is missing and nothing else, whatever happens on its way."""

import multiprocessing
import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest
from support.cli import command, die, records, start, write_configs
from support.sweep import planned

from ssl_bench import data
from ssl_bench.config import to_dict
from ssl_bench.grid import manifest
from ssl_bench.grid import survey as surveys
from ssl_bench.grid.engines import local
from ssl_bench.grid.expand import expand
from ssl_bench.grid.label import label
from ssl_bench.grid.progress import Progress
from ssl_bench.grid.run import renew, run_grid
from ssl_bench.records.naming import varied
from ssl_bench.trial import run as trial
from ssl_bench.trial import training
from ssl_bench.trial.run import run_trial
from ssl_bench.trial.run_folder import RunFolder

GRID = """
name: small
base: configs
blocks:
  - method: [supervised, simclr]
    labels: [20, 40]
    split_seed, seed: [[0, 0], [1, 1]]
"""
FEW = '--workers=2', '--wandb=disabled', '--no-timing'


def write(folder: Path, text: str = GRID, protocol: str = '') -> Path:
  write_configs(folder / 'configs', protocol)
  path = folder / 'small.yaml'
  path.write_text(text)
  return path


def board_of(runs: Path) -> dict[str, bytes]:
  """The board's files, byte for byte."""
  folder = runs / 'small/leaderboard'
  return {path.name: path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def trainings_of(runs: Path) -> set[str]:
  return {path.name for path in (runs / 'small/checkpoints').iterdir()}


def wait_until(condition, seconds=120):
  end = time.monotonic() + seconds
  while not condition():
    assert time.monotonic() < end, 'it took too long'
    time.sleep(0.005)


def test_a_plan_shares_a_pretraining_among_label_budgets(tmp_path):
  grid = expand(write(tmp_path))
  todo, before = planned(grid, RunFolder(tmp_path / 'runs'))
  tasks = todo.tasks
  assert not before and len(todo.trials) == len(grid.configs) == 8
  configs = [[todo.config_of(trial) for trial in task.trials] for task in tasks]
  shared = {(c[0]['method']['name'], c[0]['seed']): [one['labels'] for one in c] for c in configs}
  assert shared[('simclr', 0)] == shared[('simclr', 1)] == [20, 40]
  assert len(tasks) == 4 + 2
  programs = [task.program for task in tasks]  # trials of one program stand together
  assert programs == sorted(programs, key=programs.index) and len(set(programs)) == 2


def test_a_label_says_what_the_grid_varies(tmp_path):
  """A learning rate, a policy, a stress and a net's name; not what comes with another net or is fixed."""
  text = """
    base: configs
    blocks:
      - {method: supervised, optimizer.lr: [0.1, 0.2], augment.weak: [none, crop(1)]}
      - {method: fixmatch, net: [mlp, convnet], stress.label_noise: [0.0, 0.2]}
  """
  configs = [to_dict(config) for config in expand(write(tmp_path, text)).configs]
  names = varied(configs)
  assert names == {
    'supervised': {'augment.weak', 'optimizer.lr'},
    'fixmatch': {'net.name', 'stress.label_noise'},
  }
  labels = [label(config, names) for config in configs]
  assert labels[0] == 'supervised, 20 labels, seeds 0/0, augment.weak none, optimizer.lr 0.1'
  assert labels[-1] == 'fixmatch, 20 labels, seeds 0/0, net convnet, stress.label_noise 0.2'
  assert len(set(labels)) == len(configs) == 8


def test_of_two_that_renew_the_second_leaves_what_the_first_made_anew(tmp_path, monkeypatch):
  """It saw the old code before the first put it aside and trained again."""
  grid, run_folder = expand(write(tmp_path)), RunFolder(tmp_path / 'runs')
  configs, datasets = grid.configs[:1], {'fake': data.load('fake')}
  run_trial(configs[0], run_folder)
  for module in (trial, training, surveys):
    monkeypatch.setattr(module, 'code_of', lambda config: 'e' * 64)
  seen = surveys.survey(configs, run_folder, datasets)
  assert renew(seen, run_folder, datasets, again=True) and not run_folder.names()
  made = run_trial(configs[0], run_folder)
  renew(seen, run_folder, datasets, again=True)
  assert run_folder.names() == {made['id']}


def test_workers_that_cannot_start_end_the_grid_and_are_told(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(local, 'serve', die)
  summary = run_grid(expand(write(tmp_path)), RunFolder(tmp_path / 'runs'), local.Local(2))
  assert summary.ended == {'left': 8} and not summary.exit_code
  out = capsys.readouterr().out
  assert 'A worker: its process ended with code 3.' in out and out.count('Left, since no worker lives: ') == 8


@pytest.mark.slow
def test_a_worker_that_waits_for_work_ends_at_once_when_asked(tmp_path):
  """Somebody else holds the only task that there is."""
  grid = expand(write(tmp_path, 'name: small\nbase: configs\nblocks: [{method: supervised}]'))
  run_folder = RunFolder(tmp_path / 'runs')
  todo, _ = planned(grid, run_folder)
  path = manifest.write(todo, run_folder.manifests)
  assert run_folder.claims.take(todo.tasks[0].training)
  workers = local.Pool(run_folder, path, 1, Progress('small', 1, 0, 1))
  workers._start({})
  ((pipe, worker),) = workers.workers.items()
  time.sleep(10)  # it has started, and looks for a task
  assert not pipe.poll() and worker.process.is_alive()
  started = time.monotonic()
  workers._stop()
  assert time.monotonic() - started < local.GRACE / 2
  assert worker.process.exitcode == 0 and pipe.recv() == ('over',)


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  """An uninterrupted grid: its folder, and what it said."""
  folder = tmp_path_factory.mktemp('grid')
  out = command('grid', write(folder), '--runs', folder / 'runs', *FEW)
  return folder, out


@pytest.mark.slow
def test_a_grid_records_every_trial_and_builds_its_board(whole):
  folder, out = whole
  found = records(folder / 'runs/small/records')
  assert len(found) == 8 and {r['status'] for r in found.values()} == {'done'}
  assert {r['grid'] for r in found.values()} == {'small'}
  assert '[8/8]' in out and '8 trials: 0 recorded before, 8 done now.' in out
  assert 0 < float(out.partition('Overhead: ')[2].partition('%')[0]) < 100
  assert set(board_of(folder / 'runs')) >= {'README.md', 'index.html'}
  assert len(trainings_of(folder / 'runs')) == 4 + 2  # simclr once a seed, for all label budgets
  by_seed = {}
  for record in found.values():
    if record['config']['method']['name'] == 'simclr':
      by_seed.setdefault(record['config']['seed'], []).append(record)
  for one, other in by_seed.values():
    assert one['curves'] == other['curves'] and one['labels'] != other['labels']
    assert one['metrics']['linear'] == other['metrics']['linear']  # all labels, the same features


@pytest.mark.slow
def test_a_second_run_trains_nothing_and_is_quick(whole):
  folder, _ = whole
  paths = list((folder / 'runs/small').rglob('*.json')) + list((folder / 'runs/small/checkpoints').rglob('*'))
  before, board = {p: p.stat().st_mtime_ns for p in paths}, board_of(folder / 'runs')
  started = time.monotonic()
  out = command('grid', folder / 'small.yaml', '--runs', folder / 'runs', *FEW)
  assert time.monotonic() - started < 40
  assert '8 trials: 8 recorded before, none now.' in out and '[' not in out.split('8 trials')[0][:2]
  assert {p: p.stat().st_mtime_ns for p in paths} == before
  assert board_of(folder / 'runs') == board


@pytest.mark.slow
def test_a_grid_that_is_killed_and_run_again_is_the_grid(whole, tmp_path):
  """kill -9 of the whole process group on its way."""
  folder, _ = whole
  runs, words = tmp_path / 'runs', ('grid', write(tmp_path), '--runs', tmp_path / 'runs', *FEW)
  grid = start(*words)
  wait_until(lambda: len(list(runs.glob('small/records/*.json'))) >= 2)
  os.killpg(grid.pid, signal.SIGKILL)
  assert grid.wait() == -signal.SIGKILL
  grid.communicate()
  left = len(list(runs.glob('small/records/*.json')))
  assert 2 <= left < 8
  out = command(*words)
  assert f'8 trials: {left} recorded before, {8 - left} done now.' in out
  assert records(runs / 'small/records') == records(folder / 'runs/small/records')
  assert board_of(runs) == board_of(folder / 'runs')


@pytest.mark.slow
def test_a_grid_that_is_stopped_saves_what_it_trains(tmp_path):
  """SIGTERM to the command alone: its workers save and end, and nothing half done is recorded."""
  runs = tmp_path / 'runs'
  words = (
    'steps=50000',
    'checkpoint.every=50000',
    'log_every=50000',
    '--select=labels=20, method=supervised',
  )
  grid = start('grid', write(tmp_path), *words, '--runs', runs, *FEW)
  wait_until(lambda: len(list(runs.glob('small/checkpoints/*'))) == 2)  # both are being trained
  grid.send_signal(signal.SIGTERM)
  out, errors = grid.communicate(timeout=90)
  assert grid.returncode == 128 + signal.SIGTERM, out + errors
  assert 'Stopped; what was trained is saved.' in out and 'Traceback' not in errors
  assert not list(runs.glob('small/records/*.json'))
  steps = [int(path.name) for path in runs.glob('small/checkpoints/*/*')]
  assert len(steps) == 2 and all(0 < step < 50000 for step in steps)


@pytest.mark.slow
def test_a_grid_whose_time_is_up_saves_and_asks_to_be_run_again(tmp_path):
  runs = tmp_path / 'runs'
  settings = [f'{name}=500000' for name in ('steps', 'checkpoint.every', 'log_every')]
  few = '--select=labels=20, method=supervised'
  words = ('grid', write(tmp_path), *settings, few, '--runs', runs, *FEW)
  out = command(*words, '--time-limit=20s', code=75)
  assert 'Stopped; what was trained is saved. The same command goes on from there.' in out
  assert not list(runs.glob('small/records/*.json')) and len(list(runs.glob('small/checkpoints/*/*'))) == 2
  assert 'is no length of time' in command(*words, '--time-limit=long', code=2)


FAILING = """
name: small
base: configs
blocks:
  - method: supervised
    net: [{name: vit, patch: 3, dim: 12, depth: 1}, mlp]
    seed: [0, 1]
"""


@pytest.mark.slow
def test_a_grid_survives_a_failing_trial_and_a_killed_worker(tmp_path, capsys):
  """A ViT whose patches do not fit fails by itself; one MLP's process is killed -9 from outside."""
  path, run_folder = write(tmp_path, FAILING, 'net: {norm: none}'), RunFolder(tmp_path / 'runs/small')
  grid = expand(path)

  def kill():
    """Ends the worker as soon as it trains the first MLP: its checkpoints' folder is there."""
    wait_until(lambda: any(run_folder.checkpoints.glob('*')))
    for child in multiprocessing.active_children():
      os.kill(child.pid, signal.SIGKILL)

  killer = threading.Thread(target=kill)
  killer.start()
  summary = run_grid(grid, run_folder, local.Local(1))
  killer.join()
  out = capsys.readouterr().out
  assert summary.ended == {'failed': 2, 'done': 2} and summary.total == 4  # another worker took it up
  assert 'failed: vit: patch 3 must divide the image size 8x8; choose another patch.' in out
  assert re.search(
    r'supervised, 20 labels, seeds 0/\d, net mlp: its process ended with code -9; another one takes', out
  )
  found = records(run_folder.records).values()
  failed = [r for r in found if r['status'] == 'failed']
  assert len(failed) == 2 and len(found) == 4
  assert {r['error'] for r in failed} == {
    'vit: patch 3 must divide the image size 8x8; choose another patch.'
  }

  # What failed is run again; the exit code says that not all is well; the board is built.
  out = command('grid', path, '--runs', tmp_path / 'runs', *FEW, code=1)
  assert '4 trials: 2 recorded before, 2 failed now.' in out
  assert set(board_of(tmp_path / 'runs')) >= {'README.md', 'index.html'}


@pytest.mark.slow
def test_a_grid_with_a_diverged_trial_ends_with_exit_code_1(tmp_path):
  """Also when it is run again, and trains nothing."""
  text = 'name: small\nbase: configs\nblocks: [{method: supervised, optimizer.lr: [0.03, 1e30]}]'
  words = ('grid', write(tmp_path, text), '--runs', tmp_path / 'runs', *FEW)
  out = command(*words, code=1)
  assert 'seeds 0/0, optimizer.lr 0.03: accuracy' in out and ': diverged: The loss or its gradient' in out
  assert '2 trials: 0 recorded before, 1 diverged, 1 done now.' in out
  assert '2 trials: 2 recorded before (1 diverged), none now.' in command(*words, code=1)
