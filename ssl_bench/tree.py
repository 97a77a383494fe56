"""Settings as nested plain data: read from YAML, laid over one another, changed by dotted names."""

import copy
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ssl_bench.signature import BadSetting, parse_yaml, suggest

NAMED = (
  'method',
  'net',
  'text_net',
  'optimizer',
)  # sections {name: …, setting: …} checked against a signature
EXACT = 2**53  # below which a float without a fraction reads better as a whole number


def read_protocol(folder: Path) -> dict[str, Any]:
  """What every method shares on a dataset, or nothing."""
  path = folder / '_protocol.yaml'
  return read_sections(path) if path.is_file() else {}


def read_sections(path: Path) -> dict[str, Any]:
  """A file's settings over those of the file beside it that it names as its `base`, if it does."""
  tree = spell_out(read_yaml(path))
  base = tree.pop('base', None)
  if base is None:
    return tree
  under = path.parent / str(base)
  if under == path or not under.is_file():
    raise BadSetting(f'{path}: base must name another file in {path.parent}; there is no {base!r}.')
  return merge(read_sections(under), tree)


def spell_out(tree: Mapping[str, Any]) -> dict[str, Any]:
  """`{'method': 'byol'}` as `{'method': {'name': 'byol'}}`, in a teacher as well."""

  def spelled(key, value):
    if key in NAMED and isinstance(value, str):
      return {'name': value}
    return spell_out(value) if key == 'teacher' and isinstance(value, Mapping) else value

  return {key: spelled(key, value) for key, value in tree.items()}


def check_file(path: Path, kind: str) -> None:
  """Raises `BadSetting` with the nearest right name where `path` is no file."""
  if path.is_file():
    return
  folder = path if path.is_dir() else path.parent
  near = sorted(str(p) for p in folder.glob('*.yaml') if not p.name.startswith('_'))
  what = f'{str(path)!r} is a folder, not a {kind}' if path.is_dir() else f'There is no {kind} {str(path)!r}'
  told = f'choose from {", ".join(near)}.' if path.is_dir() else suggest(path, near)
  raise BadSetting(f'{what}; {told}' if near else f'{what}.')


def read_yaml(path: Path) -> dict[str, Any]:
  try:
    tree = parse_yaml(path.read_text())
  except UnicodeDecodeError:
    raise BadSetting(f'{path} is not a text file in UTF-8.') from None
  except yaml.YAMLError as error:
    mark = getattr(error, 'problem_mark', None)
    at = f' line {mark.line + 1}' if mark else ''
    raise BadSetting(f'{path}{at} is not YAML: {getattr(error, "problem", error)}.') from None
  if not isinstance(tree or {}, dict):
    raise BadSetting(f'{path} should hold settings of the form name: value.')
  return tree or {}


def parse_override(text: str) -> tuple[str, Any]:
  """`'method.threshold=0.9'` as ('method.threshold', 0.9)."""
  name, eq, value = text.partition('=')
  if not eq or not name.strip():
    raise BadSetting(f'{text!r} is not of the form key=value.')
  try:
    return name.strip(), parse_yaml(value)
  except yaml.YAMLError:
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


def merge(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
  """`top` over `base`; a section whose name changes starts anew, since its settings are others."""
  out = dict(copy.deepcopy(base))
  for key, value in top.items():
    old = out.get(key)
    if (
      isinstance(old, dict)
      and isinstance(value, dict)
      and value.get('name', old.get('name')) == old.get('name')
    ):
      out[key] = merge(old, value)
    else:
      out[key] = copy.deepcopy(value)
  return out


def flatten(tree: Any, prefix: str = '') -> dict[str, str]:
  """A nested mapping as {'dotted.name': 'value as text'}."""
  if not isinstance(tree, Mapping):
    return {prefix: write(tree)}
  return {
    k: v for name in sorted(tree) for k, v in flatten(tree[name], f'{prefix}.{name}'.strip('.')).items()
  }


def write(value: Any) -> str:
  """A setting as a user would write it."""
  if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
    return str(int(value))
  return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
