"""Tuning from beginning to end: rungs are beginnings of trainings, and nothing is lost whatever happens."""

import importlib.util
import json
import os
import random
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from support.cli import ROOT, command, records, start, without_clock, write_configs

from ssl_bench.config import load, to_dict
from ssl_bench.grid.prune import litter, remove
from ssl_bench.leaderboard.build import publish
from ssl_bench.records import record, rung
from ssl_bench.records.submit import submit
from ssl_bench.settings.signature import BadSetting
from ssl_bench.trial.run import run_trial
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.rung import run_rung
from ssl_bench.tune.file import read
from ssl_bench.tune.result import write_results
from ssl_bench.tune.scores import Scores, until_of
from ssl_bench.tune.search import play

# Three candidates to step 4, one of them on to 12: 3 × 4 + 8 steps.  With a rate of 1e30 it diverges.
FILE = """
name: small
base: configs
over: {split_seed: 100}
budget: 20
studies: 2
rungs: 2
methods:
  supervised: {optimizer.lr: [0.03, 0.1, 1.0e+30]}
  fixmatch: {optimizer.lr: {low: 0.01, high: 0.3, log: true}, method.threshold: {low: 0.1, high: 0.5}}
"""
WORDS = '--workers=2', '--runs=runs'


@pytest.fixture
def here(tmp_path, monkeypatch):
  write_configs(tmp_path / 'configs')
  (tmp_path / 'small.yaml').write_text(FILE)
  monkeypatch.chdir(tmp_path)
  return tmp_path


def found(folder: Path) -> dict[str, bytes]:
  """What a tuning writes at its end, byte for byte."""
  paths = [path for name in ('studies', 'configs') for path in (folder / name).iterdir()]
  return {path.name: path.read_bytes() for path in paths}


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  """The run folder of a tuning that nothing disturbed, and what the command said."""
  folder, before = tmp_path_factory.mktemp('whole'), Path.cwd()
  write_configs(folder / 'configs')
  (folder / 'small.yaml').write_text(FILE)
  os.chdir(folder)
  try:
    said = command('tune', 'small.yaml', *WORDS)
  finally:
    os.chdir(before)
  return folder / 'runs/small', said


def config_of(folder, *words):
  return load(folder / 'configs/fixmatch.yaml', ['split_seed=100', *words])


@pytest.mark.slow
def test_studies_within_their_budget_with_their_trials(whole):
  folder, said = whole
  assert '12 trials' not in said and 'validation accuracy of the winner' in said
  for method in ('supervised', 'fixmatch'):
    tree = json.loads((folder / f'studies/{method}.json').read_text())
    assert len(tree['studies']) == 2 and tree['rungs'] == [4, 12] and tree['budget'] == 20
    winners = []
    for study in tree['studies']:
      assert study['steps'] == 20 == 4 * len(study['candidates']) + 8
      ended = [one for one in study['candidates'] if '12' in one['accuracy_on_validation']]
      rungs = [one['accuracy_on_validation']['4'] for one in study['candidates']]
      assert len(ended) == 1 and ended[0] == study['candidates'][study['winner']]
      assert ended[0]['accuracy_on_validation']['4'] == max(one for one in rungs if one is not None)
      (trial,) = ended[0]['trials']
      kept = json.loads((folder / f'records/{trial}.json').read_text())
      assert kept['metrics']['accuracy_on_validation'] == study['accuracy_on_validation']
      winners.append(study['accuracy_on_validation'])
    assert tree['accuracy_on_validation'] == sum(winners) / 2
    assert tree['studies'][tree['reported']]['accuracy_on_validation'] == min(winners)
  diverged = [path for path in (folder / 'rungs/4').iterdir() if rung.read(path)['status'] == 'diverged']
  assert len(diverged) == 1  # both studies see all of a space of three


@pytest.mark.slow
def test_the_winning_config_is_that_of_the_trial_and_says_how_it_was_found(whole, monkeypatch):
  folder, _ = whole
  monkeypatch.chdir(folder.parents[1])
  for method in ('supervised', 'fixmatch'):
    tree = json.loads((folder / f'studies/{method}.json').read_text())
    study = tree['studies'][tree['reported']]
    (trial,) = study['candidates'][study['winner']]['trials']
    path = folder / f'configs/{method}.yaml'
    kept = json.loads((folder / f'records/{trial}.json').read_text())['config']
    assert to_dict(load(path, ['split_seed=100'])) == kept
    header = path.read_text()
    assert f'candidate {study["winner"]} of 3 of study {tree["reported"]}' in header
    assert 'Budget of a study: 20 training steps, of which it used 20' in header
    accuracies = [one['accuracy_on_validation'] for one in tree['studies']]
    assert f'Validation accuracy: {100 * min(accuracies):.2f} %' in header
    assert f"Median of the studies' winners: {50 * sum(accuracies):.2f} %" in header


@pytest.mark.slow
def test_a_trial_that_paused_at_a_rung_is_the_one_that_did_not(whole, tmp_path):
  """Its record, clocks apart; and its rung is what a part of the training is worth."""
  folder, _ = whole
  for path in (folder / 'records').glob('*.json'):
    kept = record.read_with_curves(path)
    config = record.config_of(path)
    alone = run_trial(config, RunFolder(tmp_path / 'alone'), grid='small')
    assert without_clock(alone) == without_clock(kept)


@pytest.mark.slow
def test_run_again_it_trains_nothing_and_writes_the_same(whole, monkeypatch):
  folder, _ = whole
  monkeypatch.chdir(folder.parents[1])
  before = found(folder)
  paths = [path for name in ('records', 'rungs') for path in (folder / name).rglob('*')]
  stamps = {path: path.stat().st_mtime_ns for path in paths}
  shutil.rmtree(folder / 'studies')
  said = command('tune', 'small.yaml', *WORDS)
  assert 'trials to' not in said and found(folder) == before
  assert stamps == {path: path.stat().st_mtime_ns for path in paths}
  assert ' to do' not in command('status', 'runs/small')


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same(whole, here):
  rng = random.Random(int(os.environ.get('SEED', '5')))
  deaths = 0
  for _ in range(5):
    process = start('tune', 'small.yaml', *WORDS)
    time.sleep(rng.uniform(3, 12))
    deaths += process.poll() is None
    with suppress(ProcessLookupError):  # on a quick machine it has ended
      os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
  command('tune', 'small.yaml', *WORDS)
  assert deaths and found(here / 'runs/small') == found(whole[0])
  assert records(here / 'runs/small/records') == records(whole[0] / 'records')


@pytest.mark.slow
def test_two_processes_share_a_study_and_train_nothing_twice(whole, here):
  both = [start('tune', 'small.yaml', '--workers=1', '--runs=runs') for _ in range(2)]
  said = [process.communicate(timeout=300)[0] for process in both]
  assert [process.returncode for process in both] == [0, 0], said
  assert found(here / 'runs/small') == found(whole[0])
  ends = [line for text in said for line in text.splitlines() if line.startswith('[')]
  paths = [path for name in ('records', 'rungs') for path in (here / 'runs/small' / name).rglob('*.json')]
  assert len(ends) == len(paths)


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec('optuna'), reason='Optuna is not installed')
def test_optuna_tunes_through_the_same_trials(here):
  (here / 'small.yaml').write_text(FILE.replace('budget: 20', 'budget: 40\nsampler: tpe\nbatch: 2'))
  command('tune', 'small.yaml', '--method=fixmatch', *WORDS)
  tree = json.loads((here / 'runs/small/studies/fixmatch.json').read_text())
  for study in tree['studies']:  # two at a time: 2 × 4 + 8 steps, twice
    assert [len(one['accuracy_on_validation']) for one in study['candidates']].count(2) == 2
    assert len(study['candidates']) == 4 and study['steps'] == 32
  before = found(here / 'runs/small')
  shutil.rmtree(here / 'runs/small/studies')
  command('tune', 'small.yaml', '--method=fixmatch', *WORDS)
  assert found(here / 'runs/small') == before


@pytest.mark.slow
def test_a_time_limit_saves_and_ends(here):
  assert 'goes on from there' in command('tune', 'small.yaml', *WORDS, '--time-limit=1s', code=75)


def test_a_rung_is_a_beginning_of_the_training(here):
  """It is the same where the whole is trained already."""
  config, folder = config_of(here), RunFolder(here / 'runs')
  early = run_rung(config, folder.at(5))
  assert early['status'] == 'done' and not folder.names()
  whole = run_trial(config, folder)
  assert whole['status'] == 'done' and folder.at(5).recorded(early['id']) == early
  late = run_rung(config, folder.at(7))
  fresh = run_rung(config, RunFolder(here / 'other').at(7))
  assert late['metrics'] == fresh['metrics'] != early['metrics']
  assert run_trial(config, folder) == whole


def played(tuning, run_folder):
  """A tuning of `supervised` to its end, in this process, and its result; its state before each round."""
  scores, (method,) = Scores(tuning, run_folder), tuning.methods
  while wanted := (study := play(tuning.form, method, 0, scores)).wanted:
    yield len(wanted)
    for values, step in wanted:
      (trial,) = scores.trials(method, values)
      run = run_rung if until_of(method, step) else run_trial
      run(trial.config, run_folder.at(until_of(method, step)))
  write_results(tuning, method, [study], scores, run_folder.path)


def test_checkpoints_of_what_a_finished_tuning_gave_up_go(here):
  """Not before, nor where a tuning goes on since; what goes on after all is trained anew."""
  run_folder = RunFolder(here / 'runs/small')
  tuning = read(here / 'small.yaml', ['checkpoint={every: 2}'], methods=['supervised'])
  rounds = played(tuning, run_folder)
  assert next(rounds) == 3 and next(rounds) == 1
  kept = {path.name for path in run_folder.checkpoints.iterdir()}
  assert len(kept) == 3 and not litter(run_folder.path).paths  # three at the rung, and none went on yet
  assert not list(rounds)
  path = here / 'runs/small/studies/supervised.json'
  found = litter(run_folder.path)
  assert len(found.given_up) == 2 and len(found.recorded) == 1 and not found.unknown
  assert '2 of trials that a tuning gave up, ' in found.told()
  path.rename(here / 'moved')
  assert not litter(run_folder.path).given_up  # nobody says that it is over
  (here / 'moved').rename(path)
  for other in ('rungs/4', 'records'):  # a larger budget, say, of which nothing is written yet but this
    newer = next((run_folder.path / other).glob('*.json'))
    os.utime(newer, (time.time() + 60, time.time() + 60))
    assert not litter(run_folder.path).given_up
    os.utime(newer, (1, 1))
  assert len(litter(run_folder.path).given_up) == 2
  failed = next(p for p in (here / 'runs/small/rungs/4').iterdir() if p.stem not in run_folder.names())
  whole = failed.read_text()
  failed.write_text(whole.replace('"status": "done"', '"status": "failed"').replace('diverged', 'failed'))
  os.utime(failed, (1, 1))
  assert len(litter(run_folder.path).given_up) == 1  # the same command runs it again
  failed.write_text(whole)
  os.utime(failed, (1, 1))
  remove(litter(run_folder.path))
  before = {p: p.read_bytes() for p in run_folder.path.rglob('*.json')}
  assert not list(run_folder.checkpoints.iterdir()) and not list(played(tuning, run_folder))
  assert before == {p: p.read_bytes() for p in before} and len(before) > 4


def test_a_rung_that_diverges_or_fails_says_so(here):
  folder = RunFolder(here / 'runs').at(5)
  assert run_rung(config_of(here, 'optimizer.lr=1e30'), folder)['status'] == 'diverged'
  bad = run_rung(
    load(here / 'configs/supervised.yaml', ['net={name: vit, patch: 3, dim: 12, depth: 1}']), folder
  )
  assert bad['status'] == 'failed' and 'patch' in bad['error']
  config = load(here / 'configs/simclr.yaml', ['evaluate.probes=[linear]'])
  assert 0 <= run_rung(config, folder)['metrics']['accuracy_on_validation'] <= 1


def test_the_teacher_of_a_winner_is_written_out(here):
  """Its config may be tuned itself, so the file beside it may be another."""
  (here / 'configs/distill.yaml').write_text('method: distill\nteacher: {config: fixmatch.yaml, steps: 5}')
  space = {'teacher.optimizer.lr': {'low': 0.1, 'high': 0.2}, 'method.temperature': [2.0, 4.0]}
  tree = {'base': 'configs', 'over': {'split_seed': 100}, 'budget': 100, 'methods': {'distill': space}}
  (here / 'tuning.yaml').write_text(yaml.safe_dump(tree))
  tuning = read(here / 'tuning.yaml')
  (method,) = tuning.methods
  study = play(tuning.form, method, 0, lambda *asked: 0.5)
  scores = Scores(tuning, RunFolder(here / 'runs'))
  write_results(tuning, method, [study], scores, here / 'out')
  written = load(here / 'out/configs/distill.yaml', ['split_seed=100'])
  (trial,) = scores.trials(method, study.winner(method).values)
  assert to_dict(written) == to_dict(trial.config) and written.teacher.steps == 5
  assert 0.1 <= written.teacher.optimizer['lr'] <= 0.2


def test_results_are_the_same_from_every_working_folder(here, monkeypatch):
  (here / 'plug.py').write_text('PLUGINS = {"methods": []}\n')
  (here / 'small.yaml').write_text(FILE + 'plugins: [plug.py]\n')
  (here / 'below').mkdir()
  written = []
  for place in (here, here / 'below'):
    monkeypatch.chdir(place)
    tuning = read(here / 'small.yaml')
    method = tuning.methods[0]
    study = play(tuning.form, method, 0, lambda *asked: 0.5)
    write_results(tuning, method, [study], Scores(tuning, RunFolder(here / 'runs')), here / 'out')
    written.append(found(here / 'out'))
  assert written[0] == written[1] and b'plug.py' in written[0]['supervised.yaml']


def test_what_is_no_rung_is_one_sentence(here):
  path = here / 'a.json'
  for text in ('', '{}', '[]', '{"form": "ssl_bench rung 1", "id": "b"}'):
    path.write_text(text)
    with pytest.raises(BadSetting, match='is no rung of a trial'):
      rung.read(path)


def test_a_record_of_tuning_is_not_submitted_and_on_no_board(here):
  made = run_trial(load(here / 'configs/supervised.yaml', ['split_seed=150']), RunFolder(here / 'runs'))
  assert made['status'] == 'done'
  with pytest.raises(BadSetting, match='is of split seed 150; 100 to 199 are for tuning'):
    submit(here / 'runs', here / 'board')
  notes = []
  board = publish([here / 'runs/records'], here / 'board', note=notes.append)
  assert notes == ['1 record is of split seeds 100 to 199, by which settings are chosen.']
  assert not board.sections


def test_no_record_of_the_board_is_of_tuning():
  paths = (ROOT / 'leaderboard/records').rglob('*.json')
  seeds = {json.loads(path.read_text())['config']['split_seed'] for path in paths}
  assert seeds and not seeds & set(record.TUNING)
