"""Workers of one manifest share its tasks: each is trained once, by one of them, and none is forgotten."""

import signal
import threading
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.cli import command, records, start, write_configs
from support.sweep import crashing_grid, die_at, grid_of, planned, write_claim

from ssl_bench.config import load
from ssl_bench.grid import manifest
from ssl_bench.grid import work as working
from ssl_bench.grid.engines.local import Local
from ssl_bench.grid.expand import expand
from ssl_bench.grid.run import run_grid
from ssl_bench.grid.status import status
from ssl_bench.grid.work import by_choice, look, work
from ssl_bench.grid.work_command import run_worker
from ssl_bench.planning import identity
from ssl_bench.settings.signature import BadSetting
from ssl_bench.stop import Stop
from ssl_bench.training.loop import Interrupted
from ssl_bench.trial.claim_files import Disk
from ssl_bench.trial.claims import ENDED, REFUSED, Claims
from ssl_bench.trial.run_folder import RunFolder

GRID = """
name: small
base: configs
blocks: [{method: [supervised, simclr], labels: [20, 40], split_seed: [0, 1]}]
"""


@pytest.fixture
def grid(tmp_path):
  return grid_of(tmp_path, GRID)


@pytest.fixture
def run_folder(tmp_path):
  return RunFolder(tmp_path / 'runs')


@pytest.fixture
def todo(grid, run_folder):
  return planned(grid, run_folder)[0]


def test_a_manifest_is_read_as_it_was_written(todo, tmp_path):
  path = manifest.write(todo, tmp_path / 'manifests')
  assert manifest.read(path) == todo and manifest.write(todo, tmp_path / 'manifests') == path
  lines = path.read_text().splitlines()
  path.write_text('\n'.join(lines[:-1]))
  with pytest.raises(BadSetting, match='is no whole manifest of this version; run `ssl-bench grid` again'):
    manifest.read(path)
  with pytest.raises(BadSetting, match=r'There is no manifest .* \(No such file'):
    manifest.read(tmp_path / 'none.jsonl')


def test_jobs_have_equal_parts_and_together_all(todo):
  for of in (1, 3, len(todo.tasks), 20):
    parts = [todo.part(index, of).tasks for index in range(of)]
    assert [task for part in parts for task in part] == list(todo.tasks)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
  with pytest.raises(BadSetting, match='--index is 0 to 2 here, not 3'):
    todo.part(3, 3)


def test_a_worker_takes_what_it_has_compiled_then_what_nobody_else_has(todo):
  first, *_, last = todo.tasks
  assert first.program != last.program
  assert by_choice(todo.tasks, set(), last.program)[0].program == last.program
  assert by_choice(todo.tasks, {first.program}, None)[0].program == last.program
  assert by_choice(todo.tasks, {first.program, last.program}, None) == list(todo.tasks)
  assert by_choice(todo.tasks, {first.program}, first.program) == list(todo.tasks)


def test_two_workers_train_each_task_once(todo, run_folder, grid):
  """Two threads with claims of their own, as two hosts have them."""
  told: list[list] = [[], []]

  def run(number):
    tell = lambda *words: told[number].append(words)
    work(todo, RunFolder(run_folder.path), tell=tell, shared=True)

  threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  ended = [words[1]['id'] for words in (*told[0], *told[1]) if words[0] == 'end']
  assert sorted(ended) == sorted(trial.id for trial in todo.trials)
  assert {r['status'] for r in records(run_folder.records).values()} == {'done'}
  assert set(run_folder.claims.all().values()) == {0}  # each training was claimed once
  assert {run_folder.claims.newest(task.training).end for task in todo.tasks} == {ENDED}
  work(todo, run_folder, tell=lambda *words: pytest.fail('there was nothing to do'))
  summary = run_grid(grid, run_folder, Local(1))
  assert summary.before == {'done': 8} and not summary.ended and not summary.elsewhere


def test_a_record_that_is_seen_late_is_not_made_again(todo, run_folder):
  """The claim tells of it: its file is opened anew, where a folder's listing may be a minute old."""
  task = todo.tasks[0]
  write_claim(run_folder, task, 0, ENDED, recorded=[trial.id for trial in task.trials])
  assert look([task], run_folder).over == {task.training: 'recorded'}
  assert not look([task._replace(claim=0)], run_folder).over  # of before: its records were put aside since


def test_a_task_that_kills_its_workers_is_given_up_and_tried_again_when_asked(grid, todo, run_folder):
  task = todo.tasks[0]
  for deaths in range(working.MOST_DEATHS):
    assert task.training not in look(todo.tasks, run_folder).over
    die_at(run_folder, task, deaths)
  assert look(todo.tasks, run_folder).over == {task.training: 'lost'}
  again, _ = planned(grid, run_folder)
  assert not look(again.tasks, run_folder).over


def test_what_cannot_be_used_is_told_once_and_left(todo, run_folder):
  """A checkpoint of other code: nothing is recorded, no worker tries it again, and the rest goes on."""
  task, *others = (task for task in todo.tasks if len(task.trials) == 1)
  few = todo._replace(tasks=(task, others[0]))
  run_folder.checkpoints.joinpath(task.training).mkdir(parents=True)
  run_folder.code.mkdir()
  run_folder.code.joinpath(task.training).write_text('e' * 64)
  told = []
  for _ in range(2):
    work(few, RunFolder(run_folder.path), tell=lambda *words: told.append(words))
  ended = [words[1] for words in told if words[0] == 'end']
  assert Counter(one['status'] for one in ended) == {'failed': 1, 'done': 1}
  assert 'was trained by other code of the method; run it with --again' in ended[0]['error']
  assert run_folder.claims.newest(task.training).end == REFUSED and len(run_folder.names()) == 1


def test_a_worker_that_is_stopped_leaves_its_task_to_the_next(todo, run_folder):
  few, calls = todo._replace(tasks=todo.tasks[:1]), iter(range(1000))
  with pytest.raises(Interrupted):
    work(few, RunFolder(run_folder.path), should_stop=lambda: next(calls) > 4)
  assert not run_folder.names()
  left = run_folder.claims.newest(few.tasks[0].training)
  assert left.number == 0 and left.end == 'left' and left.note['steps'] == few.tasks[0].steps
  work(few, RunFolder(run_folder.path))
  assert len(run_folder.names()) == len(few.tasks[0].trials)


def test_a_free_task_is_taken_within_two_seconds(todo, run_folder, monkeypatch):
  taken = []
  monkeypatch.setattr(working._Worker, 'run', lambda *given: taken.append(time.monotonic()) or 1 / 0)
  few = todo._replace(tasks=todo.tasks[:1])
  other = RunFolder(run_folder.path).claims
  assert other.take(few.tasks[0].training)

  def wait():
    with pytest.raises(ZeroDivisionError):
      work(few, run_folder)

  thread = threading.Thread(target=wait)
  thread.start()
  time.sleep(2.5)
  assert not taken
  released = time.monotonic()
  other.give(few.tasks[0].training)
  thread.join()
  assert taken[0] - released < 2


class Blind(Disk):
  """Sees no record and no claim that another client made."""

  def names(self, folder):
    return []


def test_a_client_that_sees_nothing_takes_nothing(todo, run_folder):
  task = todo.tasks[0]
  assert run_folder.claims.take(task.training)
  assert not Claims(run_folder.path / 'claims', disk=Blind()).take(task.training)


def test_a_worker_that_cannot_do_the_work_says_so_and_leaves_it_to_others(todo, run_folder, monkeypatch):
  """Its data or its code are others; nothing is refused for all, and nothing is recorded under another id."""
  few = todo._replace(tasks=todo.tasks[:1])
  with monkeypatch.context() as patch:
    patch.setattr(identity, 'identify', lambda config, fingerprint: 'another')
    with pytest.raises(BadSetting, match='the data or the versions here are not those of the manifest'):
      work(few, RunFolder(run_folder.path))
  assert not run_folder.names() and run_folder.claims.newest(few.tasks[0].training).end == 'left'
  assert work(few, RunFolder(run_folder.path)) == {few.tasks[0].training: 'recorded'}


def test_a_worker_that_was_given_gpus_does_not_train_on_the_cpu_in_their_place(run_folder, monkeypatch):
  monkeypatch.delenv('JAX_PLATFORMS', raising=False)
  with pytest.raises(BadSetting, match='This worker was given 2 GPUs, and JAX sees none; install'):
    run_worker(run_folder.path, Path('none.jsonl'), Stop(), index=None, of=0, shared=False, gpus=2)
  monkeypatch.setenv('JAX_PLATFORMS', 'cpu')  # asked for
  with pytest.raises(BadSetting, match=r'none\.jsonl'):
    run_worker(run_folder.path, Path('none.jsonl'), Stop(), index=None, of=0, shared=False, gpus=2)


def test_a_worker_tells_what_nobody_takes_up(todo, run_folder):
  task = todo.tasks[0]
  for deaths in range(working.MOST_DEATHS):
    die_at(run_folder, task, deaths)
  assert work(todo._replace(tasks=(task,)), run_folder) == {task.training: 'lost'}


def test_a_client_with_an_old_listing_turns_to_what_is_free(todo, run_folder, monkeypatch):
  """It sees no claim at all, reaches for each task once, and rests."""
  other = RunFolder(run_folder.path).claims
  *held, free = todo.tasks
  for task in held:
    assert other.take(task.training)
  ran, rests = [], []
  blind = RunFolder(run_folder.path)
  blind.claims = Claims(run_folder.path / 'claims', disk=Blind())

  def run(worker, task):
    ran.append(task)
    blind.claims.give(task.training)

  monkeypatch.setattr(working._Worker, 'run', run)
  monkeypatch.setattr(working, 'time', SimpleNamespace(sleep=rests.append))
  with pytest.raises(Interrupted):
    work(todo, blind, should_stop=lambda: len(rests) > 2)
  assert ran == [free] and len(rests) == 3


@pytest.mark.slow
def test_a_second_grid_on_the_folder_joins_in(tmp_path, grid):
  """Both end well, each trial is recorded once, and together they did what one does."""
  runs = tmp_path / 'runs'
  words = ('grid', tmp_path / 'small.yaml', '--runs', runs, '--workers=1', '--wandb=disabled', '--no-timing')
  processes = [start(*words) for _ in range(2)]
  outs = [process.communicate(timeout=300)[0] for process in processes]
  assert [process.returncode for process in processes] == [0, 0], outs
  told = sorted(line for out in outs for line in out.splitlines() if line.startswith('['))
  assert len(told) == 8 and all('8 trials: ' in out for out in outs)
  assert set(RunFolder(runs / 'small').claims.all().values()) == {0}
  assert len(records(runs / 'small/records')) == 8


@pytest.mark.slow
def test_the_command_works_at_a_manifest(tmp_path, todo, run_folder):
  path = manifest.write(todo, run_folder.manifests)
  words = ('work', run_folder.path, '--manifest', path)
  out = command(*words, '--index=0', '--of=3')
  assert len(run_folder.names()) == len(todo.part(0, 3).trials)
  assert out.count(': accuracy 0.') == len(run_folder.names())
  assert command(*words, code=2) == command(*words, '--pull', '--index=0', code=2)
  command(*words, '--pull')
  assert len(run_folder.names()) == 8
  assert command(*words, '--pull') == ''
  path.write_text(path.read_text().replace(todo.trials[0].id, 'f' * 16))
  assert 'are not those of the manifest; run `ssl-bench grid` here.' in command(*words, '--pull', code=2)


@pytest.mark.slow
@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGUSR2])
def test_the_command_saves_and_asks_to_be_run_again(tmp_path, number):
  write_configs(tmp_path / 'configs', 'steps: 500000\ncheckpoint: {every: 500000}')
  config = load(tmp_path / 'configs/supervised.yaml')
  folder = RunFolder(tmp_path / 'runs/one')
  (tmp_path / 'one.yaml').write_text('base: configs\nblocks: [{method: supervised}]')
  todo, _ = planned(expand(tmp_path / 'one.yaml'), folder)
  worker = start('work', folder.path, '--manifest', manifest.write(todo, folder.manifests), '--pull')
  while not any(folder.checkpoints.glob('*')):
    time.sleep(0.05)
  time.sleep(1)
  worker.send_signal(number)
  out, errors = worker.communicate(timeout=60)
  assert worker.returncode == 75, out + errors
  assert 'what was trained is saved' in out and not errors
  (step,) = (int(path.name) for path in folder.checkpoints.glob('*/*'))
  assert 0 < step < config.steps and folder.claims.newest(todo.tasks[0].training).end == 'left'


@pytest.mark.slow
def test_a_grid_whose_workers_crash_says_why_and_ends(tmp_path):
  text = 'name: small\nbase: configs\nblocks:\n  - {method: supervised, seed: [0, 1]}\n'
  write_configs(tmp_path / 'configs')
  (tmp_path / 'small.yaml').write_text(crashing_grid(tmp_path, 1000) + text)
  words = ('grid', tmp_path / 'small.yaml', '--runs', tmp_path / 'runs', '--workers=1', '--wandb=disabled')
  out = command(*words, code=1)
  assert out.count('ended with code 1 (ValueError: its fault, as far as anybody knows); another one') == 3
  assert '2 trials: 0 recorded before, 1 done, 1 lost now.' in out


@pytest.mark.slow
def test_a_worker_that_crashes_has_an_exit_code_of_its_own_and_its_task_is_left_after_three(tmp_path):
  """The claims and the status say why; the others are recorded, and what failed is no crash."""
  text = (
    crashing_grid(tmp_path, 3)
    + 'name: small\nbase: configs\nblocks:\n  - {method: supervised, seed: [0, 1]}\n'
  )
  bad = '  - {method: supervised, net: {name: vit, patch: 3, dim: 12, depth: 1}}\n'  # patches that do not fit
  run_folder = RunFolder(tmp_path / 'runs/small')
  todo, _ = planned(grid_of(tmp_path, text + bad), run_folder)
  words = ('work', run_folder.path, '--manifest', manifest.write(todo, run_folder.manifests), '--pull')
  for _ in range(working.MOST_DEATHS):
    *trace, last = command(*words, code=70).splitlines()
    assert any(line.startswith('Traceback') for line in trace)
    assert last == 'ssl-bench: Crashed: ValueError: its fault, as far as anybody knows.'
  out = command(*words, code=1)
  assert 'failed: ' in out and 'lost: supervised' in out and 'Traceback' not in out
  assert len(run_folder.names()) == 2
  found = status(run_folder.path)
  assert found.counts == {'done': 1, 'failed': 1, 'lost': 1}
  why = 'its workers died; the last one crashed: ValueError: its fault, as far as anybody knows'
  assert why in [told for _, told in found.bad]
