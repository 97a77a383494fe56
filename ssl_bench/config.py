"""One trial is one config: typed, validated, frozen, and known by its digest."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, StrictFloat, StrictInt, ValidationError, field_validator, model_serializer

from ssl_bench import methods
from ssl_bench.complaint import explain, say
from ssl_bench.schema import Batch, Checkpoint, Ema, Evaluate, Federated, Private, Section, Stress
from ssl_bench.signature import BadSetting, suggest
from ssl_bench.tree import (
  NAMED,
  check_file,
  merge,
  overlay,
  parse_override,
  read_protocol,
  read_sections,
  spell_out,
)

Protocol = Literal['smoke', 'budget', 'paper']
POLICIES = ('weak', 'strong')  # what a view can name
FURTHER = ('other', 'local')  # what else it can: a second global view (by default `strong`), and small crops


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
  stress: Stress | None = None
  combine: tuple[str, ...] = ()  # combinators over the method, the first the innermost
  federated: Federated | None = None
  private: Private | None = None
  teacher: dict[str, Any] | None = None  # another trial's config, where a trained network is needed first
  text_net: dict[str, Any] | None = None  # the net for captions, where a method reads them

  @field_validator('combine', mode='before')
  @classmethod
  def _in_a_line(cls, value: Any) -> Any:
    if isinstance(value, str):
      return tuple(part for part in value.split('|') if part.strip() not in ('', 'none'))
    return value

  @model_serializer(mode='wrap')
  def _write(self, write: Any) -> dict[str, Any]:
    fields = type(self).model_fields
    return {k: v for k, v in write(self).items() if k not in ADDED or getattr(self, k) != fields[k].default}


# What a config says about how to run, not about what comes out.
MANNER = ('checkpoint',)
# Added later: written only where they are not their default, so that earlier records keep their identity.
ADDED = ('stress', 'combine', 'federated', 'private', 'teacher', 'text_net')
# What a teacher that names a config takes from there; the rest (labels, seeds, steps) is the student's.
RECIPE = ('method', 'combine', 'net', 'text_net', 'optimizer', 'ema', 'augment', 'teacher')


def load(path: str | Path, overrides: Iterable[str] = (), *, need_data: bool = False) -> Config:
  """The config of a file: its folder's `_protocol.yaml`, then the file, then `key=value` overrides.

  A method needs no file of its own: `configs/digits/<method>.yaml` that is not there is the method on its
  signature's defaults.  With `need_data`, a data set that is not here is told before anything else.
  """
  path = Path(path)
  tree = overlay(merge(read_protocol(path.parent), read_own(path)), map(parse_override, overrides))
  if need_data:
    check_data(tree)
  return validate(adopt(tree, path.parent))


def read_own(path: Path) -> dict[str, Any]:
  """What a method's file says itself; without a file, its name."""
  is_name = path.suffix == '.yaml' and path.stem in methods.names() and not path.exists()
  if is_name and read_protocol(path.parent):
    return {'method': {'name': path.stem}}
  check_file(path, 'config')
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
  recipe = {k: v for k, v in read_protocol(path.parent).items() if k in RECIPE}
  found = {k: v for k, v in tree.items() if k not in RECIPE}
  beside = {k: v for k, v in teacher.items() if k != 'config'}
  for part in (recipe, read_own(path), beside):
    found = merge(found, part)
  found = adopt(found, path.parent, (*seen, path.resolve()))
  return {**tree, 'teacher': to_dict(_as_teacher(found))}


def _as_teacher(tree: Mapping[str, Any]) -> 'Config':
  try:
    return validate(tree)
  except BadSetting as error:
    raise BadSetting(f'teacher: {error}') from None


def teacher_of(config: 'Config') -> 'Config | None':
  """The trial whose trained network a config's method learns from."""
  return validate(config.teacher) if config.teacher else None


def check_data(tree: Mapping[str, Any]) -> None:
  """Raises `BadSetting` at once where the data set is not here: before what takes long is imported."""
  from ssl_bench import data

  if isinstance(tree.get('dataset'), str):
    data.check_here(tree['dataset'])


def validate(tree: Mapping[str, Any]) -> Config:
  """The config of a tree, every setting written out; raises `BadSetting` with one sentence."""
  tree = spell_out(tree)
  for section in NAMED:
    left_out = section in ADDED and tree.get(section) is None
    if not left_out and not isinstance(tree.get(section, {}), Mapping):
      raise BadSetting(f'{section} must be a name, or {{name: …}} with settings, not {say(tree[section])}.')
  tree['teacher'] = _inherit(tree)
  try:
    config = Config.model_validate(tree)
  except ValidationError as error:
    raise BadSetting(explain(error.errors()[0], tree, Config)) from None
  return resolve(config)


def _beside(tree: Mapping[str, Any], teacher: Mapping[str, Any]) -> dict[str, Any]:
  """A teacher with what it does not name taken from the student's tree, unless it is whole."""
  if Config.model_fields.keys() - ADDED <= teacher.keys():
    return dict(teacher)
  return merge({k: v for k, v in tree.items() if k not in ('teacher', 'combine')}, teacher)


def _inherit(tree: Mapping[str, Any]) -> Any:
  """The teacher's config, whole and valid."""
  teacher = tree.get('teacher')
  if not isinstance(teacher, Mapping):
    return teacher
  teacher = _beside(tree, teacher)
  if teacher.get('dataset') != tree.get('dataset'):
    raise BadSetting(
      f"teacher: its dataset must be the student's, {tree.get('dataset')!r}, not {teacher.get('dataset')!r}."
    )
  return to_dict(_as_teacher(teacher))


def resolve(config: Config) -> Config:
  """Checks names and settings against the signatures they belong to, and writes out the defaults."""
  from ssl_bench import augment, combine, data, methods, nets
  from ssl_bench.train import optim

  data.check_name(config.dataset)
  for need in POLICIES:
    if need not in config.augment:
      raise BadSetting(f'augment needs a policy named {need!r}, such as augment.{need}=none.')
  for name in config.augment:
    if name not in POLICIES + FURTHER:
      raise BadSetting(f'There is no policy {name!r} in augment; {suggest(name, POLICIES + FURTHER)}')
  for text in config.augment.values():
    augment.parse(text)
  if config.stress is not None:
    _check_stress(config.stress)
  if isinstance(config.labels, float) and config.labels > 1:
    raise BadSetting(f'labels is a count or a fraction up to 1, not {config.labels}.')
  if config.federated:
    _check_rounds(config.federated, config.steps)
  if config.private and config.federated:
    raise BadSetting('Private training happens in one place here; leave federated or private out.')
  if config.teacher and (config.private or config.teacher.get('private')):
    raise BadSetting('ε of a student or a teacher says nothing of both; leave teacher or private out.')
  method = _named('method', config.method, methods.get)
  _check_teacher(method['name'], config.teacher, config.stress)
  _check_text(method['name'], config.text_net)
  return config.model_copy(
    update={
      'method': method,
      'net': _named('net', config.net, nets.get),
      'text_net': config.text_net and _named('text_net', config.text_net, nets.get),
      'optimizer': optim.check_optimizer(config.optimizer),
      'combine': combine.resolve(config.combine),
      'stress': None if config.stress == Stress() else config.stress,
    }
  )


def _check_rounds(rounds: Federated, steps: int) -> None:
  """Raises `BadSetting` for a split that cannot be read, or steps that do not make whole rounds."""
  from ssl_bench.data.clients import parse_split

  parse_split(rounds.split)
  if steps % rounds.local_steps:
    raise BadSetting(f'steps={steps} must be whole rounds of federated.local_steps={rounds.local_steps}.')


def _check_teacher(method: str, teacher: Any, stress: Stress | None) -> None:
  """Raises `BadSetting` where a method that needs a teacher has none, or one that has no use for it has."""
  from ssl_bench.signature import needs

  needed = needs(methods.get(method), 'teacher')
  if teacher and needed is None:
    raise BadSetting(f'{method} has no use for a teacher; leave it out, or write teacher=null.')
  if teacher and (teacher.get('stress') or {}) != (stress.model_dump(mode='json') if stress else {}):
    raise BadSetting("teacher: its stress must be the student's; leave it out.")
  if not teacher and needed:
    raise BadSetting(
      f'{method} needs a teacher, a trial that is trained first, such as '
      'teacher={config: fixmatch.yaml} or teacher={method: fixmatch}.'
    )


def _check_stress(stress: Stress) -> None:
  from ssl_bench import augment

  if stress.mismatch is not None and stress.imbalance is not None:
    raise BadSetting('stress: mismatch and imbalance both say which classes there are; leave one out.')
  if isinstance(stress.unlabeled, float) and stress.unlabeled > 1:
    raise BadSetting(f'stress.unlabeled is a count or a fraction up to 1, not {stress.unlabeled}.')
  if stress.shift is not None:
    augment.parse(stress.shift)


def _check_text(method: str, text_net: Any) -> None:
  """Raises `BadSetting` where a method that reads captions has no net for them, or another method has one."""
  from ssl_bench.signature import needs

  reads = needs(methods.get(method), 'text_encoder') is not None
  if text_net and not reads:
    raise BadSetting(f'{method} reads no captions; leave text_net out, or write text_net=null.')
  if reads and not text_net:
    raise BadSetting(f'{method} reads captions and needs a net for them, such as text_net=sequence.')


def _named(section: str, tree: Mapping[str, Any], get) -> dict[str, Any]:
  from ssl_bench.signature import check

  if 'name' not in tree:
    raise BadSetting(f'{section} needs a name, such as {section}={{name: …}}.')
  given = {k: v for k, v in tree.items() if k != 'name'}
  return {'name': tree['name'], **check(get(tree['name']), given, f'{section} {tree["name"]}')}


def to_dict(config: Config) -> dict[str, Any]:
  """Plain data: what a record holds and a digest covers."""
  return json.loads(config.model_dump_json())


def digest(*parts: Any) -> str:
  """16 hex digits of the SHA-256 of the parts, written as canonical JSON."""
  text = json.dumps(parts, sort_keys=True, separators=(',', ':'))
  return hashlib.sha256(text.encode()).hexdigest()[:16]


def outcome(config: Config) -> dict[str, Any]:
  """The part of a config that decides what comes out of a trial."""
  tree = {k: v for k, v in to_dict(config).items() if k not in MANNER}
  tree['evaluate'].pop('pretraining', None)
  if teacher := teacher_of(config):
    tree['teacher'] = training(teacher)
  return tree


def training(config: Config) -> dict[str, Any]:
  """The part of a config that decides what comes out of its training."""
  tree = outcome(config)
  del tree['evaluate']['probes'], tree['evaluate']['bootstrap'], tree['evaluate']['last'], tree['protocol']
  return tree
