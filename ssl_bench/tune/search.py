"""A search: the candidates of one method in one study, within a budget of training steps.

It is a function of the scores so far, played from the beginning each time it is asked what comes next.  So
nothing of it is kept but what trials wrote, and every process that sees the same trials asks for the same.
"""

import json
import math
from collections.abc import Callable
from statistics import median_low
from typing import NamedTuple

from ssl_bench.settings.signature import BadSetting
from ssl_bench.tune.file import Form, Method
from ssl_bench.tune.samplers import Told, Values, ask, quasi_random, seed_of

Score = Callable[[Method, Values, int], float | None]  # of a candidate at a step; None: not known yet


class Candidate(NamedTuple):
  """Settings that were tried."""

  number: int
  values: Values
  scores: dict[int, float]  # step -> mean validation accuracy; -inf where a trial of it diverged or failed

  def is_over(self, method: Method) -> bool:
    """Whether it was trained to the end, and did not diverge."""
    return math.isfinite(self.scores.get(method.rungs[-1], -math.inf))


class Study(NamedTuple):
  """A search as far as it is."""

  number: int
  candidates: list[Candidate]
  steps: int  # training steps that it used
  wanted: list[tuple[Values, int]]  # candidates whose score at a step has to be known; none: it is over

  def winner(self, method: Method) -> Candidate | None:
    """The candidate of highest score at the last step, of equal ones the first; None where all diverged."""
    over = [one for one in self.candidates if one.is_over(method)]
    return max(over, key=lambda one: (one.scores[method.rungs[-1]], -one.number), default=None)


def survivors(count: int, method: Method, factor: int) -> list[int]:
  """How many of `count` candidates are trained to each rung: a `factor`-th part goes on, at least one."""
  found = [count]
  for _ in method.rungs[1:]:
    found.append(max(1, found[-1] // factor))
  return found


def cost(count: int, method: Method, factor: int) -> int:
  """Training steps of `count` candidates in one round of successive halving."""
  steps = (step - before for step, before in zip(method.rungs, (0, *method.rungs)))
  own = sum(alive * more for alive, more in zip(survivors(count, method, factor), steps))
  return own * method.trainings + count * method.before


def affordable(budget: int, method: Method, form: Form, most: int) -> int:
  """The largest number of candidates, at most `most`, that a budget of steps is enough for."""
  return next((n for n in range(most, 0, -1) if cost(n, method, form.factor) <= budget), 0)


def check_budget(form: Form, method: Method) -> None:
  """Raises `BadSetting` where the budget is not enough for one candidate."""
  if (least := cost(1, method, form.factor)) > form.budget:
    raise BadSetting(
      f'The budget of {form.budget:,} training steps is not enough for {method.name}: one candidate takes '
      f'{least:,}.'
    )


def play(form: Form, method: Method, number: int, score: Score) -> Study:
  """The search of study `number` as far as scores are known, with those that it wants next."""
  study = Study(number, [], 0, [])
  while values := _next(form, method, study):
    batch = [Candidate(len(study.candidates) + i, one, {}) for i, one in enumerate(values)]
    study.candidates.extend(batch)
    used = _halve(form, method, batch, score, study.wanted)
    study = study._replace(steps=study.steps + used)
    if study.wanted:
      break
  return study


def _next(form: Form, method: Method, study: Study) -> list[Values]:
  """The candidates of the next round; none where the budget or the space has no more."""
  seed = seed_of(form.seed, method.name, method.dataset, study.number)
  tried = study.candidates
  most = form.most - len(tried) if form.sampler != 'tpe' else min(form.batch, form.most - len(tried))
  count = affordable(form.budget - study.steps, method, form, most)
  if form.sampler != 'tpe':
    return [] if tried else quasi_random(form.sampler, method.space, count, seed)
  if not method.space:
    return [] if tried else [()][:count]
  told = [Told(one.values, _finite(one.scores), one.is_over(method)) for one in tried]
  known = {json.dumps(one.values) for one in tried}
  if count <= 0:
    return []
  asked = ask(method.space, told, count, seed)
  others = quasi_random('sobol', method.space, len(known) + count, seed)  # in place of what is asked again
  fresh = {text: one for one in (*asked, *others) if (text := json.dumps(one)) not in known}
  return list(fresh.values())[:count]


def _finite(scores: dict[int, float]) -> dict[int, float]:
  return {step: score for step, score in scores.items() if math.isfinite(score)}


def _halve(
  form: Form, method: Method, batch: list[Candidate], score: Score, wanted: list[tuple[Values, int]]
) -> int:
  """Successive halving (Jamieson and Talwalkar 2016): the better ones of a batch go on at each rung.

  Notes their scores, and in `wanted` those that are not known; returns the steps used.
  """
  alive, before, used = batch, 0, len(batch) * method.before
  for place, step in enumerate(method.rungs):
    for one in alive:
      if (found := score(method, one.values, step)) is None:
        wanted.append((one.values, step))
      else:
        one.scores[step] = found
    if wanted:
      return used
    used += len(alive) * (step - before) * method.trainings
    before = step
    if place + 1 < len(method.rungs):
      keep = survivors(len(batch), method, form.factor)[place + 1]
      ranked = sorted(alive, key=lambda one: (-one.scores[step], one.number))
      alive = [one for one in ranked[:keep] if math.isfinite(one.scores[step])]
  return used


def reported(method: Method, studies: list[Study]) -> Study | None:
  """The study whose winner is the median of the winners, the lower of two; None where none has one."""
  found = [(winner.scores[method.rungs[-1]], study) for study in studies if (winner := study.winner(method))]
  if not found:
    return None
  middle = median_low(score for score, _ in found)
  return next(study for score, study in found if score == middle)
