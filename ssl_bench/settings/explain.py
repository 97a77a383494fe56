"""What pydantic complains of, as one sentence that a user can act on."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel

from ssl_bench.settings.signature import nearest, short, suggest

_PLAIN = {
  'a valid integer': 'a whole number',
  'a valid number': 'a number',
  'a valid string': 'text',
  'a valid tuple': 'a list',
  'a valid boolean': 'true or false',
}
_UNION = ('int', 'float', 'constrained-int', 'constrained-float')  # parts of a place: members of a union


def explain(
  errors: Sequence[Mapping[str, Any]],
  tree: Mapping[str, Any],
  model: type[BaseModel],
  words: Mapping[str, Iterable[str]] = {},
) -> str:
  """Complaints of pydantic's on `tree`, which should have been a `model`, as one sentence on the first.

  Of a value that fits no member of a union it has several, of which one that says more counts.  `words` are
  those that the list of a name may hold.
  """
  error = errors[0]
  same = [e for e in errors if _place(e) == _place(error)]
  error = next((e for e in same if e['type'] == 'finite_number'), error)
  where, value = '.'.join(map(str, _place(error))), error['input']
  if error['loc'][-1] == '[key]' or error['type'] == 'invalid_key':
    name = error['loc'][-2] if error['loc'][-1] == '[key]' else error['loc'][-1]
    return f'A name of a setting must be text, not {say(name)}.'
  if error['type'] == 'extra_forbidden':
    *path, name = error['loc']
    within = [f'{k}.{name}' for k, v in tree.items() if isinstance(v, Mapping) and name in v and not path]
    near = f'did you mean {within[0]!r}?' if within else suggest(name, _fields(model, path))
    return f'There is no setting {short(where)}; {near}'
  if error['type'] == 'missing':
    return f'The config needs a value for {where!r}.'
  if error['type'] in ('dict_type', 'model_type'):
    return f'{where} must be settings of the form {{name: value}}, not {say(value)}.'
  if error['type'] == 'value_error':
    return f'{where} {error["ctx"]["error"]}.'
  if error['type'] == 'finite_number':
    return f'{where} must be a finite number, not {say(value)}.'
  if error['type'] == 'tuple_type' and isinstance(value, str):
    return f'{where} must be a list, not {say(value)}; write [{_word(value, model, error["loc"], words)}].'
  must = error['msg'].removeprefix('Input should be ')
  return f'{where} must be {_PLAIN.get(must, must)}, not {say(value)}{_hint(value, same)}.'


def say(value: Any) -> str:
  """A value as YAML writes it."""
  return 'null' if value is None else str(value).lower() if isinstance(value, bool) else short(value)


def _place(error: Mapping[str, Any]) -> tuple[Any, ...]:
  """Where a complaint belongs, without the member of a union."""
  return tuple(part for part in error['loc'] if part not in _UNION)


def _hint(text: Any, errors: Iterable[Mapping[str, Any]]) -> str:
  """How to write a number that somebody wrote in another way, if that is what it is."""
  wanted = {error['type'] for error in errors}
  if not isinstance(text, str) or len(text) > 40 or not wanted & {'int_type', 'float_type'}:
    return ''
  if (match := re.fullmatch(r'\s*(\d+(?:\.\d+)?)\s*%\s*', text)) and 'float_type' in wanted:
    return f'; write a share as a fraction, {float(match[1]) / 100:g}'
  if re.fullmatch(r'[-+]?\d[\d_,: ]*(?:\.\d*)?(?:[eE][-+]?\d+)?', text):
    return '; write a number with nothing between its digits'
  return ''


def _word(text: str, model: Any, place: Sequence[Any], words: Mapping[str, Iterable[str]]) -> str:
  """`text`, or the word nearest to it where the list at `place` is one of certain words."""
  for part in place:
    hint = model.model_fields[part].annotation
    model = hint if isinstance(hint, type) else get_args(hint)[0]
  known = words.get(place[-1]) or [str(word) for word in get_args(model)]
  return nearest(text, list(known)) or text[:80]


def _fields(model: Any, path: Iterable[Any]) -> list[str]:
  for part in path:
    annotation = model.model_fields[part].annotation
    model = annotation if isinstance(annotation, type) else annotation.__args__[0]
  return list(model.model_fields)
