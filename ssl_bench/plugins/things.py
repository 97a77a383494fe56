"""What a plugin hands over: a function that has a name, or a row that has one."""

import inspect
from typing import Any

from ssl_bench.plugins.kinds import kind_of
from ssl_bench.settings.signature import BadSetting, short


def check_thing(kind: str, thing: Any, where: str) -> str:
  """The name of a plugin's thing; raises `BadSetting`, which begins with `where`, for what is none."""
  one = kind_of(kind)
  if one.row and type(thing).__name__ != one.row:
    raise BadSetting(f'{where}: a {one.noun} must be a row {one.row}(…), not {short(thing)}.')
  if not one.row and not inspect.isfunction(thing):
    raise BadSetting(f'{where}: a {one.noun} must be a function, not {short(thing)}.')
  name = thing.name if one.row else thing.__name__
  if not isinstance(name, str) or not name.isidentifier():
    raise BadSetting(f'{where}: the name of a {one.noun} must be a word, not {short(name)}.')
  return name


def fault(error: BaseException) -> str:
  """An exception in one line, without a full stop at its end."""
  said = ' '.join(str(error).split())[:300]
  return f'{type(error).__name__}: {said}'.rstrip(' .:')
