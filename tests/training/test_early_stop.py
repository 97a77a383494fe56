"""A training stops where validation accuracy has stopped to rise, the same wherever it was interrupted."""

import numpy as np
import pytest
from support.cli import command, records, write_configs
from support.training import arrays, stop_after, train

from ssl_bench.config import load, to_dict
from ssl_bench.planning import make_plan
from ssl_bench.records.record import read_with_curves
from ssl_bench.settings.signature import BadSetting
from ssl_bench.training.early_stop import has_plateaued
from ssl_bench.training.loop import Interrupted

PLAIN = """
net: {name: mlp, widths: [16], norm: none}
augment: {weak: none, strong: none}
"""
STOP = 'early_stop={patience: 2}'


@pytest.fixture
def folder(tmp_path):
  return write_configs(tmp_path / 'configs', PLAIN)


def config_of(folder, *words, method='supervised'):
  return load(folder / f'{method}.yaml', words)


def accuracies(*values):
  """Looks whose validation accuracy is given; the test accuracy rises all the while."""
  calls = iter(enumerate(values))

  def look(program, state, numbers, kept):
    at, value = next(calls)
    return {'validation_accuracy': value, 'test_accuracy': at / 100}

  return look


@pytest.mark.parametrize(
  ('values', 'rule', 'ended'),
  [
    ([], '{patience: 1}', False),
    ([0.5], '{patience: 1}', False),
    ([0.5, 0.5], '{patience: 1}', True),
    ([0.5, 0.6, 0.6, 0.7], '{patience: 2}', False),
    ([0.5, 0.6, 0.6, 0.5], '{patience: 2}', True),
    ([0.5, 0.55, 0.6, 0.65], '{patience: 3, min_delta: 0.2}', True),
    (
      [0.5, 0.55, 0.6, 0.71],
      '{patience: 3, min_delta: 0.2}',
      False,
    ),  # against the last rise, not the last look
    ([0.9, 0.8, 0.85, 0.89], '{patience: 4}', False),
    ([0.5, 0.4], 'null', False),
  ],
)
def test_a_plateau_is_some_looks_without_a_rise(folder, values, rule, ended):
  rows = [{'validation_accuracy': value, 'test_accuracy': at / 9} for at, value in enumerate(values)]
  assert has_plateaued(config_of(folder, f'early_stop={rule}'), rows) is ended


def test_it_ends_at_the_plateau_with_the_state_of_that_step(folder, tmp_path):
  """Looks are every 4 of 24 steps, logs every 3: the plateau is at step 16, which is logged and saved."""
  seen = []
  look = lambda program, state, *_: seen.append(arrays(state.params)) or {'validation_accuracy': 0.5}
  train(config_of(folder, 'steps=24'), tmp_path / 'whole', watch=look)
  values = (0.2, 0.4, 0.4, 0.3, 0.9, 0.9)
  found = train(config_of(folder, 'steps=24', STOP), tmp_path / 'early', watch=accuracies(*values))
  assert int(found.state.step) == 16 and len(seen) == 6
  for a, b in zip(arrays(found.state.params), seen[3], strict=True):
    np.testing.assert_array_equal(a, b)
  assert [row['step'] for row in found.history['evaluations']] == [4, 8, 12, 16]
  assert [row['step'] for row in found.history['curve']] == [3, 6, 9, 12, 15, 16]
  assert sum(steps for steps, *_ in found.history['segments']) == 16


def test_what_was_interrupted_ends_where_the_whole_does(folder, tmp_path):
  config, values = config_of(folder, 'steps=24', STOP), (0.2, 0.4, 0.4, 0.3)
  whole = train(config, tmp_path / 'whole', watch=accuracies(*values))
  with pytest.raises(Interrupted):
    train(config, tmp_path / 'parts', watch=accuracies(*values), should_stop=stop_after(10))
  parts = train(config, tmp_path / 'parts', watch=accuracies(*values[2:]))
  assert int(parts.state.step) == 16
  for a, b in zip(arrays(whole.state), arrays(parts.state), strict=True):
    np.testing.assert_array_equal(a, b)
  told = []
  again = train(config, tmp_path / 'whole', watch=accuracies(), report=lambda *x: told.append(x))
  assert not told and again.history == whole.history


def test_no_rise_to_miss_is_the_training_without_the_rule(folder, tmp_path):
  rising = [at / 10 for at in range(6)]
  plain = train(config_of(folder, 'steps=24'), tmp_path / 'plain', watch=accuracies(*rising))
  found = train(config_of(folder, 'steps=24', STOP), tmp_path / 'early', watch=accuracies(*rising))
  for a, b in zip(arrays(plain.state), arrays(found.state), strict=True):
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
  ('method', 'words', 'sentence'),
  [
    ('simclr', [], 'simclr sees no labels, so it has no validation accuracy to stop by'),
    ('label_propagation', [], 'label_propagation takes no steps'),
    ('noisy_student', ['steps=600'], 'noisy_student trains 3 times in turn'),
    ('supervised', ['private={}'], 'ε is that of all steps'),
    ('supervised', ['early_stop.patience=0'], 'early_stop.patience must be greater than or equal to 1'),
    ('supervised', ['early_stop.by=test'], "there is no setting 'early_stop.by'"),
  ],
)
def test_what_cannot_stop_early_says_so(folder, method, words, sentence):
  if method in ('label_propagation', 'noisy_student'):
    (folder / f'{method}.yaml').write_text(f'method: {method}\n')
  with pytest.raises(BadSetting) as error:
    make_plan(config_of(folder, STOP, *words, method=method))
  assert sentence.lower() in str(error.value).lower()


def test_a_teacher_does_not_take_it_from_its_student(folder):
  config = config_of(folder, STOP, 'method=fine_tune', 'teacher={config: simclr.yaml}')
  assert config.early_stop and config.teacher.early_stop is None
  config = config_of(folder, STOP, 'method=fine_tune', 'teacher={method: simclr}')
  assert config.early_stop and config.teacher.early_stop is None


def test_a_config_without_it_is_written_as_before(folder):
  assert 'early_stop' not in to_dict(config_of(folder))
  assert to_dict(config_of(folder, STOP))['early_stop'] == {'patience': 2, 'min_delta': 0.0}


@pytest.mark.slow
def test_its_record_says_how_many_steps_it_took(folder, tmp_path):
  """With `min_delta` of 0.9 the first accuracy is the best, so it ends at the third look, step 12 of 400."""
  words = ['steps=400', 'early_stop={patience: 2, min_delta: 0.9}', f'--runs={tmp_path}', '--wandb=disabled']
  command('train', folder / 'supervised.yaml', *words)
  (path,) = tmp_path.rglob('records/*.json')
  found = read_with_curves(path)
  assert [row['step'] for row in found['evaluations']] == [4, 8, 12]
  assert found['cost']['steps'] == 12 == found['curve'][-1]['step']
  out = command('evaluate', folder / 'supervised.yaml', *words, 'evaluate.bootstrap=200')
  assert 'is trained to step' not in out and len(records(tmp_path)) == 2
