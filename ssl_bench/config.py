"""One trial is one config: typed, validated, frozen, and known by its digest."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ssl_bench import methods, pattern, plugins
from ssl_bench.resolve import resolve
from ssl_bench.settings.explain import explain, say
from ssl_bench.settings.find import check_file, find, is_file, named_folders
from ssl_bench.settings.sections import ADDED, Config, with_patterns
from ssl_bench.settings.signature import BadSetting
from ssl_bench.settings.yaml import (
  NAMED,
  merge,
  overlay,
  parse_override,
  read_protocol,
  read_sections,
  spell_out,
)

PROTOCOL_VERSION = 1  # bumped when the protocol changes what a number means
# What a config says about how to run, not about what comes out.
MANNER = ('checkpoint', 'plugins')
MANNER_OF_EVALUATION = ('pretraining', 'latency', 'pseudo_labels')
# Settings of `evaluate` that add measures of their own, none of which depends on what else is asked for.
ADDING = ('privacy',)
# Settings of `evaluate` that training does not see.
AFTER_TRAINING = ('probes', 'bootstrap', 'last', 'shifts', 'transfer', *ADDING)
# What a teacher never takes from its student.
OF_STUDENT = ('teacher', 'combine', 'init', 'early_stop')
# What a teacher that names a config takes from there; the rest (labels, seeds, steps) is the student's.
RECIPE = ('method', 'combine', 'net', 'text_net', 'optimizer', 'ema', 'augment', 'teacher', 'init')


def load(path: str | Path, overrides: Iterable[str] = (), *, need_data: bool = False) -> Config:
  """The config of a file: its folder's `_protocol.yaml`, then the file, then `key=value` overrides.

  The file is named by its path, or as `digits/fixmatch`, looked for in `./configs` and then in the package.
  A method needs no file of its own: `configs/digits/<method>.yaml` that is not there is the method on its
  signature's defaults.  With `need_data`, a data set that is not here is told before anything else.
  """
  overrides = list(overrides)
  plugins.load(overlay({}, map(parse_override, overrides)).get('plugins'))  # they may hold the method named
  path = _find(Path(path))
  shared, further = read_protocol(path.parent), [*map(parse_override, overrides)]
  plugins.load(overlay(shared, further).get('plugins'))  # the file's name may be that of a plugin's method
  tree = overlay(merge(shared, read_own(path)), further)
  plugins.load(tree.get('plugins'))
  if need_data:
    check_data(tree)
  return validate(adopt(tree, path.parent))


def _find(path: Path) -> Path:
  """The file that a path or a name means; a name may be that of a method of its folder's plugins."""
  found = find(path, 'config', methods.names())
  if is_file(found) or found.suffix == '.yaml':
    return found
  for folder in named_folders(path):
    plugins.load(read_protocol(folder).get('plugins'))
  return find(path, 'config', methods.names())


def read_own(path: Path) -> dict[str, Any]:
  """What a method's file says itself; without a file, its name."""
  is_name = path.suffix == '.yaml' and path.stem in methods.names() and not is_file(path)
  if is_name and read_protocol(path.parent):
    return {'method': {'name': path.stem}}
  if not is_file(path):
    from ssl_bench import data

    data.check_configs(path, 'config')
  check_file(path, 'config', methods.names())
  return read_sections(path)


def adopt(tree: Mapping[str, Any], folder: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
  """`tree` with the teacher that it names by `teacher: {config: simclr.yaml, …}`, a file of `folder`.

  The teacher is trained as the file and its folder's protocol say, on the student's data, labels, seeds and
  steps; what the file itself or the setting `teacher` names beside wins.
  """
  teacher = spell_out(tree).get('teacher')
  if not isinstance(teacher, Mapping):
    return dict(tree)
  if 'config' not in teacher:
    return {**tree, 'teacher': adopt(_beside(tree, teacher), folder, seen)}
  path = folder / str(teacher['config'])
  if path.resolve() in seen:
    raise BadSetting(f'{path} is its own teacher; name another config.')
  recipe = {k: v for k, v in read_protocol(path.parent).items() if k in (*RECIPE, 'plugins')}
  found = {k: v for k, v in tree.items() if k not in (*RECIPE, *OF_STUDENT)}
  beside = {k: v for k, v in teacher.items() if k != 'config'}
  for part in (recipe, read_own(path), beside):
    found = merge(found, part)
  found = adopt(found, path.parent, (*seen, path.resolve()))
  return {**tree, 'teacher': _as_teacher(found)}


def _as_teacher(tree: Mapping[str, Any]) -> 'Config':
  try:
    return validate(tree)
  except BadSetting as error:
    raise BadSetting(f'teacher: {error}') from None


def config_class() -> type[Config]:
  """The class of configs: a section for each pattern of training beside the settings of every trial."""
  return _config_class(tuple(pattern.names()))


@cache
def _config_class(names: tuple[str, ...]) -> type[Config]:
  return with_patterns({name: pattern.get(name).settings for name in names})


def check_data(tree: Mapping[str, Any]) -> None:
  """Raises `BadSetting` at once where the data set is not here: before what takes long is imported."""
  from ssl_bench import data

  if isinstance(tree.get('dataset'), str):
    data.check_here(tree['dataset'])


def validate(tree: Mapping[str, Any]) -> Config:
  """The config of a tree, every setting written out; raises `BadSetting` with one sentence."""
  tree = spell_out(tree)
  plugins.load(tree.get('plugins'))
  model = config_class()
  for section in NAMED:
    left_out = section in ADDED and tree.get(section) is None
    if not left_out and not isinstance(tree.get(section, {}), Mapping):
      raise BadSetting(f'{section} must be a name, or {{name: …}} with settings, not {say(tree[section])}.')
  tree['teacher'] = _inherit(tree)
  try:
    config = model.model_validate(tree)
  except ValidationError as error:
    raise BadSetting(explain(error.errors(), tree, model, {'probes': plugins.names('probes')})) from None
  return resolve(config)


def _beside(tree: Mapping[str, Any], teacher: Mapping[str, Any]) -> dict[str, Any]:
  """A teacher with what it does not name taken from the student's tree, unless it is whole."""
  if Config.model_fields.keys() - set(ADDED) <= teacher.keys():
    return dict(teacher)
  return merge({k: v for k, v in tree.items() if k not in OF_STUDENT}, teacher)


def _inherit(tree: Mapping[str, Any]) -> Any:
  """The teacher's config, whole and valid."""
  teacher = tree.get('teacher')
  return _as_teacher(_beside(tree, teacher)) if isinstance(teacher, Mapping) else teacher


def to_dict(config: Config) -> dict[str, Any]:
  """Plain data: what a record holds and a digest covers."""
  return json.loads(config.model_dump_json(), parse_constant=_refuse)


def _refuse(constant: str) -> Any:
  raise ValueError(f'A config holds {constant}, which no record can.')


def digest(*parts: Any) -> str:
  """16 hex digits of the SHA-256 of the parts as canonical JSON; raises ValueError for what is not finite."""
  return digest_of(canonical(*parts))


def canonical(*parts: Any) -> str:
  """The parts as JSON that has one spelling; raises ValueError for what is not finite."""
  return json.dumps(parts, sort_keys=True, separators=(',', ':'), allow_nan=False)


def digest_of(text: str) -> str:
  """16 hex digits of the SHA-256 of a text."""
  return hashlib.sha256(text.encode()).hexdigest()[:16]


def outcome(config: Config) -> dict[str, Any]:
  """The part of a config that decides what comes out of a trial."""
  return outcome_of(to_dict(config))


def training(config: Config) -> dict[str, Any]:
  """The part of a config that decides what comes out of its training."""
  return training_of(to_dict(config))


def outcome_of(tree: Mapping[str, Any]) -> dict[str, Any]:
  """As `outcome`, of a config's plain data, which may be of an older record."""
  out = {k: v for k, v in tree.items() if k not in MANNER}
  if isinstance(look := tree.get('evaluate'), Mapping):
    out['evaluate'] = {k: v for k, v in look.items() if k not in MANNER_OF_EVALUATION}
  if isinstance(teacher := tree.get('teacher'), Mapping):
    out['teacher'] = training_of(teacher)
  return out


def training_of(tree: Mapping[str, Any]) -> dict[str, Any]:
  """As `training`, of a config's plain data."""
  out = outcome_of(tree)
  if isinstance(look := out.get('evaluate'), Mapping):
    out['evaluate'] = {k: v for k, v in look.items() if k not in AFTER_TRAINING}
  return {k: v for k, v in out.items() if k != 'protocol'}
