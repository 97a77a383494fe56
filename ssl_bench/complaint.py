"""What pydantic complains of, as one sentence that a user can act on."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from ssl_bench.signature import suggest

_PLAIN = {
  'a valid integer': 'a whole number',
  'a valid number': 'a number',
  'a valid string': 'text',
  'a valid tuple': 'a list',
}


def explain(error: Mapping[str, Any], tree: Mapping[str, Any], model: type[BaseModel]) -> str:
  """A complaint of pydantic's on `tree`, which should have been a `model`, as a sentence."""
  where = '.'.join(str(p) for p in error['loc'] if p not in ('int', 'float', 'constrained-int'))
  if error['loc'][-1] == '[key]' or error['type'] == 'invalid_key':
    return f'A name of a setting must be text, not {say(error["input"])}.'
  if error['type'] == 'extra_forbidden':
    *path, name = error['loc']
    within = [f'{k}.{name}' for k, v in tree.items() if isinstance(v, Mapping) and name in v and not path]
    near = f'did you mean {within[0]!r}?' if within else suggest(name, _fields(model, path))
    return f'There is no setting {where!r}; {near}'
  if error['type'] == 'missing':
    return f'The config needs a value for {where!r}.'
  if error['type'] in ('dict_type', 'model_type'):
    return f'{where} must be settings of the form {{name: value}}, not {say(error["input"])}.'
  must = error['msg'].removeprefix('Input should be ')
  return f'{where} must be {_PLAIN.get(must, must)}, not {say(error["input"])}.'


def say(value: Any) -> str:
  """A value as YAML writes it."""
  return 'null' if value is None else str(value).lower() if isinstance(value, bool) else repr(value)


def _fields(model: Any, path: Iterable[Any]) -> list[str]:
  for part in path:
    annotation = model.model_fields[part].annotation
    model = annotation if isinstance(annotation, type) else annotation.__args__[0]
  return list(model.model_fields)
