"""A factory's signature is its schema: names, types, ranges and defaults are read from there.

Methods, nets, optimizers and augmentations are plain functions.  Their keyword-only parameters are
what a user may set; their positional parameters are facts, which the bench fills in by name.
"""

import difflib
import inspect
import math
import re
import sys
import typing
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import ModuleType
from typing import Annotated, Any, Literal, NamedTuple

import yaml

from ssl_bench.settings.yaml12 import fault_of, is_yaml, parse_yaml

STATIC = 'static'
Static = Annotated[float, STATIC]  # a float that decides a shape: compiled, not traced
ADDED = 'added'  # marks a setting that older records do not name: a config writes it only off its default

# The range of single precision, in which numbers are traced; beyond it a number becomes infinity or zero.
LARGEST, SMALLEST = 3.4028234663852886e38, 1.1754943508222875e-38
MOST = 2**31 - 1  # the largest whole number of a setting without a range
LONGEST = 100  # the most values of a list


class BadSetting(ValueError):
  """A mistake in what the user wrote; the message is one sentence that says what to write instead."""


class Range(NamedTuple):
  """The closed interval [low, high]; `above` and `below` leave its ends out."""

  low: float = -math.inf
  high: float = math.inf
  above: bool = False
  below: bool = False

  def __contains__(self, value: Any) -> bool:
    over = value > self.low if self.above else value >= self.low
    under = value < self.high if self.below else value <= self.high
    return bool(over and under)

  def __str__(self) -> str:
    left = '(' if self.above or self.low == -math.inf else '['
    right = ')' if self.below or self.high == math.inf else ']'
    return f'{left}{_ends(self.low)}, {_ends(self.high)}{right}'


def _ends(value: float) -> str:
  if math.isinf(value):
    return str(value).replace('inf', '∞')
  return str(value) if isinstance(value, int) else f'{value:g}'


POSITIVE = Range(0, above=True)
UNIT = Range(0, 1)


class Setting(NamedTuple):
  """One keyword-only parameter of a factory."""

  name: str
  type: Any
  default: Any
  range: Range | None
  static: bool
  added: bool

  @property
  def is_number(self) -> bool:
    """Whether the value is traced (a float) rather than compiled in."""
    return self.type is float and not self.static

  @property
  def required(self) -> bool:
    return self.default is inspect.Parameter.empty


def factory_in(module: ModuleType, kind: str) -> Callable:
  """The factory of a module, which has the module's name; raises `BadSetting` where there is none."""
  name = module.__name__.rpartition('.')[-1]
  factory = getattr(module, name, None)
  if not inspect.isfunction(factory):
    raise BadSetting(f'The file of {kind} {name} must define a function {name}.')
  return factory


@cache
def settings_of(factory: Callable) -> Mapping[str, Setting]:
  """The keyword-only parameters of `factory`, in order."""
  hints = typing.get_type_hints(factory, include_extras=True)

  def setting(p: inspect.Parameter) -> Setting:
    hint = hints.get(p.name, Any)
    hint, *marks = typing.get_args(hint) if typing.get_origin(hint) is Annotated else (hint,)
    ranges = [m for m in marks if isinstance(m, Range)]
    return Setting(p.name, hint, p.default, ranges[0] if ranges else None, STATIC in marks, ADDED in marks)

  parameters = inspect.signature(factory).parameters.values()
  return {p.name: setting(p) for p in parameters if p.kind is p.KEYWORD_ONLY}


@cache
def facts_of(factory: Callable) -> tuple[str, ...]:
  """The positional parameters of `factory`: the facts that the bench passes to it."""
  parameters = inspect.signature(factory).parameters.values()
  return tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)


def needs(factory: Callable, fact: str) -> bool | None:
  """True if `factory` cannot be called without a fact, False if it can, None if it has no such fact."""
  parameter = inspect.signature(factory).parameters.get(fact)
  if parameter is None or parameter.kind is not parameter.POSITIONAL_OR_KEYWORD:
    return None
  return parameter.default is parameter.empty


def check(factory: Callable, given: Mapping[str, Any], where: str | None = None) -> dict[str, Any]:
  """All settings of `factory`: the given ones, checked and converted, and the defaults of the others.

  Raises `BadSetting` for an unknown name, a wrong type, a value out of range or a missing one.
  """
  where = where or str(getattr(factory, '__name__', factory))
  settings = settings_of(factory)
  for name in given:
    if name not in settings:
      raise BadSetting(f'{where} has no setting {short(name)}; {suggest(name, settings)}')
  checked = {}
  for name, setting in settings.items():
    if name in given:
      checked[name] = convert(setting, given[name], where)
    elif setting.required:
      raise BadSetting(f'{where} needs a value for {name!r}.')
    else:
      checked[name] = setting.default
  return checked


def convert(setting: Setting, value: Any, where: str) -> Any:
  """`value` as the setting's type; raises `BadSetting` if it does not fit."""
  fitted = _fit(setting.type, value)
  if fitted is _MISFIT:
    if isinstance(value, float) and not math.isfinite(value):
      raise BadSetting(f'{where}: {setting.name} must be a finite number, not {value}.')
    raise BadSetting(f'{where}: {setting.name} must be {describe_type(setting.type)}, not {short(value)}.')
  entries = fitted if isinstance(fitted, tuple) else (fitted,)
  if len(entries) > LONGEST:
    raise BadSetting(f'{where}: {setting.name} holds {len(entries)} values; at most {LONGEST} can be.')
  for entry in entries:
    limits = setting.range or (Range(-MOST, MOST) if type(entry) is int else None)
    if limits is not None and entry is not None and entry not in limits:
      raise BadSetting(f'{where}: {setting.name} must be in {limits}, not {short(value)}.')
    if isinstance(entry, float) and not fits_single(entry):
      raise BadSetting(
        f'{where}: {setting.name} must be 0 or from {SMALLEST:.1e} to {LARGEST:.1e} in size, '
        f'what single precision holds, not {short(value)}.'
      )
  return fitted


def fits_single(value: float) -> bool:
  """Whether single precision can hold a finite number, up to rounding."""
  return value == 0 or SMALLEST <= abs(value) <= LARGEST


def short(value: Any, most: int = 80) -> str:
  """A value as Python writes it, cut where it is long."""
  try:
    text = repr(value)
  except ValueError:  # a whole number of thousands of digits
    return 'a number of thousands of digits'
  return text if len(text) <= most else f'{text[:most]}…'


_MISFIT = object()  # the result of `_fit` for a value of another type; None is a value


def _fit(hint: Any, value: Any) -> Any:
  """`value` as the type `hint`, or `_MISFIT`; of a union the first that fits; int -> float, list -> tuple."""
  origin, args = typing.get_origin(hint), typing.get_args(hint)
  if hint is Any:
    return value
  if origin is Literal:
    return next((arg for arg in args if arg == value and type(arg) is type(value)), _MISFIT)
  if origin is tuple:
    if not isinstance(value, (list, tuple)):
      return _MISFIT
    inner = [args[0]] * len(value) if args[1:] == (...,) else list(args)
    fitted = tuple(_fit(h, v) for h, v in zip(inner, value)) if len(inner) == len(value) else (_MISFIT,)
    return _MISFIT if any(f is _MISFIT for f in fitted) else fitted
  if args:  # a union
    fits = [f for f in (_fit(h, value) for h in args) if f is not _MISFIT]
    return fits[0] if fits else _MISFIT
  if hint in (None, type(None)):
    return None if value is None else _MISFIT
  if hint is bool:
    return value if isinstance(value, bool) else _MISFIT
  if hint is int:
    return value if isinstance(value, int) and not isinstance(value, bool) else _MISFIT
  if hint is float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) + 0.0 if number and abs(value) <= sys.float_info.max else _MISFIT  # -0.0 is 0.0
  return value if isinstance(value, hint) else _MISFIT


def describe_type(hint: Any) -> str:
  """A type in words for a user, such as `a whole number or nothing`."""
  if typing.get_origin(hint) is Literal:
    return 'one of ' + ', '.join(map(str, typing.get_args(hint)))
  if typing.get_origin(hint) is tuple:
    return 'a list of ' + ' and '.join(describe_type(h) for h in typing.get_args(hint) if h is not ...)
  if args := typing.get_args(hint):
    return ' or '.join(describe_type(h) for h in args)
  names = {float: 'a number', int: 'a whole number', bool: 'true or false', str: 'text'}
  return names.get(hint, 'nothing' if hint in (None, type(None)) else getattr(hint, '__name__', str(hint)))


def suggest(name: Any, known: Iterable[str]) -> str:
  """`did you mean …?`, or the whole list where nothing is near."""
  known = list(known)
  if near := nearest(name, known):
    return f'did you mean {near!r}?'
  return f'choose from {", ".join(known)}.' if known else 'it has none.'


def nearest(name: Any, known: Iterable[str]) -> str | None:
  """The known name nearest to `name`, if one is near; capitals, spaces, `-` and `_` do not count."""
  plain = {_plain(candidate): candidate for candidate in reversed(list(known))}
  near = difflib.get_close_matches(_plain(str(name)[:200]), plain, n=1, cutoff=0.5)
  return plain[near[0]] if near else None


def _plain(name: str) -> str:
  return re.sub(r'[-_\s]', '', name.casefold())


def parse_call(text: str) -> tuple[str, list[Any], dict[str, Any]]:
  """`'cutout(16, fill=gray)'` as `('cutout', [16], {'fill': 'gray'})`; values are read as YAML."""
  match = re.fullmatch(r'\s*([A-Za-z_]\w*)\s*(?:\((.*)\))?\s*', text, re.DOTALL)
  if not match:
    raise BadSetting(f'{short(text.strip())} is not of the form name(value, name=value).')
  positional: list[Any] = []
  named: dict[str, Any] = {}
  for part in split(match[2]) if (match[2] or '').strip() else ():
    name, eq, value = part.partition('=')
    if not part.strip():
      raise BadSetting(f'{short(text.strip())}: a value is missing beside a comma.')
    if eq and name.strip().isidentifier():
      if name.strip() in named:
        raise BadSetting(f'{short(text.strip())}: {name.strip()} stands twice; leave one of them out.')
      named[name.strip()] = _read_part(value, text)
    elif named:
      raise BadSetting(
        f'{short(text.strip())}: {short(part.strip())} stands after a named value; name it too.'
      )
    else:
      positional.append(_read_part(part, text))
  return match[1], positional, named


def _read_part(part: str, text: str) -> Any:
  try:
    return parse_yaml(part)
  except yaml.YAMLError as error:
    why = f': {fault_of(error)[1]}.' if is_yaml(error) else '.'
    raise BadSetting(f'{short(text.strip())}: {short(part.strip())} cannot be read as a value{why}') from None


def split(text: str, at: str = ',') -> list[str]:
  """Splits at the commas (or another character `at`) outside brackets."""
  parts, depth, start = [], 0, 0
  for i, c in enumerate(text):
    depth += (c in '([{') - (c in ')]}')
    if c == at and depth == 0:
      parts.append(text[start:i])
      start = i + 1
  parts.append(text[start:])
  return parts


def bind(factory: Callable, positional: Iterable[Any], named: Mapping[str, Any]) -> dict[str, Any]:
  """The checked settings of a call that a user wrote; values without a name fill the settings in order."""
  where = getattr(factory, '__name__', str(factory))
  names, values = list(settings_of(factory)), list(positional)
  if len(values) > len(names):
    raise BadSetting(f'{where} takes at most {len(names)} settings ({", ".join(names)}), not {len(values)}.')
  given = dict(zip(names, values))
  if twice := given.keys() & named.keys():
    raise BadSetting(f'{where} got {sorted(twice)[0]!r} twice.')
  return check(factory, given | dict(named))
