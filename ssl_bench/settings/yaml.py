"""Settings as nested plain data: read from YAML, laid over one another, changed by dotted names."""

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

import yaml

from ssl_bench.settings.find import PROTOCOL, is_file
from ssl_bench.settings.paths import find_plugins
from ssl_bench.settings.signature import BadSetting, short
from ssl_bench.settings.yaml12 import fault_of, is_yaml, parse_yaml

NAMED = ('method', 'net', 'text_net', 'optimizer')  # sections {name: …}, checked against a signature
Place = tuple[str, ...]  # the names that lead to a setting
EXACT = 2**53  # below which a float without a fraction reads better as a whole number


def read_protocol(folder: Path) -> dict[str, Any]:
  """What every method shares on a dataset, or nothing."""
  path = folder / PROTOCOL
  return read_sections(path) if is_file(path) else {}


def read_sections(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
  """A file's settings over those of the file that it names as its `base`, if it does.

  That is a file of the same folder, or `../FOLDER/FILE` of a folder beside it.
  """
  tree = find_plugins(spell_out(read_yaml(path)), path)
  base = tree.pop('base', None)
  if base is None:
    return tree
  under = path.parent / base if isinstance(base, str) and _is_near(Path(base)) else path
  if not is_file(under) or under.resolve() == path.resolve():
    raise BadSetting(
      f'{path}: base must name another file in {path.parent}, or in a folder beside it such as '
      f'../cifar10/fixmatch.yaml; there is no {short(base)}.'
    )
  if under.resolve() in above:
    raise BadSetting(f'{path}: its base {base!r} stands on this file itself; leave one of them out.')
  return merge(read_sections(under, (*above, path.resolve())), tree)


def _is_near(base: Path) -> bool:
  """Whether it is FILE or ../FOLDER/FILE, which stay true where all of `configs` is copied."""
  parts = base.parts
  return len(parts) == 1 or (len(parts) == 3 and parts[0] == '..' != parts[1])


def spell_out(tree: Mapping[str, Any]) -> dict[str, Any]:
  """`{'method': 'byol'}` as `{'method': {'name': 'byol'}}`, in a teacher as well."""

  def spelled(key, value):
    if key in NAMED and isinstance(value, str):
      return {'name': value}
    return spell_out(value) if key == 'teacher' and isinstance(value, Mapping) else value

  return {key: spelled(key, value) for key, value in tree.items()}


def read_yaml(path: Path) -> dict[str, Any]:
  """What a file says; raises `BadSetting` where it is no text, no YAML, or no settings."""
  try:
    tree = parse_yaml(path.read_text(encoding='utf-8'))
  except UnicodeDecodeError:
    raise BadSetting(f'{path} is not a text file in UTF-8.') from None
  except yaml.YAMLError as error:
    line, problem = fault_of(error)
    what = 'cannot be read' if is_yaml(error) else 'is not YAML'
    raise BadSetting(f'{path}{f" line {line}" if line else ""} {what}: {problem}.') from None
  if tree is not None and not isinstance(tree, dict):
    raise BadSetting(f'{path} should hold settings of the form name: value.')
  return tree or {}


def parse_override(text: str) -> tuple[str, Any]:
  """`'method.threshold=0.9'` as ('method.threshold', 0.9)."""
  name, eq, value = text.partition('=')
  if not eq or not name.strip():
    raise BadSetting(f'{short(text)} is not of the form key=value.')
  try:
    return name.strip(), parse_yaml(value)
  except yaml.YAMLError as error:
    if is_yaml(error) or value.lstrip()[:1] in ('{', '[', '"', "'"):
      raise BadSetting(f'{short(text)} cannot be read: {fault_of(error)[1]}.') from None
    return name.strip(), value


def overlay(tree: Mapping[str, Any], settings: Iterable[tuple[str, Any]]) -> dict[str, Any]:
  """Settings by dotted name over `tree`, in any order: a section's name, which starts it anew, goes first."""
  out = dict(tree)
  for name, value in sorted(settings, key=lambda setting: not _starts_anew(setting[0])):
    out = merge(out, nest(name, value))
  return out


def _starts_anew(name: str) -> bool:
  """Whether a dotted name is that of a section's name, in a teacher as well."""
  while name.startswith('teacher.'):
    name = name.removeprefix('teacher.')
  return name.removesuffix('.name') in NAMED


def nest(name: str, value: Any) -> dict[str, Any]:
  """`('method.threshold', 0.9)` as {'method': {'threshold': 0.9}}; `method=byol` names the method."""
  for part in reversed(name.split('.')):
    value = {part: value}
  return spell_out(value)


def leaves(tree: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
  """(place, value) of everything in a tree that is no section with something in it."""
  if isinstance(tree, Mapping) and tree:
    for name, value in tree.items():
      yield from leaves(value, (*place, str(name)))
  else:
    yield place, tree


def merge(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
  """`top` over `base`; a section whose name changes starts anew, since its settings are others.

  `plugins` of both count: they say what there is, not what to do.
  """
  out = dict(copy.deepcopy(base))
  for key, value in top.items():
    old = out.get(key)
    if (
      isinstance(old, dict)
      and isinstance(value, dict)
      and value.get('name', old.get('name')) == old.get('name')
    ):
      out[key] = merge(old, value)
    elif key == 'plugins' and isinstance(old, list) and isinstance(value, list):
      out[key] = [*old, *(one for one in value if one not in old)]
    else:
      out[key] = copy.deepcopy(value)
  return out


def flatten(tree: Any, prefix: str = '') -> dict[str, str]:
  """A nested mapping as {'dotted.name': 'value as text'}."""
  found: dict[str, str] = {}
  _flatten(tree, prefix, found)
  return found


def _flatten(tree: Any, prefix: str, found: dict[str, str]) -> None:
  if not isinstance(tree, Mapping):
    found[prefix] = write(tree)
    return
  for name in sorted(tree):
    _flatten(tree[name], f'{prefix}.{name}'.strip('.'), found)


def write(value: Any) -> str:
  """A setting as a user would write it."""
  if isinstance(value, str):
    return value
  if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
    return str(int(value))
  if type(value) is int or (type(value) is float and isfinite(value)):
    return repr(value)  # as json has it, and a board has some hundred thousand of them
  return json.dumps(value, sort_keys=True)
