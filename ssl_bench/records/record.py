"""The record of a trial: its identity, its form, and how it is written and read."""

import json
import math
import os
import tempfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ssl_bench import combine, methods
from ssl_bench.config import Config, digest, outcome, teacher_of, training, validate
from ssl_bench.signature import BadSetting

SCHEMA = 1
PROTOCOL_VERSION = 1  # bumped when the protocol changes what a number means

Tree = dict[str, Any]


class Record(BaseModel):
  """The form of a record; `metrics` and `cost` are empty where a trial did not end well."""

  model_config = ConfigDict(extra='forbid')

  schema_: Literal[1] = Field(alias='schema')
  id: str = Field(pattern='^[0-9a-f]{16}$')
  grid: str | None
  protocol: Literal['smoke', 'budget', 'paper']
  status: Literal['done', 'failed', 'diverged']
  error: str | None
  config: Tree
  augment_resolved: Tree
  family: Literal['semi-supervised', 'self-supervised']
  versions: Tree
  labels: int
  labels_seen: Literal['trial', 'more', 'all']
  split: Tree
  metrics: Tree
  curve: list[Tree]
  evaluations: list[Tree]
  cost: Tree
  environment: Tree
  time: Tree


def versions_of(config: Config, fingerprint: str) -> Tree:
  """What besides the config decides a number."""
  versions = {
    'protocol': PROTOCOL_VERSION,
    'method': methods.version(config.method['name']),
    'fingerprint': fingerprint,
  }
  if config.combine:
    versions['combine'] = [combine.version(combine.parse(text)[0]) for text in config.combine]
  if teacher := teacher_of(config):
    own = versions_of(teacher, fingerprint)
    versions['teachers'] = [own['method'], *own.get('teachers', [])]  # the nearest first
  return versions


def identify(config: Config, fingerprint: str) -> str:
  """The id of a trial: config, protocol's version, method's version, dataset's fingerprint."""
  return digest(outcome(config), versions_of(config, fingerprint))


def identify_training(config: Config, fingerprint: str, streams: Collection[str]) -> str:
  """The id of a trial's training, which trials share that differ only in what training does not see.

  `streams` are those that it draws from: without 'labeled' no label counts, without 'unlabeled' no stress of
  the unlabeled images.
  """
  tree = training(config)
  part: Any = tree
  while part:
    stress = _seen(part.pop('stress', {}), streams)
    if stress:
      part['stress'] = stress
    if 'labeled' not in streams and 'shift' not in stress:  # all but the labeled images are shifted
      del part['labels'], part['fold']
      if not stress:
        del part['split_seed']
    part = part.get('teacher')
  return digest(tree, versions_of(config, fingerprint))


UNSEEN = {'labeled': ('label_noise',), 'unlabeled': ('shift', 'unlabeled')}  # without a stream, its stress


def _seen(stress: Mapping[str, Any], streams: Collection[str]) -> Tree:
  """The part of a stress that reaches a training from these streams."""
  blind = [stream for stream in UNSEEN if stream not in streams]
  out = {k: v for k, v in stress.items() if not any(k in UNSEEN[stream] for stream in blind)}
  if tail := out.pop('imbalance', None):
    kept = {k: v for k, v in tail.items() if k not in blind and v is not None}
    out |= {'imbalance': kept} if kept else {}
  if 'mismatch' in out and 'unlabeled' in blind:
    out['mismatch'] = 'any'  # which classes have labels does not depend on the share
  return out


def write(record: Mapping[str, Any], folder: Path) -> Path:
  """Writes `<id>.json` whole or not at all, and returns after it is on disk.

  A number that is not finite becomes null.
  """
  folder.mkdir(parents=True, exist_ok=True)
  path = folder / f'{record["id"]}.json'
  text = json.dumps(_finite(record), indent=1, sort_keys=True, allow_nan=False) + '\n'
  handle, temporary = tempfile.mkstemp(dir=folder, prefix='.', suffix='.tmp')
  try:
    with os.fdopen(handle, 'w', encoding='utf-8') as file:
      file.write(text)
      file.flush()
      os.fsync(file.fileno())
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)
  except BaseException:
    Path(temporary).unlink(missing_ok=True)
    raise
  _sync(folder)
  return path


def _sync(folder: Path) -> None:
  handle = os.open(folder, os.O_RDONLY)
  try:
    os.fsync(handle)
  finally:
    os.close(handle)


def _finite(value: Any) -> Any:
  if isinstance(value, float):
    return value if math.isfinite(value) else None
  if isinstance(value, Mapping):
    return {str(k): _finite(v) for k, v in value.items()}
  if isinstance(value, (list, tuple)):
    return [_finite(v) for v in value]
  return value


def read(path: Path) -> Tree:
  """One record; raises `BadSetting` naming the file where it is not one."""
  try:
    tree = json.loads(path.read_text(encoding='utf-8'))
    Record.model_validate(tree)
  except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
    raise BadSetting(f'{path} is not a readable record: {error}.') from None
  except ValidationError as error:
    first = error.errors()[0]
    where = '.'.join(map(str, first['loc']))
    raise BadSetting(f'{path} is not a record of schema {SCHEMA}: {where}: {first["msg"]}.') from None
  return tree


def read_all(folders: Iterable[Path]) -> list[Tree]:
  """The records under some folders, by id; the same id twice counts once."""
  paths = sorted(p for folder in folders for p in folder.rglob('*.json'))
  records = {record['id']: record for record in map(read, paths)}
  return [records[k] for k in sorted(records)]


def check_submittable(record: Mapping[str, Any]) -> None:
  """Raises `BadSetting` unless a record is whole, its identity its own, and its data real."""
  if record['status'] == 'failed':
    raise BadSetting(
      f'record {record["id"]} is of a failed trial; run it again, or submit single files. It said: '
      f'{record["error"]}'
    )
  config = validate(record['config'])
  if config.dataset.startswith('fake'):
    raise BadSetting(f'record {record["id"]} is of a synthetic set, which is for tests only.')
  versions = record['versions']
  own = {
    k: v for k, v in versions.items() if k in ('protocol', 'method', 'fingerprint', 'combine', 'teachers')
  }
  expected = digest(outcome(config), own)
  if expected != record['id']:
    raise BadSetting(
      f'record {record["id"]} does not match its own config: it should be {expected}; run it anew.'
    )
  for name in ('accuracy', 'nll', 'ece') if record['status'] == 'done' else ():
    if not isinstance(record['metrics'].get(name), float):
      raise BadSetting(f'record {record["id"]} lacks the measure {name!r}; run it anew.')
