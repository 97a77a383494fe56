"""Spaces of settings and samplers: what a file may say, and the points that are drawn from it."""

import importlib.util
import math

import numpy as np
import pytest
from scipy import stats

from ssl_bench.settings.signature import BadSetting
from ssl_bench.tune import samplers
from ssl_bench.tune.samplers import Told, ask, quasi_random, seed_of
from ssl_bench.tune.space import read_space, settings_of

SPACE = {
  'optimizer.lr': {'low': 0.001, 'high': 1.0, 'log': True},
  'method.threshold': {'low': 0, 'high': 0.9},
  'method.neighbors': {'low': 3, 'high': 12, 'integer': True},
  'method.strong': [False, True],
  'method.masking, method.dim': [[0.5, 8], [0.75, 16]],
}
needs_optuna = pytest.mark.skipif(not importlib.util.find_spec('optuna'), reason='Optuna is not installed')


@pytest.mark.parametrize('kind', ['sobol', 'halton'])
def test_points_are_even_over_each_axis(kind):
  """By Kolmogorov and Smirnov they are closer to even than a tenth of random samples would be."""
  rows = quasi_random(kind, read_space(SPACE), 256, 3)
  assert len(rows) == 256
  rate, threshold, neighbors, strong, pair = zip(*rows)
  exponents = [math.log10(one) / 3 + 1 for one in rate]
  for shares in (exponents, [one / 0.9 for one in threshold]):
    assert stats.kstest(shares, 'uniform').pvalue > 0.9
  assert set(np.bincount(neighbors)[3:]) <= {24, 25, 26, 27} and len(np.bincount(neighbors)) == 13
  assert abs(sum(strong) - 128) <= 2 and {tuple(one) for one in pair} == {(0.5, 8), (0.75, 16)}
  assert all(float(f'{one:.4g}') == one for one in rate + threshold)


def test_whole_numbers_by_their_logarithm():
  rows = quasi_random('sobol', read_space({'a': {'low': 1, 'high': 7, 'log': True, 'integer': True}}), 9, 0)
  assert sorted(rows) == [(number,) for number in range(1, 8)]


def test_whole_numbers_by_their_logarithm_are_within_their_range():
  for low in range(1, 200):
    (axis,) = read_space({'a': {'low': low, 'high': 200, 'log': True, 'integer': True}})
    assert (axis.values.at(0.0), axis.values.at(1 - 2**-53)) == (low, 200)


def test_a_list_begins_with_a_shorter_one_and_another_seed_gives_another():
  space = read_space(SPACE)
  long = quasi_random('sobol', space, 100, 1)
  assert quasi_random('sobol', space, 10, 1) == long[:10]
  assert quasi_random('sobol', space, 10, 2) != long[:10] != quasi_random('halton', space, 10, 1)


def test_the_lists_are_fixed():
  """Another SciPy that draws others makes other studies of the same file: then this fails."""
  space = read_space({'a': {'low': 0, 'high': 1}, 'b': {'low': 0, 'high': 1}})
  assert quasi_random('sobol', space, 3, 1) == [(0.2862, 0.1626), (0.5818, 0.938), (0.8379, 0.3231)]
  assert quasi_random('halton', space, 3, 1) == [(0.8267, 0.5346), (0.3267, 0.8679), (0.5767, 0.2012)]


def test_a_space_of_few_points_is_seen_whole_and_once():
  space = read_space({'a': [1, 2, 3], 'b': [False, True]})
  rows = quasi_random('sobol', space, 50, 0)
  assert len(rows) == 6 == len(set(rows))
  assert quasi_random('sobol', (), 50, 0) == [()]


def test_settings_that_move_together_are_set_together():
  space = read_space({'x, y': [[1, 2], [3, 4]], 'z': [5]})
  assert settings_of(space, ([3, 4], 5)) == {'x': 3, 'y': 4, 'z': 5}


def test_a_seed_is_of_what_it_is_for():
  seeds = {seed_of(0, 'fixmatch', 'digits', study) for study in range(100)}
  assert len(seeds) == 100 and seed_of(0, 'fixmatch') != seed_of(0, 'simclr')


WRONG = {
  "'steps' is what the budget counts": {'steps': [100, 200]},
  "'teacher.steps' is what the budget counts": {'teacher.steps': [100, 200]},
  "'teacher.teacher.steps' is what": {'teacher.teacher.steps': [100, 200]},
  "'labels' is no setting to be tuned": {'labels': [20, 40]},
  "'a' stands twice": {'a': [1], 'a.b': [2]},
  "'a' has no value to choose from": {'a': []},
  "'a' needs a list to choose from": {'a': 3},
  "'a, b' moves 2 settings together": {'a, b': [[1]]},
  "'a': low must be below high": {'a': {'low': 2, 'high': 1}},
  "'a': with log, low must be above 0": {'a': {'low': 0, 'high': 1, 'log': True}},
  "'a': with integer, low and high must be whole": {'a': {'low': 0.5, 'high': 2, 'integer': True}},
  "'a': There is no setting 'hihg'; did you mean 'high'": {'a': {'low': 0, 'high': 1, 'hihg': 1}},
  "a space holds settings of the form name: values, not 'a'": 'a',
}


@pytest.mark.parametrize(('sentence', 'tree'), WRONG.items())
def test_what_is_wrong_with_a_space_is_one_sentence(sentence, tree):
  with pytest.raises(BadSetting) as error:
    read_space(tree)
  assert sentence in str(error.value)


def bowl(values):
  """A score that is best at lr = 0.1 and threshold = 0.6."""
  return 1 - abs(math.log10(values[0]) + 1) / 3 - abs(values[1] - 0.6) / 2


@needs_optuna
def test_optuna_asks_the_same_in_any_process_and_gets_better():
  space = read_space(SPACE)
  told: list[Told] = []
  while len(told) < 40:
    rows = ask(space, told, 4, 7)
    assert rows == ask(space, told, 4, 7)
    for row in rows:  # one in eight diverges, and half are given up on the way
      scores = {} if len(told) % 8 == 7 else {10: bowl(row)}
      told.append(Told(row, scores, len(told) % 2 == 0 and bool(scores)))
  values = [bowl(one.values) for one in told]
  assert np.mean(values[24:]) > np.mean(values[:8]) + 0.05
  assert ask(space, told, 4, 8) != ask(space, told, 4, 7)


@needs_optuna
def test_no_argument_of_optunas_sampler_is_left_to_its_version():
  import inspect

  import optuna

  parameters = inspect.signature(optuna.samplers.TPESampler.__init__).parameters
  deprecated = {name for name in parameters if name.startswith('consider_')} | {'prior_weight'}
  functions = {'gamma', 'weights', 'constraints_func'}  # null: the formulas of the paper, and none
  assert set(parameters) - {'self', 'seed'} - deprecated - functions == set(samplers.TPE)


def test_without_optuna_the_sentence_names_the_extra(monkeypatch):
  monkeypatch.setattr(samplers, 'find_spec', lambda name: None)
  with pytest.raises(BadSetting, match=r"pip install 'ssl_bench\[tune\]'"):
    samplers.check_optuna()
