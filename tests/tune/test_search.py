"""A search keeps to its budget, keeps the better ones, and is the same from wherever it goes on."""

import importlib.util
import math
import random

import pytest

from ssl_bench.settings.signature import BadSetting
from ssl_bench.tune.file import Form, Method
from ssl_bench.tune.search import affordable, check_budget, cost, play, reported, survivors
from ssl_bench.tune.space import read_space

SPACE = read_space({'a': {'low': 0.0, 'high': 1.0}, 'b': [1, 2, 3]})
METHOD = Method('fixmatch', 'digits', SPACE, (10, 30, 90), 2, 0)
SAMPLERS = [
  'sobol',
  'halton',
  pytest.param('tpe', marks=pytest.mark.skipif(not importlib.util.find_spec('optuna'), reason='no Optuna')),
]


def form_of(**changes):
  whole = {'name': 'x', 'base': 'c', 'over': {}, 'methods': {'fixmatch': {}}, 'budget': 2000}
  return Form(**{**whole, 'rungs': 3, **changes})


def score(method, values, step):
  """Better late, best at a = 0.7; a below 0.1 diverges at the second rung."""
  return -math.inf if values[0] < 0.1 and step > 10 else step / 1000 - abs(values[0] - 0.7) + 1


def test_the_cost_of_successive_halving_is_what_is_trained():
  """9, 3 and 1 candidates to 10, 30 and 90 steps, on two splits: 2 × (90 + 60 + 60)."""
  assert survivors(9, METHOD, 3) == [9, 3, 1] and survivors(2, METHOD, 3) == [2, 1, 1]
  assert cost(9, METHOD, 3) == 420
  assert cost(9, METHOD._replace(before=7), 3) == 420 + 63
  assert cost(5, METHOD._replace(rungs=(90,)), 3) == 5 * 90 * 2
  for budget in (200, 419, 420, 421, 4000):
    count = affordable(budget, METHOD, form_of(), 100)
    assert cost(count, METHOD, 3) <= budget < cost(count + 1, METHOD, 3)
  assert affordable(10**9, METHOD, form_of(), 100) == 100


def test_a_budget_below_one_candidate_is_refused():
  check_budget(form_of(budget=180), METHOD)
  with pytest.raises(BadSetting, match='not enough for fixmatch: one candidate takes 180'):
    check_budget(form_of(budget=179), METHOD)


@pytest.mark.parametrize('sampler', SAMPLERS)
def test_the_better_ones_go_on_within_the_budget(sampler):
  form = form_of(sampler=sampler)
  study = play(form, METHOD, 0, score)
  assert not study.wanted and 0 < study.steps <= form.budget
  by_rung = [[one for one in study.candidates if step in one.scores] for step in METHOD.rungs]
  used = sum(2 * len(alive) * more for alive, more in zip(by_rung, (10, 20, 60)))
  assert study.steps == used
  winner = study.winner(METHOD)
  assert winner == max(by_rung[2], key=lambda one: one.scores[90])
  if sampler != 'tpe':
    best = sorted(by_rung[0], key=lambda one: -one.scores[10])[: len(by_rung[1])]
    assert {one.number for one in by_rung[1]} == {one.number for one in best}
    assert len(study.candidates) == affordable(form.budget, METHOD, form, form.most)


@pytest.mark.parametrize('sampler', SAMPLERS)
def test_a_study_is_the_same_whatever_order_its_scores_come_in(sampler):
  form, rng = form_of(sampler=sampler), random.Random(0)
  known: dict = {}
  for _ in range(500):
    study = play(form, METHOD, 0, lambda method, values, step: known.get((values, step)))
    if not study.wanted:
      break
    values, step = rng.choice(study.wanted)
    known[values, step] = score(METHOD, values, step)
  assert study == play(form, METHOD, 0, score) and not study.wanted


@pytest.mark.skipif(not importlib.util.find_spec('optuna'), reason='no Optuna')
@pytest.mark.parametrize('number', range(6))
def test_optuna_sees_the_whole_of_a_small_space(number):
  """What it asks for again is replaced, so no study ends before its budget or its space does."""
  method = METHOD._replace(space=read_space({'a': [0.2, 0.3, 0.5, 0.6, 0.7, 0.8]}), rungs=(90,))
  study = play(form_of(sampler='tpe', budget=6 * 90 * 2, rungs=1, batch=2), method, number, score)
  assert sorted(one.values for one in study.candidates) == [(a,) for a in (0.2, 0.3, 0.5, 0.6, 0.7, 0.8)]
  assert study.steps == 6 * 90 * 2


def test_studies_and_methods_search_elsewhere():
  form = form_of()
  tried = lambda method, number: [one.values for one in play(form, method, number, score).candidates]
  assert tried(METHOD, 0) != tried(METHOD, 1) != tried(METHOD._replace(name='vat'), 1)


def test_what_diverges_is_charged_and_never_wins():
  method = METHOD._replace(space=read_space({'a': [0.05, 0.01]}))
  study = play(form_of(), method, 0, score)
  assert len(study.candidates) == 2 and study.winner(method) is None
  assert study.steps == 2 * (2 * 10 + 20)  # both to 10, one on to 30, where it diverged
  assert reported(method, [study]) is None


def test_without_a_space_there_is_one_candidate():
  for sampler in ('sobol', 'tpe'):
    study = play(form_of(sampler=sampler), METHOD._replace(space=()), 0, lambda *asked: 0.5)
    assert [one.values for one in study.candidates] == [()] and not study.wanted


def test_the_study_of_the_median_winner_is_reported():
  form = form_of()
  studies = [play(form, METHOD, number, score) for number in range(4)]
  ranked = sorted(studies, key=lambda study: study.winner(METHOD).scores[90])
  assert (
    reported(METHOD, studies[:3]) == sorted(studies[:3], key=lambda study: study.winner(METHOD).scores[90])[1]
  )
  assert reported(METHOD, studies) == ranked[1]  # the lower of two


def test_equal_scores_go_to_the_first():
  study = play(form_of(), METHOD, 0, lambda *asked: 0.5)
  assert study.winner(METHOD).number == 0
