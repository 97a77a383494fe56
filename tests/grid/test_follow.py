"""Whoever follows trials is told what their journals say, once; and can do no harm to them."""

import json
import os
import textwrap
import time

import pytest
from support import live
from support.cli import command, write_configs
from support.sweep import grid_of, planned

from ssl_bench import plugins
from ssl_bench.grid import follow, manifest
from ssl_bench.grid.follow import Folder, following
from ssl_bench.plugins import files
from ssl_bench.records import trackers
from ssl_bench.trial.journal import Reader
from ssl_bench.trial.run_folder import RunFolder


class Told:
  """A follower that keeps what it is told."""

  def __init__(self):
    self.heard = []

  def start(self, run):
    self.heard.append(('start', run.id))
    self.run = run

  def log(self, run, row):
    self.heard.append((row.part, row.step, dict(row.values)))

  def end(self, run, record):
    self.heard.append(('end', record and record['status']))
    self.record = record

  def count(self, trials):
    self.counted = trials

  def close(self):
    self.heard.append('close')


@pytest.fixture
def known(tmp_path):
  return live.known_of(write_configs(tmp_path / 'c') / 'fixmatch.yaml')


def steps(told):
  return [one[1] for one in told.heard if one[0] in ('curve', 'evaluations')]


def test_a_trial_is_told_from_its_beginning_to_its_record(known, tmp_path):
  told = Told()
  folder = Folder(tmp_path, lambda: told)
  folder.look()
  assert not told.heard
  with live.journal_of(tmp_path, known) as journal:
    live.log(journal, 2, 4, look=(4,))
    folder.look()
    folder.look()
    looks = ('evaluations', 4, {'test_accuracy': 0.04})
    assert told.heard[0] == ('start', known['id']) and told.heard[3:] == [looks]
    assert told.heard[1][2]['loss'] == 0.5 and steps(told) == [2, 4, 4]
    assert told.run.label == 'fixmatch, 20 labels, seeds 0/0' and told.counted == {'running': 1}
    made = live.record_of(tmp_path, known, 2, 4, 6, look=(4,))
  folder.look()
  assert told.heard[4:] == [('end', 'done')] and told.record == made and told.counted == {'done': 1}
  folder.close()
  assert told.heard[-1] == 'close' and not list((tmp_path / 'live').iterdir())


def test_a_trial_that_goes_on_is_told_whole_and_no_row_twice(known, tmp_path):
  told = Told()
  folder = Folder(tmp_path, lambda: told)
  with pytest.raises(KeyboardInterrupt), live.journal_of(tmp_path, known) as journal:
    live.log(journal, 2, 4, 6)
    folder.look()
    raise KeyboardInterrupt
  folder.look()
  assert told.heard[-1] == ('end', None) and told.counted == {}
  with live.journal_of(tmp_path, known) as journal:
    live.log(journal, 4, 6, 8)  # from a checkpoint of step 2
    folder.look()
    assert told.heard[5] == ('start', known['id']) and steps(told)[3:] == [2, 4, 6, 8]


def test_a_journal_of_a_process_that_is_dead_counts_as_left(known, tmp_path, monkeypatch):
  told = Told()
  folder = Folder(tmp_path, lambda: told)
  journal = live.journal_of(tmp_path, known).__enter__()
  live.log(journal, 2)
  folder.look()
  monkeypatch.setattr(follow, 'is_dead', lambda owner: True)
  folder.look()
  assert told.heard[-1] == ('end', None) and told.counted == {}
  late = Told()
  Folder(tmp_path, lambda: late).look()
  assert not late.heard
  os.close(journal._file)


def test_what_is_put_aside_leaves_no_journal_to_the_training_that_takes_its_place(known, tmp_path):
  with pytest.raises(KeyboardInterrupt), live.journal_of(tmp_path, known):
    raise KeyboardInterrupt
  (path,) = (tmp_path / 'live').iterdir()
  RunFolder(tmp_path).put_aside('another', [])
  assert path.is_file()
  RunFolder(tmp_path).put_aside(known['id'], [])
  assert not path.exists()


def test_a_torn_line_is_left_out_and_the_next_process_writes_after_it(known, tmp_path):
  path = tmp_path / 'live' / f'{known["id"]}.jsonl'
  with pytest.raises(KeyboardInterrupt), live.journal_of(tmp_path, known) as journal:
    live.log(journal, 2)
    raise KeyboardInterrupt
  path.write_text(path.read_text() + '{"step": 4, "val')
  with live.journal_of(tmp_path, known) as journal:
    live.log(journal, 6)
    assert [event.get('step') for event in Reader(path).read()] == [None, 2, None, None, 6]


def test_a_disk_that_takes_no_journal_stops_no_trial(known, tmp_path):
  (tmp_path / 'live').write_text('a file')
  passed = []
  with live.journal_of(tmp_path, known) as journal:
    journal.telling(lambda *told: passed.append(told))(2, {'step': 2, 'loss': 1.0})
  assert passed == [(2, {'step': 2, 'loss': 1.0})]


def test_signs_of_life_of_a_teacher_have_no_numbers(known, tmp_path):
  told = Told()
  with live.journal_of(tmp_path, known) as journal:
    for _ in range(2):
      journal.telling(lambda *_: None)(0, {'step': 10, 'loss': 1.0})
    Folder(tmp_path, lambda: told).look()
  assert told.heard[1:] == [('curve', 0, {})] * 2


def test_states_are_those_of_the_newest_manifest_and_names_those_of_all(tmp_path):
  run_folder = RunFolder(tmp_path / 'runs')
  grid = grid_of(tmp_path, 'base: configs\nblocks: [{method: supervised, optimizer.lr: [0.1, 0.2, 0.3]}]')
  todo, _ = planned(grid, run_folder)
  names = {'supervised': ['optimizer.lr']}
  manifest.write(todo._replace(names=names), run_folder.manifests)
  path = tmp_path / 'configs/supervised.yaml'
  first, second = (live.known_of(path, f'optimizer.lr={lr}') for lr in (0.1, 0.2))
  live.record_of(run_folder.path, first, 2, status='failed', error='no', metrics={})
  told = Told()
  folder = Folder(run_folder.path, lambda: told)
  with live.journal_of(run_folder.path, second):
    folder.look()
    assert told.counted == {'failed': 1, 'running': 1, 'to do': 1}
    assert told.run.label == 'supervised, 20 labels, seeds 0/0, optimizer.lr 0.2'
    assert told.run.variant == {'optimizer.lr': '0.2'}


def test_a_record_that_cannot_be_read_hides_no_other(known, tmp_path):
  told = Told()
  others = [live.known_of(tmp_path / 'c/fixmatch.yaml', f'seed={seed}') for seed in (1, 2)]
  for other in others:
    live.record_of(tmp_path, other, 2)
  for name in '0', 'z':  # whichever the folder lists first
    (tmp_path / f'records/{name}.json').write_text('{')
    (tmp_path / f'records/{name}{name}.json').write_text('[]')
  with live.journal_of(tmp_path, known):
    Folder(tmp_path, lambda: told).look()
  assert told.counted == {'running': 1, 'done': 2}


PLUGIN = """
  import time
  from pathlib import Path
  from typing import NamedTuple

  class Notes(NamedTuple):
    path: str
    how: str

    def check(self): pass

    def mirror(self, records, folder, among): return 0

    def follow(self, folder): return Live(self.path, self.how)

  class Live:
    def __init__(self, path, how): self.path, self.how = Path(path), how

    def note(self, text):
      with self.path.open('a') as file:
        print(text, file=file)

    def start(self, run):
      self.note(f'start {run.label}')
      if self.how == 'hang': time.sleep(600)
      if self.how == 'fail': raise OSError('no server')

    def log(self, run, row): self.note(f'{row.part} {row.step}')

    def end(self, run, record): self.note(f'end {record["status"] if record else None}')

    def count(self, trials): pass

    def close(self): self.note('close')

  def notes(*, path: str, how: str = ''): return Notes(path, how)

  PLUGINS = {'trackers': [notes]}
"""


@pytest.fixture
def noting(tmp_path):
  """A tracker of a plugin file that follows."""
  (tmp_path / 'noting.py').write_text(textwrap.dedent(PLUGIN))
  plugins.load([str(tmp_path / 'noting.py')])
  yield lambda how='': trackers.parse(f'notes(path={tmp_path / "notes.txt"}, how={how or "well"})')
  files.forget()


@pytest.mark.slow
def test_a_tracker_of_a_plugin_file_follows_in_a_process_of_its_own(noting, known, tmp_path, monkeypatch):
  """What else this process has loaded may be gone by then."""
  monkeypatch.setattr(follow, 'PATIENCE', 60.0)
  (tmp_path / 'other.py').write_text('def dim(): ...\n\nPLUGINS = {}\n')
  plugins.load([str(tmp_path / 'other.py')])
  (tmp_path / 'other.py').unlink()
  notes = tmp_path / 'notes.txt'
  with following([noting()], tmp_path / 'mine'), live.journal_of(tmp_path / 'mine', known) as journal:
    live.log(journal, 2)
    live.wait_until(lambda: notes.is_file() and 'curve 2' in notes.read_text())
    live.record_of(tmp_path / 'mine', known, 2)
  label = 'fixmatch, 20 labels, seeds 0/0'
  assert notes.read_text().splitlines() == [f'start {label}', 'curve 2', 'end done', 'close']


@pytest.mark.slow
@pytest.mark.parametrize('how', ['fail', 'hang'])
def test_a_tracker_that_fails_or_hangs_delays_nobody(how, noting, known, tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(follow, 'PATIENCE', 2.0)
  with following([noting(how)], tmp_path / 'mine'), live.journal_of(tmp_path / 'mine', known) as journal:
    live.wait_until((tmp_path / 'notes.txt').is_file)
    began = time.monotonic()
    live.log(journal, *range(1, 201))
    assert time.monotonic() - began < 1
    if how == 'fail':
      time.sleep(1)
    began = time.monotonic()
  assert time.monotonic() - began < 10
  errors = capsys.readouterr().err
  said = 'ssl-bench: notes did not follow the trials to their end (OSError: no server).\n'
  assert errors == (said if how == 'fail' else '')


@pytest.mark.slow
def test_a_grid_that_a_tracker_fails_ends_well_and_its_journals_go(tmp_path):
  (tmp_path / 'noting.py').write_text(textwrap.dedent(PLUGIN))
  write_configs(tmp_path / 'configs', f'plugins: [{tmp_path / "noting.py"}]')
  (tmp_path / 'mine.yaml').write_text('base: configs\nblocks: [{method: supervised}]')
  words = ('grid', tmp_path / 'mine.yaml', '--runs', tmp_path / 'runs', '--wandb=disabled', '--workers=1')
  out = command(*words, '--track', f'notes(path={tmp_path / "notes.txt"}, how=fail)')
  assert 'Traceback' not in out and '1 done now' in out
  assert not list((tmp_path / 'runs/mine/live').iterdir())


@pytest.mark.slow
def test_sync_mirrors_what_is_recorded_and_the_same_command_does(known, tmp_path):
  folder = tmp_path / 'runs/mine'
  live.record_of(folder, known, 2)
  marks = lambda: [path.name for path in (folder / 'wandb/mirrored').glob('*')]
  command('sync', folder, '--wandb=disabled')
  assert not (folder / 'wandb').exists()
  assert command('sync', folder) == '' and marks() == [f'{known["id"]}.offline']
  out = command('sync', tmp_path / 'nothing', code=2)
  assert "There is no run folder '" in out and json.dumps(marks())


def test_settings_of_the_command_line_are_for_those_that_have_them(monkeypatch):
  monkeypatch.delenv('WANDB_PROJECT', raising=False)
  usual = {'project': 'mine', 'tags': ['a', 'b'], 'artifacts': []}
  online, mlflow = trackers.choose('online', ['mlflow(project=other)'], **usual)
  assert online.tracker.place[:3] == ('online', 'mine', ('a', 'b'))
  assert (mlflow.tracker.project, mlflow.tracker.tags) == ('other', ('a', 'b'))
  (port,) = trackers.choose('disabled', ['prometheus(port=9999)'], **usual)
  assert port.settings == {'port': 9999, 'host': '0.0.0.0'}
