"""A measure that fails, or gives what no record can hold, is named; what is recorded stays readable."""

from types import SimpleNamespace

import numpy as np
import pytest
from support.cli import command, records, write_configs
from support.pages import tree_of

from ssl_bench import measures, plugins
from ssl_bench.plugins import files
from ssl_bench.records.checks import check_values
from ssl_bench.settings.signature import BadSetting

FILE = """
import numpy as np
from ssl_bench.measures import Measure


def luck(trained):
  return VALUE


PLUGINS = {'measures': [Measure('luck', ('metrics', 'luck'), 'luck', luck, range=(0, 1), table="luck")]}
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
  """Loads the file with a value, from the working folder."""
  monkeypatch.chdir(tmp_path)

  def written(value, file='luck.py', old='', new=''):
    (tmp_path / file).write_text(FILE.replace('VALUE', value).replace(old, new))
    plugins.load([file])

  yield written
  files.forget()


@pytest.mark.parametrize(
  ('value', 'sentence'),
  [
    ('87.0', r'metrics\.luck must be less than or equal to 1, not 87\.0'),
    ("'good'", r"metrics\.luck must be a number, not 'good'"),
    ('np.ones(2)', r'metrics\.luck must be a number, not array'),
    ('True', r'metrics\.luck must be a number, not True'),
  ],
)
def test_a_value_that_no_record_can_hold_is_told_of_its_measure(load, value, sentence):
  load(value)
  with pytest.raises(BadSetting, match=f'The measure luck of file luck.py gives .*: {sentence}'):
    check_values({'metrics': {'luck': measures.get('luck').function(None)}, 'cost': {}})


@pytest.mark.parametrize('value', ["float('nan')", "float('inf')", '0.5', 'None'])
def test_a_number_that_is_not_finite_can_be_held(load, value):
  load(value)
  check_values({'metrics': {'luck': measures.get('luck').function(None)}, 'cost': {}})


def measured_alone(monkeypatch):
  """The value of the measure for a trained state that it does not look at."""
  row = measures.get('luck')
  monkeypatch.setattr(measures, 'all_measures', lambda: (row,))
  return measures.measured(SimpleNamespace(go_on=lambda: None))['metrics']['luck']


@pytest.mark.parametrize('value', ['0.5', 'None', "float('nan')", 'np.float32(0.5)', 'np.array(0.5)'])
def test_a_number_of_numpy_and_none_are_values(load, value, monkeypatch):
  load(value)
  found = measured_alone(monkeypatch)
  assert found is None or type(found) is float
  assert found is None or found == 0.5 or np.isnan(found)


def test_a_measure_that_raises_is_named_with_its_line(load, monkeypatch):
  load('1 / 0')
  sentence = 'The measure luck of file luck.py fails at line 7: ZeroDivisionError: division by zero.'
  with pytest.raises(BadSetting, match=sentence):
    measured_alone(monkeypatch)


@pytest.mark.parametrize(
  ('old', 'new', 'sentence'),
  [
    ("'luck'), 'luck'", "'accuracy'), 'luck'", 'luck of file luck.py and accuracy have one path'),
    ("), 'luck', l", "), 'ECE', l", "luck of file luck.py and ece are both shown as 'ECE'"),
    (
      'range=',
      "better='bigger', range=",
      "The measure luck .* cannot have better='bigger'; did you mean 'higher'",
    ),
    ('range=', "reads='prediction', range=", "cannot have reads='prediction'; did you mean 'predictions'"),
    ('range=', "values='numbr', range=", "cannot have values='numbr'; did you mean 'number'"),
    ("('metrics', 'luck')", "'metrics'", "must have a path such as .'metrics', 'luck'."),
  ],
)
def test_a_row_in_the_way_of_another_is_refused(load, old, new, sentence):
  load('0.5', old=old, new=new)
  with pytest.raises(BadSetting, match=sentence):
    measures.all_measures()


@pytest.mark.slow
def test_a_bad_value_blocks_nothing(tmp_path, monkeypatch):
  """The trial fails by name; the corrected function is recorded by the same command, and shown."""
  monkeypatch.chdir(tmp_path)
  write_configs(tmp_path / 'c', 'net: {name: mlp, widths: [8], norm: none}')
  words = ('train', 'c/supervised.yaml', 'plugins=[luck.py]', '--wandb=disabled')
  (tmp_path / 'luck.py').write_text(FILE.replace('VALUE', '87.0'))
  out = command(*words, code=1)
  assert 'failed: The measure luck of file luck.py gives what no record can hold' in out
  (tmp_path / 'luck.py').write_text(FILE.replace('VALUE', '0.875'))
  command(*words)
  (found,) = records(tmp_path / 'runs/train/records').values()
  assert found['status'] == 'done' and found['metrics']['luck'] == 0.875

  board = ('leaderboard', '--records', 'runs/train/records', '--out', 'board')
  assert 'Not shown: metrics.luck, which no measure here reads; give --plugin' in command(*board)
  command(*board, '--plugin', 'luck.py')
  assert tree_of((tmp_path / 'board/index.html').read_text())['means']['luck']['value'] == [87500]

  more = FILE.replace('VALUE', '0.25').replace("'luck'", "'chance'")
  (tmp_path / 'chance.py').write_text(more)
  words = ('train', 'c/supervised.yaml', 'plugins=[luck.py, chance.py]', '--wandb=disabled')
  assert 'without chance; ssl-bench train --again' in command(*words)
  command(*words, '--again')
  (again,) = records(tmp_path / 'runs/train/records').values()
  assert again['metrics']['chance'] == 0.25 and again['id'] == found['id']
