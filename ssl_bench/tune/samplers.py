"""Samplers: which settings are tried, a fixed list of quasi-random ones, or Optuna's by what it is told."""

import hashlib
import json
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

from ssl_bench.settings.signature import BadSetting
from ssl_bench.tune.space import Choice, Numbers, Space

SHORTEST, LONGEST = 4, 14  # log2 of the points of a sequence that are looked at
# Optuna 5 changed its defaults, so everything that decides what it asks is said here, but for the seed.
TPE: dict[str, Any] = {
  'n_startup_trials': 8,
  'n_ei_candidates': 24,
  'multivariate': True,
  'group': False,
  'constant_liar': True,
  'warn_independent_sampling': False,
}

Values = tuple[Any, ...]  # one of each axis of a space


class Told(NamedTuple):
  """A candidate that is over, as a sampler hears of it."""

  values: Values
  scores: dict[int, float]  # step -> validation accuracy in [0, 1], where it did not diverge
  ended: bool  # whether it was trained to its last step


def seed_of(*parts: Any) -> int:
  """A seed of 32 bits, by what it is for."""
  return int.from_bytes(hashlib.sha256(json.dumps(parts).encode()).digest()[:4], 'big')


def quasi_random(kind: str, space: Space, count: int, seed: int) -> list[Values]:
  """The first `count` different points of a scrambled sequence; fewer where the space has no more.

  A shorter list is the beginning of a longer one.

  Args:
    kind: sobol (Sobol 1967, scrambled as Matoušek 1998) or halton (Halton 1960, scrambled as Owen 2017).
    space: its axes.
    count: how many.
    seed: of the scrambling.
  """
  from scipy.stats import qmc

  if not space:
    return [()][:count]
  engine = {'sobol': qmc.Sobol, 'halton': qmc.Halton}[kind](len(space), scramble=True, rng=seed)
  found: dict[str, Values] = {}
  drawn = 0
  for power in range(SHORTEST, LONGEST + 1):
    shares = engine.random(2**power - drawn)  # a power of two in all, as Sobol's sequences are balanced
    drawn = 2**power
    for row in shares.tolist():
      values = tuple(axis.values.at(share) for axis, share in zip(space, row))
      found.setdefault(json.dumps(values), values)
    if len(found) >= count:
      break
  return list(found.values())[:count]


def check_optuna() -> None:
  """Raises `BadSetting` where Optuna is not installed."""
  if not find_spec('optuna'):
    raise BadSetting("The sampler tpe is Optuna's; install it with: pip install 'ssl_bench[tune]'.")


def ask(space: Space, told: Sequence[Told], count: int, seed: int) -> list[Values]:
  """The next `count` candidates of Optuna's TPE (Bergstra et al. 2011), after those that it is told.

  Its study is made anew from what is told, so nothing of it is kept anywhere; the sampler's seed is made of
  `seed` and the number told.  So every process asks the same.
  """
  import optuna

  optuna.logging.set_verbosity(optuna.logging.WARNING)
  distributions = {str(place): _distribution(axis.values) for place, axis in enumerate(space)}
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # of what Optuna calls experimental
    sampler = optuna.samplers.TPESampler(seed=seed_of(seed, len(told)), **TPE)
    study = optuna.create_study(direction='maximize', sampler=sampler)
    for one in told:
      study.add_trial(_trial(space, one, distributions))
    asked = [study.ask(distributions).params for _ in range(count)]
  return [tuple(_value(axis.values, one[str(place)]) for place, axis in enumerate(space)) for one in asked]


def _trial(space: Space, told: Told, distributions: dict[str, Any]) -> Any:
  """A trial of Optuna's; what was given up counts by its last score, and below all others without one."""
  from optuna.trial import TrialState, create_trial

  params = {str(place): _param(axis.values, told.values[place]) for place, axis in enumerate(space)}
  known: dict[str, Any] = {'params': params, 'distributions': distributions}
  if told.ended and told.scores:
    return create_trial(value=told.scores[max(told.scores)], intermediate_values=told.scores, **known)
  return create_trial(state=TrialState.PRUNED, intermediate_values=told.scores, **known)


def _distribution(values: Numbers | Choice) -> Any:
  from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

  if isinstance(values, Choice):
    return CategoricalDistribution(range(len(values.values)))
  make: Any = IntDistribution if values.integer else FloatDistribution
  return make(values.low, values.high, log=values.log)


def _param(values: Numbers | Choice, value: Any) -> Any:
  return values.values.index(value) if isinstance(values, Choice) else value


def _value(values: Numbers | Choice, param: Any) -> Any:
  if isinstance(values, Choice):
    return values.values[param]
  return int(param) if values.integer else values.rounded(param)
