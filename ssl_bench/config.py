"""One trial is one config: typed, validated, frozen, and known by its digest."""

import copy
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, ValidationError

from ssl_bench import methods
from ssl_bench.signature import BadSetting, parse_yaml, suggest

Protocol = Literal['smoke', 'budget', 'paper']
NAMED = ('method', 'net', 'optimizer')  # sections {name: …, setting: …} checked against a signature
POLICIES = ('weak', 'strong')  # what a view can name


class Section(BaseModel):
  model_config = ConfigDict(frozen=True, extra='forbid')


class Batch(Section):
  """Images per step; the unlabeled batch holds labeled · unlabeled_ratio."""

  labeled: StrictInt = Field(64, ge=1)
  unlabeled_ratio: StrictInt = Field(7, ge=1)

  @property
  def unlabeled(self) -> int:
    return self.labeled * self.unlabeled_ratio


class Ema(Section):
  """The average of the parameters that is evaluated."""

  decay: StrictFloat = Field(0.999, ge=0, le=1)


class Evaluate(Section):
  """When to look at validation and test, and which probes to fit at the end."""

  every: StrictInt = Field(100, ge=1)  # steps between two evaluations
  last: StrictInt = Field(20, ge=1)  # evaluations whose median is recorded
  probes: tuple[Literal['linear', 'knn'], ...] = ('linear', 'knn')
  bootstrap: StrictInt = Field(1000, ge=100)  # resamples of an interval


class Checkpoint(Section):
  """When to save; `every` steps, and always at the end."""

  every: StrictInt = Field(1000, ge=1)


class Config(Section):
  """Everything that decides a trial."""

  dataset: str
  labels: StrictInt | StrictFloat = Field(gt=0)  # a count, or a fraction of the training part
  split_seed: StrictInt = Field(0, ge=0)
  fold: StrictInt | None = Field(None, ge=0)  # an official labeled fold, where the set has them (STL-10)
  seed: StrictInt = Field(0, ge=0, lt=2**32)
  protocol: Protocol = 'budget'
  method: dict[str, Any]
  net: dict[str, Any]
  batch: Batch = Batch()
  steps: StrictInt = Field(ge=1, lt=2**31)
  optimizer: dict[str, Any]
  ema: Ema | None = Ema()
  augment: dict[str, str]
  evaluate: Evaluate = Evaluate()
  checkpoint: Checkpoint = Checkpoint()
  log_every: StrictInt = Field(50, ge=1)


# What a config says about how to run, not about what comes out.
MANNER = ('checkpoint',)


def load(path: str | Path, overrides: Iterable[str] = (), *, need_data: bool = False) -> Config:
  """The config of a file: its folder's `_protocol.yaml`, then the file, then `key=value` overrides.

  A method needs no file of its own: `configs/digits/<method>.yaml` that is not there is the method on its
  signature's defaults.  With `need_data`, a data set that is not here is told before anything else.
  """
  path = Path(path)
  tree = read_protocol(path.parent)
  if tree and not path.exists() and path.suffix == '.yaml' and path.stem in methods.names():
    tree = merge(tree, {'method': {'name': path.stem}})
  else:
    check_file(path, 'config')
    tree = merge(tree, read_sections(path))
  tree = overlay(tree, map(parse_override, overrides))
  if need_data:
    check_data(tree)
  return validate(tree)


def check_data(tree: Mapping[str, Any]) -> None:
  """Raises `BadSetting` at once where the data set is not here: before what takes long is imported."""
  from ssl_bench import data

  if isinstance(tree.get('dataset'), str):
    data.check_here(tree['dataset'])


def read_protocol(folder: Path) -> dict[str, Any]:
  """What every method shares on a dataset, or nothing."""
  path = folder / '_protocol.yaml'
  return read_sections(path) if path.is_file() else {}


def read_sections(path: Path) -> dict[str, Any]:
  """A file's settings, a section that is only a name written as one."""
  return spell_out(read_yaml(path))


def spell_out(tree: Mapping[str, Any]) -> dict[str, Any]:
  """`{'method': 'byol'}` as `{'method': {'name': 'byol'}}`."""
  return {k: {'name': v} if k in NAMED and isinstance(v, str) else v for k, v in tree.items()}


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
  for name, value in sorted(settings, key=lambda setting: setting[0].removesuffix('.name') not in NAMED):
    out = merge(out, nest(name, value))
  return out


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


def validate(tree: Mapping[str, Any]) -> Config:
  """The config of a tree, every setting written out; raises `BadSetting` with one sentence."""
  tree = spell_out(tree)
  for section in NAMED:
    if not isinstance(tree.get(section, {}), Mapping):
      raise BadSetting(f'{section} must be a name, or {{name: …}} with settings, not {_say(tree[section])}.')
  try:
    config = Config.model_validate(tree)
  except ValidationError as error:
    raise BadSetting(_sentence(error.errors()[0], tree)) from None
  return resolve(config)


def resolve(config: Config) -> Config:
  """Checks names and settings against the signatures they belong to, and writes out the defaults."""
  from ssl_bench import augment, data, methods, nets
  from ssl_bench.train import optim

  data.check_name(config.dataset)
  for need in POLICIES:
    if need not in config.augment:
      raise BadSetting(f'augment needs a policy named {need!r}, such as augment.{need}=none.')
  for name in config.augment:
    if name not in POLICIES:
      raise BadSetting(f'There is no policy {name!r} in augment; {suggest(name, POLICIES)}')
  for text in config.augment.values():
    augment.parse(text)
  if isinstance(config.labels, float) and config.labels > 1:
    raise BadSetting(f'labels is a count or a fraction up to 1, not {config.labels}.')
  return config.model_copy(
    update={
      'method': _named('method', config.method, methods.get),
      'net': _named('net', config.net, nets.get),
      'optimizer': optim.check_optimizer(config.optimizer),
    }
  )


def _named(section: str, tree: Mapping[str, Any], get) -> dict[str, Any]:
  from ssl_bench.signature import check

  if 'name' not in tree:
    raise BadSetting(f'{section} needs a name, such as {section}={{name: …}}.')
  given = {k: v for k, v in tree.items() if k != 'name'}
  return {'name': tree['name'], **check(get(tree['name']), given, f'{section} {tree["name"]}')}


_PLAIN = {
  'a valid integer': 'a whole number',
  'a valid number': 'a number',
  'a valid string': 'text',
  'a valid tuple': 'a list',
}


def _sentence(error: Mapping[str, Any], tree: Mapping[str, Any]) -> str:
  """pydantic's first complaint as a sentence."""
  where = '.'.join(str(p) for p in error['loc'] if p not in ('int', 'float', 'constrained-int'))
  if error['loc'][-1] == '[key]' or error['type'] == 'invalid_key':
    return f'A name of a setting must be text, not {_say(error["input"])}.'
  if error['type'] == 'extra_forbidden':
    *path, name = error['loc']
    within = [f'{k}.{name}' for k, v in tree.items() if isinstance(v, Mapping) and name in v and not path]
    near = f'did you mean {within[0]!r}?' if within else suggest(name, _fields(path))
    return f'There is no setting {where!r}; {near}'
  if error['type'] == 'missing':
    return f'The config needs a value for {where!r}.'
  if error['type'] in ('dict_type', 'model_type'):
    return f'{where} must be settings of the form {{name: value}}, not {_say(error["input"])}.'
  must = error['msg'].removeprefix('Input should be ')
  return f'{where} must be {_PLAIN.get(must, must)}, not {_say(error["input"])}.'


def _say(value: Any) -> str:
  """A value as YAML writes it."""
  return 'null' if value is None else str(value).lower() if isinstance(value, bool) else repr(value)


def _fields(path: Iterable[Any]) -> list[str]:
  model: Any = Config
  for part in path:
    annotation = model.model_fields[part].annotation
    model = annotation if isinstance(annotation, type) else annotation.__args__[0]
  return list(model.model_fields)


def to_dict(config: Config) -> dict[str, Any]:
  """Plain data: what a record holds and a digest covers."""
  return json.loads(config.model_dump_json())


def digest(*parts: Any) -> str:
  """16 hex digits of the SHA-256 of the parts, written as canonical JSON."""
  text = json.dumps(parts, sort_keys=True, separators=(',', ':'))
  return hashlib.sha256(text.encode()).hexdigest()[:16]


def outcome(config: Config) -> dict[str, Any]:
  """The part of a config that decides what comes out of a trial."""
  return {k: v for k, v in to_dict(config).items() if k not in MANNER}
