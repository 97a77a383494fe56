"""After a sweep: what was not well is run again, what nobody needs goes, a record opens and runs anew."""

import json
import shutil
from pathlib import Path

import pytest
from support.cli import command, records, write_configs
from support.sweep import die_at, grid_of, planned

from ssl_bench.config import load
from ssl_bench.grid import manifest, work
from ssl_bench.grid.expand import expand
from ssl_bench.grid.prune import litter, remove, say_bytes
from ssl_bench.grid.retry import grid_of_bad
from ssl_bench.settings.signature import BadSetting
from ssl_bench.trial.run import run_trial
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.rung import run_rung
from ssl_bench.trial.show import find

GRID = """
name: small
base: configs
blocks:
  - {method: supervised, split_seed: [0, 1, 2]}
  - {method: supervised, optimizer.lr: 1.0e+30}
  - {method: supervised, net: {name: vit, patch: 3, dim: 12, depth: 1}}
"""


@pytest.fixture(scope='module')
def swept(tmp_path_factory):
  """A sweep of which two trials are done, one diverged, one failed and one killed its workers."""
  folder = tmp_path_factory.mktemp('swept')
  run_folder = RunFolder(folder / 'runs/small')
  todo, _ = planned(grid_of(folder, GRID), run_folder)
  manifest.write(todo, run_folder.manifests)
  for deaths in range(work.MOST_DEATHS):
    die_at(run_folder, todo.tasks[2], deaths)
  work.work(todo, run_folder)
  return folder


def test_what_is_not_well_is_a_grid_and_what_diverged_begins_anew(swept):
  run_folder = RunFolder(swept / 'runs/small')
  (diverged,) = (t for t in run_folder.names() if '"diverged"' in run_folder.record_of(t).read_text())
  grid = grid_of_bad(run_folder.path, ['net=vit'])
  assert grid.name == 'small' and [c.net['name'] for c in grid.configs] == ['vit']
  assert diverged in run_folder.names()  # it was not chosen
  before = {path.name for path in run_folder.checkpoints.iterdir()}
  grid = grid_of_bad(run_folder.path)
  told = sorted((c.net['name'], c.optimizer['lr'], c.split_seed) for c in grid.configs)
  assert told == [('mlp', 0.03, 2), ('mlp', 1e30, 0), ('vit', 0.03, 0)]
  assert diverged not in run_folder.names()
  assert len(before - {path.name for path in run_folder.checkpoints.iterdir()}) == 1
  assert (run_folder.replaced / f'records/{diverged}-1.json').is_file()


def test_a_folder_where_all_is_well_has_nothing_to_retry(tmp_path):
  write_configs(tmp_path / 'configs')
  (tmp_path / 'one.yaml').write_text('base: configs\nblocks: [{method: supervised}]')
  run_folder = RunFolder(tmp_path / 'runs/one')
  work.work(planned(expand(tmp_path / 'one.yaml'), run_folder)[0], run_folder)
  with pytest.raises(BadSetting, match='has no trial that failed, diverged or was lost'):
    grid_of_bad(run_folder.path)


@pytest.fixture
def few(tmp_path):
  """Two recorded trials that share a training, one left, and a checkpoint of nobody's."""
  write_configs(tmp_path / 'configs')
  (tmp_path / 'small.yaml').write_text(
    'base: configs\nblocks: [{method: simclr, labels: [20, 40], seed: [0, 1]}]'
  )
  run_folder = RunFolder(tmp_path / 'runs/small')
  todo, _ = planned(expand(tmp_path / 'small.yaml'), run_folder)
  manifest.write(todo, run_folder.manifests)
  work.work(todo._replace(tasks=todo.tasks[:1]), run_folder)
  for name in (todo.tasks[1].training, 'nobody'):
    (run_folder.checkpoints / name / '4').mkdir(parents=True)
    (run_folder.checkpoints / name / '4/state').write_bytes(b'x' * 2000)
  return run_folder, todo


def test_what_nobody_needs_goes_and_the_rest_stays(few):
  run_folder, todo = few
  done, left = (task.training for task in todo.tasks)
  found = litter(run_folder.path)
  assert [p.name for p in found.recorded] == [done] and [p.name for p in found.unknown] == ['nobody']
  assert (
    '1 checkpoints of recorded trials, ' in found.told() and '1 of no known trial, 2.0 kB' in found.told()
  )
  before = {p: p.read_bytes() for p in run_folder.records.iterdir()}
  remove(found)
  assert [p.name for p in run_folder.checkpoints.iterdir()] == [left]
  assert {p: p.read_bytes() for p in run_folder.records.iterdir()} == before
  assert not litter(run_folder.path).paths and run_folder.claims.all() == {}
  shutil.rmtree(run_folder.checkpoints / left)
  work.work(todo, run_folder)  # it goes on, and trains nothing of what is recorded
  assert len(run_folder.names()) == 4
  assert list(run_folder.manifests.glob('*.jsonl'))
  remove(litter(run_folder.path))
  assert not list(run_folder.manifests.glob('*.jsonl')) and len(run_folder.names()) == 4


def test_what_somebody_is_at_stays(few):
  run_folder, todo = few
  other = RunFolder(run_folder.path)
  assert other.claims.take('nobody') and other.claims.take(todo.tasks[0].training)
  assert not litter(run_folder.path).paths


def test_the_beginning_of_a_training_stays_as_long_as_the_training_does(few):
  """Where a training has gone on past the step of a rung, the rung has a folder of its own."""
  run_folder, todo = few
  done, left = (task.training for task in todo.tasks)
  for name in (done, left):
    (run_folder.checkpoints / f'{name}-2' / '2').mkdir(parents=True)
  found = litter(run_folder.path)
  assert {p.name for p in found.recorded} == {done, f'{done}-2'}
  assert [p.name for p in found.unknown] == ['nobody']


def test_what_a_tuning_paused_at_a_rung_stays_until_it_is_recorded(tmp_path):
  config = load(write_configs(tmp_path / 'configs') / 'supervised.yaml')
  run_folder = RunFolder(tmp_path / 'runs/tuning')
  assert run_rung(config, run_folder.at(4))['status'] == 'done'
  assert list(run_folder.checkpoints.iterdir()) and not litter(run_folder.path).paths
  assert run_trial(config, run_folder)['status'] == 'done'
  assert litter(run_folder.path).recorded == list(run_folder.checkpoints.iterdir())


def test_bytes_are_said_in_units():
  assert [say_bytes(n) for n in (0, 999, 1000, 2_345_678, 7e15)] == [
    '0 B',
    '999 B',
    '1.0 kB',
    '2.3 MB',
    '7000.0 TB',
  ]


def test_a_record_is_found_by_the_beginning_of_its_id(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  for place in (
    'runs/one/records/abcd1.json',
    'leaderboard/records/x/abcd2.json',
    'leaderboard/records/x/abcd1.json',
  ):
    Path(place).parent.mkdir(parents=True, exist_ok=True)
    Path(place).write_text('{}')
  assert find('abcd1') == Path('runs/one/records/abcd1.json')  # one's own, before that of the board
  assert find('some/where.json') == Path('some/where.json')
  with pytest.raises(BadSetting, match=r"2 records begin with 'abcd': abcd1\.json, abcd2"):
    find('abcd')
  with pytest.raises(BadSetting, match="There is no record 'abc'"):
    find('abc')


@pytest.mark.slow
def test_the_commands(few, swept):
  """retry, prune, show, and train of a record, as a user types them."""
  run_folder, _ = few
  out = command('retry', swept / 'runs/small', '--wandb=disabled', '--select=net=vit', code=1)
  assert '1 trial: 0 recorded before, 1 failed now.' in out
  assert 'give --yes to remove them' in command('prune', run_folder.path, code=2)
  assert 'Removed.' in command('prune', run_folder.path, '--yes')
  path = next(run_folder.records.glob('*[0-9a-f].json'))
  out = command('show', path)
  assert 'name: simclr' in out and f'ssl-bench train {path}' in out and 'accuracy, %' in out
  runs = run_folder.path.parent / 'anew'
  command('train', path, '--runs', runs, '--wandb=disabled')
  (again,) = records(runs).values()
  assert again == {**records(path.parent)[again['id']], 'grid': None}
  changed = command('train', path, 'steps=8', '--runs', runs, '--wandb=disabled')
  assert 'Recorded: ' in changed and len(records(runs)) == 2
  path.write_text(json.dumps({'id': path.stem}))
  assert 'is not a record of schema' in command('train', path, code=2)
