"""W&B while trials run: a server sees curves grow, a run that was lost goes on, nothing is told twice."""

import json
import os
import signal
import subprocess
import sys

import matplotlib
import pytest
from support import live
from support.cli import ROOT, command, start, write_configs
from support.wandb_server import Server

from ssl_bench.grid import follow
from ssl_bench.grid.follow import following
from ssl_bench.records import trackers
from ssl_bench.records.record import read_with_curves

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def patient(monkeypatch):
  """Whoever follows has the lowest priority, so on a busy machine it takes its time."""
  monkeypatch.setattr(follow, 'PATIENCE', 90.0)


@pytest.fixture
def server(tmp_path, monkeypatch):
  """A server, and a user who is logged in there."""
  for name in ('HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy', 'WANDB_PROJECT', 'WANDB_ENTITY'):
    monkeypatch.delenv(name, raising=False)
  monkeypatch.setenv('MPLCONFIGDIR', matplotlib.get_cachedir())
  monkeypatch.setenv('HOME', str(tmp_path / 'home'))
  monkeypatch.setenv('WANDB_API_KEY', 'a' * 40)
  server = Server()
  monkeypatch.setenv('WANDB_BASE_URL', server.address)
  yield server
  server.stop()


@pytest.fixture
def known(tmp_path):
  return live.known_of(write_configs(tmp_path / 'c') / 'fixmatch.yaml')


ONLINE = 'wandb(mode=online, project=mine)'


def test_a_server_sees_the_curve_while_it_trains_and_then_the_record(server, known, tmp_path):
  folder, name = tmp_path / 'mine', known['id']
  chosen = trackers.parse(ONLINE, tags=['night'])
  with following([chosen], folder):
    with live.journal_of(folder, known) as journal:
      live.log(journal, 2, 4, 6, look=(4,))
      live.wait_until(lambda: len(server.steps(name)) >= 2)  # the last row waits for the next step
      assert server.lines[name][0]['train/loss'] == 0.5 and name not in server.done
      assert server.lines[name][1]['evaluate/test_accuracy'] == 0.04
      begun = server.buckets[0]
      assert (begun['name'], begun['project'], begun['groupName']) == (name, 'mine', 'mine/fixmatch')
      assert 'night' in begun['tags'] and begun['displayName'] == 'fixmatch fake 20 labels, seed 0/0'
      made = live.record_of(folder, known, 2, 4, 6, 8, look=(4, 8))
    live.wait_until(lambda: name in server.done)
  assert server.steps(name) == [2, 4, 6, 8] and server.done[name] == 0
  assert server.lines[name][3]['evaluate/test_accuracy'] == 0.08  # from the record alone
  asked = len(server.buckets)
  assert chosen.mirror([made], folder, [made]) == 0 and len(server.buckets) == asked
  assert trackers.parse(ONLINE).mirror([made], folder, [made]) == 1  # without the tag it is another run


def test_after_a_kill_the_same_run_goes_on_and_gets_what_was_lost(server, known, tmp_path):
  """Whoever follows is killed, so its last rows are lost; the next one begins with what the server has."""
  folder, name = tmp_path / 'mine', known['id']
  task = json.dumps({'name': 'wandb', 'settings': {'mode': 'online'}, 'folder': str(folder), 'files': []})
  words = [sys.executable, '-m', 'ssl_bench.grid.follow', task]
  child = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, start_new_session=True)
  with pytest.raises(KeyboardInterrupt), live.journal_of(folder, known) as journal:
    live.log(journal, 2, 4)
    live.wait_until(lambda: server.steps(name) == [2])
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdin.close()
    live.log(journal, 6, 8)
    raise KeyboardInterrupt
  before = list(server.lines[name])
  chosen = trackers.parse('wandb(mode=online)')
  with following([chosen], folder), live.journal_of(folder, known) as journal:
    live.log(journal, 8, 10)  # what trained goes on from a checkpoint before the last row
    live.wait_until(lambda: len(server.steps(name)) >= 4)
    made = live.record_of(folder, known, 2, 4, 6, 8, 10)
  assert server.steps(name) == [2, 4, 6, 8, 10] and server.lines[name][: len(before)] == before
  assert {bucket['name'] for bucket in server.buckets} == {name}
  assert chosen.mirror([made], folder, [made]) == 0


def test_rows_that_came_before_are_added_by_writing_the_run_once_more(server, known, tmp_path):
  """A trial takes up a pretraining half-way, so its own journal lacks the beginning."""
  folder, name, chosen = tmp_path / 'mine', known['id'], trackers.parse('wandb(mode=online)')
  with following([chosen], folder), live.journal_of(folder, known) as journal:
    live.log(journal, 6, 8)
    live.wait_until(lambda: server.steps(name) == [6])
    made = live.record_of(folder, known, 2, 4, 6, 8)
  server.lines.clear()
  assert chosen.mirror([made], folder, [made]) == 1
  assert server.steps(name) == [2, 4, 6, 8]


def test_offline_a_run_grows_and_begins_anew_after_a_kill(known, tmp_path):
  folder, name, chosen = tmp_path / 'mine', known['id'], trackers.parse('wandb')
  runs = lambda: list((folder / 'wandb').glob(f'offline-run-*-{name}/run-{name}.wandb'))
  with following([chosen], folder):
    with pytest.raises(KeyboardInterrupt), live.journal_of(folder, known) as journal:
      live.log(journal, 2, 4)
      live.wait_until(runs)
      raise KeyboardInterrupt
    with live.journal_of(folder, known) as journal:
      live.log(journal, 6)
      live.wait_until(lambda: not list(folder.glob('wandb/mirrored/*')) and runs())
      made = live.record_of(folder, known, 2, 4, 6)
    live.wait_until(lambda: list(folder.glob('wandb/mirrored/*')))
  (path,) = runs()
  words = [sys.executable, '-m', 'wandb', 'leet', 'inspect', '--json', str(path.parent)]
  out = subprocess.run(words, capture_output=True, text=True, check=True).stdout
  found = [json.loads(line) for line in out.splitlines()]
  assert [e['history']['item']['_step'] for e in found if e['type'] == 'history'] == [2, 4, 6]
  assert chosen.mirror([made], folder, [made]) == 0


def test_two_commands_in_one_folder_leave_the_runs_of_each_other_alone(known, tmp_path):
  folder, name, chosen = tmp_path / 'mine', known['id'], trackers.parse('wandb')
  other = live.known_of(tmp_path / 'c/fixmatch.yaml', 'seed=1')
  runs = lambda known: list((folder / 'wandb').glob(f'offline-run-*-{known["id"]}/*.wandb'))
  with following([chosen], folder), live.journal_of(folder, known) as journal:
    live.log(journal, 2)
    before = live.wait_until(lambda: runs(known))
    with following([chosen], folder), live.journal_of(folder, other) as second:
      live.log(second, 2)
      live.wait_until(lambda: runs(other))
      made = live.record_of(folder, known, 2)
      assert chosen.mirror([made], folder, [made]) == 0  # whoever follows it will end it
    assert runs(known) == before
  assert runs(known) == before and (folder / f'wandb/mirrored/{name}.offline').is_file()


def test_a_run_whose_rows_are_not_those_of_the_record_is_written_once_more(server, known, tmp_path):
  folder, name, chosen = tmp_path / 'mine', known['id'], trackers.parse('wandb(mode=online)')
  with following([chosen], folder), live.journal_of(folder, known) as journal:
    journal.telling(lambda *_: None)(2, {**live.rows(2)[0], 'loss': 7.0})  # of a training before
    live.log(journal, 4, 6)
    live.wait_until(lambda: server.steps(name))
    made = live.record_of(folder, known, 2, 4, 6)
  server.lines.clear()
  assert chosen.mirror([made], folder, [made]) == 1
  assert server.lines[name][0]['train/loss'] == 0.5


def test_a_failed_trial_is_a_failed_run(server, known, tmp_path):
  folder, name = tmp_path / 'mine', known['id']
  with following([trackers.parse(ONLINE)], folder):
    with live.journal_of(folder, known) as journal:
      live.log(journal, 2)
      live.wait_until(lambda: server.buckets)
      live.record_of(folder, known, 2, status='diverged', error='The loss was not finite.', metrics={})
    live.wait_until(lambda: name in server.done)
  assert server.done[name] == 1 and 'diverged' in server.buckets[-1]['tags']


def test_without_a_server_the_trial_goes_on_and_mirroring_says_why_once(known, tmp_path, monkeypatch, capsys):
  monkeypatch.setenv('WANDB_API_KEY', 'a' * 40)
  monkeypatch.setenv('WANDB_BASE_URL', 'http://127.0.0.1:9')
  folder, chosen = tmp_path / 'mine', trackers.parse('wandb(mode=online)')
  with following([chosen], folder), live.journal_of(folder, known) as journal:
    live.log(journal, 2)
    made = live.record_of(folder, known, 2)
  trackers.mirror_and_say([chosen], [made], [made], folder)
  errors = capsys.readouterr().err
  assert errors.startswith('ssl-bench: W&B mirrored 0 of 1 new records') and errors.count('\n') == 1


def test_checkpoint_and_board_are_artifacts_when_asked_for(server, known, tmp_path):
  folder, name = tmp_path / 'mine', known['id']
  for step in (4, 12):
    place = folder / 'checkpoints' / known['training'] / str(step)
    place.mkdir(parents=True)
    (place / 'weights').write_text(f'step {step}')
  (folder / 'leaderboard').mkdir()
  (folder / 'leaderboard/README.md').write_text('a board')
  made = live.record_of(folder, known, 2)
  assert trackers.parse('wandb(mode=online)').mirror([made], folder, [made]) == 1
  assert not [one for one in server.artifacts.values() if one['type'] != 'run_table']
  chosen = trackers.parse('wandb(mode=online)', artifacts=['checkpoint', 'board'])
  assert chosen.mirror([made], folder, [made]) == 1
  checkpoint = server.artifacts[f'checkpoint-{name}']
  assert checkpoint == {'type': 'model', 'run': name, 'committed': True}
  (board,) = [one for one in server.artifacts.values() if one['type'] == 'leaderboard']
  assert board['committed'] and board['run'].startswith('board-')
  uploaded = {path: body for path, body in server.files.items() if path.startswith('/artifact/')}
  assert sorted(uploaded.values()) == [b'a board', b'step 12']
  asked = len(server.buckets)
  assert chosen.mirror([made], folder, [made]) == 0 and len(server.buckets) == asked


def test_after_a_kill_in_training_the_same_command_goes_on_with_the_same_run(server, tmp_path):
  often = 'evaluate: {every: 2000, last: 2, bootstrap: 100}\ncheckpoint: {every: 2000}'
  steps = f'steps: 40000\nlog_every: 200\n{often}'
  path = write_configs(tmp_path / 'c', steps) / 'supervised.yaml'
  words = ('train', path, '--runs', tmp_path / 'runs', '--wandb=online', '--tags=night')
  first = start(*words)
  try:
    live.wait_until(lambda: any(len(lines) > 3 for lines in server.lines.values()), seconds=240)
  finally:
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
  (name,) = server.lines
  before = list(server.lines[name])
  assert 0 < len(before) < 200 and not list(tmp_path.glob('runs/train/records/*'))
  command(*words)
  record = read_with_curves(tmp_path / f'runs/train/records/{name}.json')
  assert list(server.lines) == [name] and server.lines[name][: len(before)] == before
  losses = {line['_step']: line['train/loss'] for line in server.lines[name] if 'train/loss' in line}
  assert losses == {row['step']: row['loss'] for row in record['curve']}
  looks = {line['_step'] for line in server.lines[name] if 'evaluate/test_accuracy' in line}
  assert looks == {row['step'] for row in record['evaluations']}
  steps = server.steps(name)
  whole = sorted(set(steps))
  assert server.done[name] == 0
  # Where the end of the run did not reach the server in time, it is written once more from the record.
  assert steps == whole or steps[-len(whole) :] == whole
