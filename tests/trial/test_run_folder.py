"""`--again` puts aside what other code made, or what is to be made once more, and nothing else."""

import pytest
from support.cli import write_configs

from ssl_bench import data
from ssl_bench.config import load
from ssl_bench.settings.signature import BadSetting
from ssl_bench.training.checkpoint import UnusableCheckpoint
from ssl_bench.training.loop import Interrupted
from ssl_bench.trial import run as trial
from ssl_bench.trial import training
from ssl_bench.trial.run import run_trial
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.training import forget, is_of_other_code, name_of

DATASET = data.load('fake')
TODAY = training.code_of


@pytest.fixture
def folder(tmp_path):
  return write_configs(tmp_path / 'configs')


@pytest.fixture
def edit(monkeypatch):
  """Edits the code of all methods."""

  def change(code='e' * 64):
    for module in (training, trial):
      monkeypatch.setattr(module, 'code_of', lambda config: code)

  return change


def budgets(folder, *labels):
  return [load(folder / 'simclr.yaml', [f'labels={n}']) for n in labels]


def stop_at(step):
  calls = iter(range(1, 10**6))
  return lambda: next(calls) == step


@pytest.fixture
def run_folder(tmp_path):
  return RunFolder(tmp_path / 'runs')


def there(run_folder, kind):
  return {path.name for path in (run_folder.path / kind).glob('*')}


def test_a_shared_pretraining_is_made_once_by_the_new_code(folder, run_folder, edit):
  """Two budgets of one pretraining; after an edit each is run again, and the second trains nothing."""
  twenty, forty = budgets(folder, 20, 40)
  for config in (twenty, forty):
    run_trial(config, run_folder)
  edit()
  assert is_of_other_code(twenty, DATASET, run_folder) and is_of_other_code(forty, DATASET, run_folder)
  forget(twenty, DATASET, run_folder)
  first = run_trial(twenty, run_folder)
  assert first['versions']['code'] == 'e' * 64 and is_of_other_code(forty, DATASET, run_folder)
  made = {p: p.stat().st_mtime_ns for p in run_folder.checkpoints.rglob('*')}
  forget(forty, DATASET, run_folder)
  assert run_trial(forty, run_folder)['versions']['code'] == 'e' * 64
  assert {p: p.stat().st_mtime_ns for p in run_folder.checkpoints.rglob('*')} == made
  assert (
    len(there(run_folder, 'replaced/records')) == 2 * len(('the record', 'its curves', 'its predictions'))
    and len(there(run_folder, 'replaced/checkpoints')) == 1
  )


def test_a_rerun_that_is_stopped_goes_on(folder, run_folder):
  (config,) = budgets(folder, 20)
  run_trial(config, run_folder)
  forget(config, DATASET, run_folder)
  assert not there(run_folder, 'checkpoints')
  with pytest.raises(Interrupted):
    run_trial(config, run_folder, should_stop=stop_at(6))
  forget(config, DATASET, run_folder)  # the same command again
  assert there(run_folder, 'checkpoints') == {name_of(config, DATASET)}
  assert run_trial(config, run_folder)['status'] == 'done'


def test_what_another_process_trains_stays(folder, run_folder):
  (config,) = budgets(folder, 20)
  run_trial(config, run_folder)
  before = there(run_folder, 'checkpoints')
  other = RunFolder(run_folder.path)  # another process would see the same
  with (
    other.turn(name_of(config, DATASET), lambda: False),
    pytest.raises(BadSetting, match=r'Another process works at .*; wait for it, or stop it'),
  ):
    forget(config, DATASET, run_folder)
  assert (
    there(run_folder, 'checkpoints') == before
    and there(run_folder, 'records')
    and not there(run_folder, 'replaced')
  )


def test_checkpoints_without_a_note_are_of_unknown_code(folder, run_folder, edit):
  """As those of runs from before there were notes, and where a write broke off."""
  (config,) = budgets(folder, 20)
  with pytest.raises(Interrupted):
    run_trial(config, run_folder, should_stop=stop_at(6))
  (note,) = run_folder.code.glob('*')
  note.write_text('')
  edit()
  assert not is_of_other_code(config, DATASET, run_folder)
  assert 'code' not in run_trial(config, run_folder)['versions']


def test_a_training_of_other_code_does_not_go_on(folder, run_folder, edit):
  (config,) = budgets(folder, 20)
  with pytest.raises(Interrupted):
    run_trial(config, run_folder, should_stop=stop_at(6))
  edit()
  assert is_of_other_code(config, DATASET, run_folder)
  with pytest.raises(UnusableCheckpoint, match='trained by other code of the method; run it with --again'):
    run_trial(config, run_folder)


def test_the_beginnings_of_a_training_are_put_aside_with_it(tmp_path):
  """Where it had gone past a rung, the rung was trained in a folder beside it."""
  run_folder = RunFolder(tmp_path)
  for name in ('aa', 'aa-12', 'ab'):
    (run_folder.checkpoints / name).mkdir(parents=True)
  run_folder.put_aside('none', ['aa'])
  assert [path.name for path in run_folder.checkpoints.iterdir()] == ['ab']
  assert len(list((run_folder.replaced / 'checkpoints').iterdir())) == 2
