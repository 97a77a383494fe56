"""A factory's signature is its schema: names, types, ranges and defaults are read from there.

Methods, nets, optimizers and augmentations are plain functions.  Their keyword-only parameters are
what a user may set; their positional parameters are facts that the bench fills in by name.
"""

import difflib
import inspect
import math
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple

import yaml

STATIC = 'static'
Static = Annotated[float, STATIC]  # a float that decides a shape: compiled, not traced


class BadSetting(ValueError):
  """Something that the user wrote cannot be; the message says what to write instead."""


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
  return str(value).replace('inf', '∞') if math.isinf(value) else f'{value:g}'


POSITIVE = Range(0, above=True)
UNIT = Range(0, 1)


class Setting(NamedTuple):
  """One keyword-only parameter of a factory."""

  name: str
  type: Any
  default: Any
  range: Range | None
  static: bool

  @property
  def is_number(self) -> bool:
    """Whether the value is traced (a float) rather than compiled in."""
    return self.type is float and not self.static

  @property
  def required(self) -> bool:
    return self.default is inspect.Parameter.empty


@cache
def settings_of(factory: Callable) -> Mapping[str, Setting]:
  """The keyword-only parameters of `factory`, in order."""
  hints = typing.get_type_hints(factory, include_extras=True)

  def setting(p: inspect.Parameter) -> Setting:
    hint, *marks = _unwrap(hints.get(p.name, Any))
    ranges = [m for m in marks if isinstance(m, Range)]
    return Setting(p.name, hint, p.default, ranges[0] if ranges else None, STATIC in marks)

  parameters = inspect.signature(factory).parameters.values()
  return {p.name: setting(p) for p in parameters if p.kind is p.KEYWORD_ONLY}


@cache
def facts_of(factory: Callable) -> tuple[str, ...]:
  """The positional parameters of `factory`: what the bench has to know to call it."""
  parameters = inspect.signature(factory).parameters.values()
  return tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)


def needs(factory: Callable, fact: str) -> bool | None:
  """True if `factory` cannot be called without a fact, False if it can, None if it has no such fact."""
  parameter = inspect.signature(factory).parameters.get(fact)
  if parameter is None or parameter.kind is not parameter.POSITIONAL_OR_KEYWORD:
    return None
  return parameter.default is parameter.empty


def _unwrap(hint: Any) -> tuple[Any, ...]:
  if typing.get_origin(hint) is Annotated:
    return typing.get_args(hint)
  return (hint,)


def check(factory: Callable, given: Mapping[str, Any], where: str | None = None) -> dict[str, Any]:
  """All settings of `factory`: those given, checked and converted, and the defaults of the rest.

  Raises `BadSetting` for an unknown name, a wrong type, a value out of range or a missing one.
  """
  where = where or str(getattr(factory, '__name__', factory))
  settings = settings_of(factory)
  for name in given:
    if name not in settings:
      raise BadSetting(f'{where} has no setting {name!r}; {suggest(name, settings)}')
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
    raise BadSetting(f'{where}: {setting.name} must be {describe_type(setting.type)}, not {value!r}.')
  if setting.range is not None and fitted is not None:
    for one in fitted if isinstance(fitted, tuple) else (fitted,):
      if one not in setting.range:
        raise BadSetting(f'{where}: {setting.name} must be in {setting.range}, not {value!r}.')
  return fitted


_MISFIT = object()


def _fit(hint: Any, value: Any) -> Any:
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
    return float(value) if number and math.isfinite(value) else _MISFIT
  return value if isinstance(value, hint) else _MISFIT


def describe_type(hint: Any) -> str:
  """A type as a user would say it."""
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
  if near := difflib.get_close_matches(str(name), known, n=1, cutoff=0.5):
    return f'did you mean {near[0]!r}?'
  return f'choose from {", ".join(known)}.' if known else 'it has none.'


def parse_call(text: str) -> tuple[str, list[Any], dict[str, Any]]:
  """`'cutout(16, fill=gray)'` as `('cutout', [16], {'fill': 'gray'})`; values are read as YAML."""
  match = re.fullmatch(r'\s*([A-Za-z_]\w*)\s*(?:\((.*)\))?\s*', text, re.DOTALL)
  if not match:
    raise BadSetting(f'{text.strip()!r} is not of the form name(value, name=value).')
  positional, named = [], {}
  for part in _split(match[2] or ''):
    name, eq, value = part.partition('=')
    if eq and name.strip().isidentifier():
      named[name.strip()] = _read_part(value, text)
    elif named:
      raise BadSetting(f'{text.strip()!r}: {part.strip()!r} stands after a named value; name it too.')
    else:
      positional.append(_read_part(part, text))
  return match[1], positional, named


def _read_part(part: str, text: str) -> Any:
  try:
    return parse_yaml(part)
  except yaml.YAMLError:
    raise BadSetting(f'{text.strip()!r}: {part.strip()!r} cannot be read as a value.') from None


class _Loader(yaml.SafeLoader):
  """YAML in which 1e-3 is a number, as version 1.2 has it."""


_Loader.add_implicit_resolver(
  'tag:yaml.org,2002:float', re.compile(r'[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$'), list('-+.0123456789')
)


def parse_yaml(text: str) -> Any:
  """Plain data; raises `yaml.YAMLError`."""
  return yaml.load(text, _Loader)


def _split(text: str, at: str = ',') -> list[str]:
  """Splits at commas that stand outside brackets."""
  parts, depth, start = [], 0, 0
  for i, c in enumerate(text):
    depth += (c in '([') - (c in ')]')
    if c == at and depth == 0:
      parts.append(text[start:i])
      start = i + 1
  parts.append(text[start:])
  return [p for p in parts if p.strip()]


def bind(factory: Callable, positional: Iterable[Any], named: Mapping[str, Any]) -> dict[str, Any]:
  """Checked settings of a call as a user writes it: values without a name fill settings in order."""
  where = getattr(factory, '__name__', str(factory))
  names, values = list(settings_of(factory)), list(positional)
  if len(values) > len(names):
    raise BadSetting(f'{where} takes at most {len(names)} settings ({", ".join(names)}), not {len(values)}.')
  given = dict(zip(names, values))
  if twice := given.keys() & named.keys():
    raise BadSetting(f'{where} got {sorted(twice)[0]!r} twice.')
  return check(factory, given | dict(named))
