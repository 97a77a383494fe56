"""The rows of measures: names, paths, what they say, and values that are read from a record."""

from types import SimpleNamespace

import numpy as np
import pytest

from ssl_bench import measures
from ssl_bench.leaderboard.columns.details import TABLES
from ssl_bench.measures import ABSENT, Measure
from ssl_bench.settings.signature import BadSetting

ROWS = measures.all_measures()


def test_names_are_unique_and_no_path_lies_within_another():
  assert len({row.name for row in ROWS}) == len(ROWS) > 80
  paths = [row.path for row in ROWS if row.function]
  assert len(set(paths)) == len(paths)
  assert not [(a, b) for a in paths for b in paths if a != b and b[: len(a)] == a]


@pytest.mark.parametrize('row', ROWS, ids=lambda row: row.name)
def test_a_row_says_what_a_reader_has_to_know(row):
  assert row.title and row.hint and row.path[0] in measures.PARTS
  assert row.hint[-1] != '.'
  assert row.table in ('', *TABLES) and (row.table or not row.main)
  assert not row.after or measures.get(row.after).function
  low, high = row.range
  assert low is None or high is None or low < high
  assert row.clock <= (row.path[0] == 'cost')


def test_a_name_that_there_is_not_is_one_sentence():
  with pytest.raises(BadSetting, match="There is no measure 'mse'; did you mean 'mce'"):
    measures.get('mse')


def other(**changes):
  return Measure('toy', ('metrics', 'toy'), 'toy', lambda t: 1.0, hint='a toy')._replace(**changes)


@pytest.mark.parametrize(
  ('rows', 'sentence'),
  [
    ([other(), other()], 'Two measures are called toy'),
    ([other(), other(name='b')], 'The measure b and toy have one path'),
    ([other(), other(name='b', path=('metrics', 'toy', 'b'))], 'The measure b and toy have one path'),
    ([other(path=('curve', 'toy'))], 'must have a path such as'),
    ([other(function=None)], 'must have a function, or else reduce'),
  ],
)
def test_rows_that_contradict_each_other_are_refused(rows, sentence):
  with pytest.raises(BadSetting, match=sentence):
    for i, row in enumerate(rows):
      measures._check(row, rows[:i])


def test_numbers_are_read_and_said_as_their_row_has_them():
  record = {'metrics': {'accuracy': 0.9325, 'accuracy_by_class': [0.5, None, 'NaN', 0.75], 'nll': 'Infinity'}}
  number = lambda name: measures.number_of(record, measures.get(name))
  assert number('accuracy') == 0.9325 and number('nll') is None and number('knn20') is None
  assert (number('worst_class'), number('class_spread')) == (0.5, 0.25)
  all_at_once = measures.reader([row for row in ROWS if row.is_numeric])
  assert all_at_once(record) == {'accuracy': 0.9325, 'worst_class': 0.5, 'class_spread': 0.25}
  assert all_at_once({'metrics': {'accuracy': True, 'nll': 1, 'probes': 'none'}}) == {'nll': 1.0}
  said = lambda name, value: measures.say(measures.get(name), value)
  assert said('accuracy', 0.9325) == '93.25' and said('ece', 0.05) == '0.050'
  assert said('peak_memory_bytes', 3 * 2**30) == '3,072' and said('gflops_per_image', 0.0123) == '12.30'


def test_a_class_without_test_images_has_no_accuracy():
  rng = np.random.default_rng(0)
  logits, labels = rng.normal(size=(40, 3)), np.repeat([0, 2], 20)
  seen = SimpleNamespace(logits=SimpleNamespace(test=logits), dataset=SimpleNamespace(test_labels=labels))
  found = measures.get('accuracy_by_class').function(seen)
  right = logits.argmax(-1) == labels
  assert found == [pytest.approx(right[:20].mean()), None, pytest.approx(right[20:].mean())]
  assert measures.get('accuracy_by_class').function(SimpleNamespace(logits=None)) is ABSENT
