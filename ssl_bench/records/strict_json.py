"""Strict JSON: finite numbers, no repeated names, limited depth, text that UTF-8 can hold."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from ssl_bench.settings.signature import BadSetting

# The words that stand for numbers that are not finite in a record.
WORDS = {'NaN': math.nan, 'Infinity': math.inf, '-Infinity': -math.inf}
DEPTH = 24  # levels of nesting that are read
LARGEST = 2**63  # whole numbers beyond this are refused

_HALF = re.compile(r'\\u[dD][89a-fA-F]')  # a surrogate, which may be half of a character


def loads(text: str) -> Any:
  """The value of a JSON text.

  Raises ValueError, with a sentence, for what is no JSON, a number that is not finite or a whole number
  beyond 2^63, a name that an object has twice, nesting of more than 24 levels, or text with half a character.
  """
  tree = _quick(text)
  return _slow(text) if tree is _DOUBT else tree


_DOUBT = object()  # what `_quick` gives for a text that `loads` might refuse


def _quick(text: str) -> Any:
  """The value of a text without a fault, by a parser that knows fewer faults and no sentences for them.

  Every name of an object is followed by a quote and a colon, so where there are as many of these as names in
  the tree, no name was there twice.
  """
  try:
    tree = from_json(text, allow_inf_nan=False)
    names = _count_names([tree], DEPTH + 1)
  except (ValueError, TypeError):
    return _DOUBT
  if any(blank in text for blank in (' :', '\t:', '\n:', '\r:')) or _HALF.search(text):
    return _DOUBT
  return tree if names == text.count('":') else _DOUBT


def _count_names(tree: Any, left: int) -> int:
  """The names of all objects in an object or a list; raises ValueError where it has a fault of `loads`."""
  if not left:
    raise ValueError
  names, parts = (len(tree), tree.values()) if type(tree) is dict else (0, tree)
  for part in parts:
    kind = type(part)
    if kind is float:
      if part - part != 0:  # infinite
        raise ValueError
    elif kind is dict or kind is list:
      names += _count_names(part, left - 1)
    elif kind is int and not -LARGEST <= part <= LARGEST:
      raise ValueError
  return names


def _slow(text: str) -> Any:
  """As `loads`."""
  hooks: dict[str, Any] = {'parse_constant': _no_number, 'parse_float': _finite, 'parse_int': _whole}
  try:
    tree = json.loads(text, object_pairs_hook=_once, **hooks)
  except json.JSONDecodeError as error:
    raise ValueError(f'it is not JSON: {error}') from None
  except RecursionError:
    raise ValueError(f'it is nested more than {DEPTH} levels deep') from None
  _check_depth(tree, DEPTH)
  if _HALF.search(text):
    try:
      json.dumps(tree, ensure_ascii=False).encode()
    except UnicodeEncodeError:
      raise ValueError('it holds half of a UTF-16 character') from None
  return tree


def _no_number(word: str) -> Any:
  raise ValueError(f'it holds {word}, which is no number in JSON')


def _finite(digits: str) -> float:
  value = float(digits)
  return value if math.isfinite(value) else _no_number(digits[:40])


def _whole(digits: str) -> int:
  if len(digits) > 20 or abs(value := int(digits)) > LARGEST:
    raise ValueError(f'it holds the whole number {digits[:24]}…, which is too large')
  return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
  tree = dict(pairs)
  if len(tree) < len(pairs):
    names = [name for name, _ in pairs]
    twice = next(name for name in names if names.count(name) > 1)
    raise ValueError(f'it names {twice[:80]!r} twice in one object')
  return tree


def _check_depth(tree: Any, left: int) -> None:
  if not left:
    raise ValueError(f'it is nested more than {DEPTH} levels deep')
  for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
    if isinstance(part, (dict, list)):
      _check_depth(part, left - 1)


def words_for_nonfinite(value: Any) -> Any:
  """Plain data in which the words `NaN`, `Infinity` and `-Infinity` replace numbers that are not finite."""
  if isinstance(value, float) and not math.isfinite(value):
    return 'NaN' if math.isnan(value) else 'Infinity' if value > 0 else '-Infinity'
  return _each(value, words_for_nonfinite)


def unsaid(value: Any) -> Any:
  """The number that a word of `WORDS` stands for; any other value unchanged."""
  return WORDS.get(value, value) if isinstance(value, str) else value


def check_finite(value: Any, where: str) -> Any:
  """Plain data unchanged; raises `BadSetting`, with the place, for a number that is not finite."""
  if isinstance(value, float) and not math.isfinite(value):
    raise BadSetting(
      f'{where} is {words_for_nonfinite(value)}; what decides a trial must be a finite number.'
    )
  if isinstance(value, Mapping):
    return {_text(k): check_finite(v, f'{where}.{k}') for k, v in value.items()}
  return _each(value, lambda part: check_finite(part, where))


def _each(value: Any, change: Any) -> Any:
  if isinstance(value, Mapping):
    return {_text(k): change(v) for k, v in value.items()}
  if isinstance(value, (list, tuple)):
    return [change(v) for v in value]
  return _text(value) if isinstance(value, str) else value


def _text(text: Any) -> str:
  """Text that UTF-8 can hold: a byte of a file name that is not text is written as an escape."""
  return str(text).encode('utf-8', 'backslashreplace').decode()


def printable(text: str) -> str:
  """Text on one line, with characters that a terminal cannot show written as escapes."""
  line = ' '.join(text.split())
  return line if line.isprintable() else ''.join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
