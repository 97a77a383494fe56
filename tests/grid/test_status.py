"""The status of a sweep counts each trial once, and names what runs, what is silent and what is not well."""

import json
import os
import signal
import time

import pytest
from support.cli import command, start
from support.sweep import die_at, grid_of, planned, write_claim

from ssl_bench.grid import manifest, work
from ssl_bench.grid.dry_run import dry_run
from ssl_bench.grid.estimate import Timing, estimate, timings
from ssl_bench.grid.status import status
from ssl_bench.grid.watch import told
from ssl_bench.records.environment import device
from ssl_bench.settings.duration import duration, parse_duration
from ssl_bench.settings.signature import BadSetting
from ssl_bench.trial.run_folder import RunFolder

GRID = """
name: small
base: configs
blocks:
  - {method: supervised, labels: [20, 40], split_seed: [0, 1, 2]}
  - {method: supervised, net: {name: vit, patch: 3, dim: 12, depth: 1}}
"""


@pytest.fixture
def grid(tmp_path):
  return grid_of(tmp_path, GRID)


@pytest.fixture
def run_folder(tmp_path):
  return RunFolder(tmp_path / 'runs/small')


def test_every_trial_is_counted_once_by_what_became_of_it(grid, run_folder):
  """One done, one failed by itself, one running, one silent on another machine, one lost, two to do."""
  todo, _ = planned(grid, run_folder)
  manifest.write(todo, run_folder.manifests)
  few = todo._replace(tasks=(todo.tasks[0], todo.tasks[-1]))
  work.work(few, run_folder)
  _, running, silent, lost, *_ = todo.tasks
  assert run_folder.claims.take(running.training)
  run_folder.claims.note(running.training, id=running.trials[0].id, step=5, steps=12)
  run_folder.claims._beat()
  write_claim(run_folder, silent, 0, step=2, steps=12)
  os.utime(run_folder.path / f'claims/{silent.training}.0', (time.time() - 700,) * 2)
  for deaths in range(work.MOST_DEATHS):
    die_at(run_folder, lost, deaths)
  found = status(run_folder.path)
  assert found.counts == {'done': 1, 'failed': 1, 'running': 1, 'silent': 1, 'lost': 1, 'to do': 2}
  text = told(found)
  assert '7 trials: 1 done, 1 failed, 1 lost, 1 running, 1 silent, 2 to do; about ' in text
  assert 'step 5 of 12, process' in text and 'process 1073741824 of far since , silent for 12 min' in text
  assert 'net vit: failed: vit: patch 3 must divide the image size 8x8; choose another patch.' in text
  assert 'lost: its workers died' in text
  assert status(run_folder.path, ['net=vit']).counts == {'failed': 1}
  with pytest.raises(BadSetting, match=r'net is mlp or vit here, never'):
    status(run_folder.path, ['net=convnet'])
  # What failed or was lost is to do again once a grid asks for it.
  manifest.write(planned(grid, run_folder)[0], run_folder.manifests)
  again = status(run_folder.path).counts
  assert again == {'done': 1, 'running': 1, 'silent': 1, 'to do': 4}


def test_odd_files_are_passed_over(grid, run_folder):
  """Records that are none, a claim that is not written yet, and manifests of another version or cut off."""
  todo, _ = planned(grid, run_folder)
  path = manifest.write(todo, run_folder.manifests)
  run_folder.claims.folder.mkdir()
  (run_folder.claims.folder / f'{todo.tasks[0].training}.0').touch()
  (run_folder.manifests / 'old.jsonl').write_text('{"form": "ssl_bench manifest 0", "tasks": 0}')
  (run_folder.manifests / 'cut.jsonl').write_text(path.read_text()[:-30])
  (run_folder.manifests / 'empty.jsonl').touch()
  run_folder.records.mkdir()
  good = {'status': 'done', 'error': None, 'config': todo.configs[0], 'cost': {}, 'time': {'finished': ''}}
  for number, change in enumerate(
    ({'config': {}}, {'cost': None}, {'time': {}}, {'config': None}, {'config': 3})
  ):
    (run_folder.records / f'odd{number}.json').write_text(json.dumps(good | change))
  (run_folder.records / 'deep.json').write_text('[' * 100_000)
  (run_folder.records / 'good.json').write_text(json.dumps(good))
  assert status(run_folder.path).counts == {'done': 1, 'running': 1, 'to do': 6}


def test_a_folder_without_a_sweep_is_named(tmp_path):
  with pytest.raises(BadSetting, match='holds no records and no manifest; name a run folder'):
    status(tmp_path)


def test_a_dry_run_tells_what_is_to_do_and_how_long(grid, run_folder):
  grid = grid._replace(configs=grid.configs[:-1])
  out = dry_run(grid, run_folder, 2)
  assert out.startswith('small: 6 trials; recorded: none; to do: 6, which are 6 trainings of 1 program.')
  assert (
    'No record tells how long 6 trainings of 1 program will take.' in out and not run_folder.path.exists()
  )
  todo, _ = planned(grid, run_folder)
  work.work(todo._replace(tasks=todo.tasks[:2]), run_folder)
  out = dry_run(grid, run_folder, 2)
  assert 'recorded: 2 done; to do: 4' in out and 'on 2 workers of this machine, by records' in out


def test_an_estimate_is_steps_and_trials_of_the_same_program(grid, run_folder):
  todo, _ = planned(grid, run_folder)
  known = todo.tasks[0].program
  found = estimate(todo.tasks, {known: Timing(0.5, 3.0)})
  same = [task for task in todo.tasks if task.program == known]
  assert found.seconds == sum(task.steps * 0.5 + 3.0 * len(task.trials) for task in same)
  assert found.known == len(same) and found.unknown == {task.program for task in todo.tasks} - {known}


def test_steps_that_were_not_taken_are_none_of_an_estimate(run_folder, grid):
  """A trial that stopped at step 20 of 1,000."""
  config = {**planned(grid, run_folder)[0].configs[0], 'steps': 1000}
  times = {'started': '2026-01-01T00:00:00+00:00', 'finished': '2026-01-01T00:00:30+00:00'}
  made = {'status': 'done', 'config': config, 'environment': {'device': device()}, 'time': times}
  run_folder.records.mkdir(parents=True)
  path = run_folder.records / 'a.json'
  path.write_text(json.dumps({**made, 'cost': {'train_seconds': 10.0, 'steps': 20}}))
  assert set(timings([run_folder.records]).values()) == {Timing(0.5, 20.0)}


def test_timings_are_of_this_device_and_of_whole_trials(run_folder, grid):
  """Training without the rest; a trial that took its training from another tells of the rest alone."""
  config = planned(grid, run_folder)[0].configs[0]
  made = {'status': 'done', 'config': {**config, 'steps': 10}, 'environment': {'device': device()}}
  times = {'started': '2026-01-01T00:00:00+00:00', 'finished': '2026-01-01T00:00:30+00:00'}
  rows = {
    'whole': {**made, 'time': times, 'cost': {'train_seconds': 20.0}},
    'shared': {
      **made,
      'time': {**times, 'finished': '2026-01-01T00:00:10+00:00'},
      'cost': {'train_seconds': 40.0},
    },
    'elsewhere': {
      **made,
      'time': times,
      'cost': {'train_seconds': 1.0},
      'environment': {'device': 'another'},
    },
    'failed': {**made, 'status': 'failed', 'time': times, 'cost': {}},
    'none': {},
  }
  run_folder.records.mkdir(parents=True)
  for name, row in rows.items():
    (run_folder.records / f'{name}.json').write_text(json.dumps(row))
  (timing,) = timings([run_folder.records]).values()
  assert timing == Timing(step=3.0, beside=10.0)  # medians of 2 and 4, of 10 and 10


def test_the_time_left_counts_what_trials_do_beside_their_steps(grid, run_folder):
  """Three of six trials took 30 s each, 10 s of them for their steps; one worker is at the others."""
  todo, _ = planned(grid._replace(configs=grid.configs[:-1]), run_folder)
  manifest.write(todo, run_folder.manifests)
  times = {'started': '2026-01-01T00:00:00+00:00', 'finished': '2026-01-01T00:00:30+00:00'}
  run_folder.records.mkdir(parents=True)
  for task in todo.tasks[:3]:
    made = {'status': 'done', 'error': None, 'config': todo.config_of(task.trials[0]), 'time': times}
    path = run_folder.record_of(task.trials[0].id)
    path.write_text(json.dumps({**made, 'cost': {'train_seconds': 10.0}}))
  assert run_folder.claims.take(todo.tasks[3].training)
  run_folder.claims.note(todo.tasks[3].training, id=todo.tasks[3].trials[0].id)
  run_folder.claims._beat()
  assert status(run_folder.path).seconds == pytest.approx(3 * 30)


def test_a_trial_that_was_stopped_is_told_with_the_step_that_is_saved(grid, run_folder):
  todo, _ = planned(grid, run_folder)
  manifest.write(todo, run_folder.manifests)
  first, second, *_ = todo.tasks
  for step in (4, 10, 8):
    (run_folder.checkpoints / first.training / str(step)).mkdir(parents=True)
  (run_folder.checkpoints / second.training / '6').mkdir(parents=True)
  (run_folder.checkpoints / second.training / '9.orbax-checkpoint-tmp').mkdir()  # not whole yet
  assert run_folder.claims.take(second.training)
  run_folder.claims.note(second.training, id=second.trials[0].id, step=0, steps=12)
  run_folder.claims._beat()
  found = status(run_folder.path)
  assert [(row.step, row.steps) for row in found.saved] == [(10, first.steps)]
  assert [(row.step, row.steps) for row in found.running] == [(6, 12)]
  assert f': at step 10 of {first.steps:,}' in told(found) and 'Saved, and left to go on:' in told(found)


def test_durations_are_words():
  assert [duration(s) for s in (40, 89, 90, 700, 5399, 5400, 36_000)] == [
    '40 s', '89 s', '2 min', '12 min', '90 min', '1.5 hours', '10.0 hours',
  ]  # fmt: skip


def test_lengths_of_time_are_read():
  lengths = {'40s': 40, '90m': 5400, '3.5h': 12_600, '1h30m': 5400, '2d': 172_800, '04:00:30': 14_430}
  assert {text: parse_duration(text) for text in lengths} == lengths
  for text in ('', '4', '0s', '1:00', '3 h', 'h', '-1h', '1h30', '4h x'):
    with pytest.raises(BadSetting, match='is no length of time; write it as 90m'):
      parse_duration(text)


@pytest.mark.slow
def test_the_commands_print_them(tmp_path, grid):
  words = (
    'grid',
    tmp_path / 'small.yaml',
    '--select=method=supervised, net=mlp',
    '--runs',
    tmp_path / 'runs',
  )
  out = command(*words, '--dry-run')
  assert '6 trials' in out and not (tmp_path / 'runs').exists()
  command(*words, '--workers=1', '--wandb=disabled', '--no-timing')
  assert command('status', tmp_path / 'runs/small').strip() == 'small: 6 trials: 6 done'
  assert 'small: 3 trials: 3 done' in command('status', tmp_path / 'runs/small', '--select=labels=20')
  assert 'until Ctrl-C' in ' '.join(command('status', '--help', COLUMNS='200').split())
  watching = start('status', tmp_path / 'runs/small', '--watch')
  assert [watching.stdout.readline() for _ in range(2)] == 2 * ['small: 6 trials: 6 done\n']
  watching.send_signal(signal.SIGINT)  # what Ctrl-C sends
  _, errors = watching.communicate(timeout=60)
  assert watching.returncode == 128 + signal.SIGINT and not errors, errors


def test_trials_that_go_to_a_rung_are_left_until_it_is_there(tmp_path, run_folder):
  grid = grid_of(tmp_path, 'base: configs\nblocks: [{method: supervised, split_seed: [100, 101]}]')
  todo, _ = planned(grid, run_folder.at(4))
  manifest.write(todo, run_folder.manifests)
  assert todo.until == 4 and {task.steps for task in todo.tasks} == {4}
  assert status(run_folder.path).counts == {'to do': 2}
  work.work(todo._replace(tasks=todo.tasks[:1]), run_folder)
  assert status(run_folder.path).counts == {'to do': 1} and not run_folder.names()
  work.work(todo, run_folder)
  assert told(status(run_folder.path)) == 'small: 0 trials: none is left to do'
  whole, _ = planned(grid, run_folder)
  manifest.write(whole, run_folder.manifests)
  assert status(run_folder.path).counts == {'to do': 2}
