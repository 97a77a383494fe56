"""A space of settings: each axis maps a number of [0, 1) to values of one setting, or of several at once."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, StrictFloat, StrictInt, ValidationError

from ssl_bench.settings.explain import explain
from ssl_bench.settings.signature import BadSetting, short

DIGITS = 4  # of a number that is drawn, so that a config reads well
FIXED = ('steps', 'dataset', 'labels', 'split_seed', 'seed', 'fold', 'method', 'plugins', 'protocol')
Settings = dict[str, Any]  # dotted name -> value


class Numbers(BaseModel):
  """The numbers from `low` to `high`; `log`: evenly by their logarithm; `integer`: whole ones only."""

  model_config = ConfigDict(frozen=True, extra='forbid')

  low: StrictInt | StrictFloat
  high: StrictInt | StrictFloat
  log: bool = False
  integer: bool = False

  def at(self, share: float) -> float | int:
    """The number at a share of [0, 1) of the way."""
    high = self.high + 1 if self.integer else self.high
    if self.log:
      low, top = math.log(self.low), math.log(high)
      number = math.exp(low + share * (top - low))
    else:
      number = self.low + share * (high - self.low)
    if self.integer:
      return min(int(self.high), max(int(self.low), math.floor(number)))  # exp(log(5)) is below 5
    return self.rounded(number)

  def rounded(self, number: float) -> float:
    """A number with `DIGITS` digits, within the range."""
    return float(min(self.high, max(self.low, float(f'{number:.{DIGITS}g}'))))


class Choice(NamedTuple):
  """One of some values."""

  values: tuple[Any, ...]

  def at(self, share: float) -> Any:
    """The value at a share of [0, 1) of the way."""
    return self.values[int(share * len(self.values))]


class Axis(NamedTuple):
  """A setting that is tuned, or several that move together."""

  names: tuple[str, ...]
  values: Numbers | Choice

  def settings(self, value: Any) -> Settings:
    """What one value of the axis sets."""
    return {self.names[0]: value} if len(self.names) == 1 else dict(zip(self.names, value))


Space = tuple[Axis, ...]


def read_space(tree: Any) -> Space:
  """The space of a file: dotted name -> {low, high, log, integer}, or a list to choose from.

  Raises `BadSetting` with the name that is wrong.
  """
  if not isinstance(tree or {}, Mapping):
    raise BadSetting(f'a space holds settings of the form name: values, not {short(tree)}.')
  axes = tuple(_axis(str(key), values) for key, values in (tree or {}).items())
  names = [name for axis in axes for name in axis.names]
  for name in names:
    is_steps = name == 'steps' or (name.startswith('teacher.') and name.endswith('.steps'))
    if is_steps or name in FIXED:
      why = 'is what the budget counts' if is_steps else 'is no setting to be tuned'
      raise BadSetting(f'{name!r} {why}; leave it out of the space.')
    if names.count(name) > 1 or any(other.startswith(f'{name}.') for other in names):
      raise BadSetting(f'{name!r} stands twice in one space; leave one of them out.')
  return axes


def _axis(key: str, values: Any) -> Axis:
  names = tuple(name.strip() for name in key.split(','))
  if isinstance(values, list):
    if not values:
      raise BadSetting(f'{key!r} has no value to choose from; write one or leave it out.')
    if len(names) > 1 and not all(isinstance(value, list) and len(value) == len(names) for value in values):
      raise BadSetting(f'{key!r} moves {len(names)} settings together: each value is a list of {len(names)}.')
    return Axis(names, Choice(tuple(values)))
  if not isinstance(values, Mapping) or len(names) > 1:
    raise BadSetting(f'{key!r} needs a list to choose from, or {{low: …, high: …}}, not {short(values)}.')
  try:
    numbers = Numbers.model_validate(values)
  except ValidationError as error:
    raise BadSetting(f'{key!r}: {explain(error.errors(), values, Numbers, {})}') from None
  if not (math.isfinite(numbers.low) and math.isfinite(numbers.high) and numbers.low < numbers.high):
    raise BadSetting(f'{key!r}: low must be below high, and both finite.')
  if numbers.log and numbers.low <= 0:
    raise BadSetting(f'{key!r}: with log, low must be above 0.')
  if numbers.integer and not (isinstance(numbers.low, int) and isinstance(numbers.high, int)):
    raise BadSetting(f'{key!r}: with integer, low and high must be whole numbers.')
  return Axis(names, numbers)


def settings_of(space: Space, values: Sequence[Any]) -> Settings:
  """The settings of one value of each axis."""
  found: Settings = {}
  for axis, value in zip(space, values):
    found |= axis.settings(value)
  return found
