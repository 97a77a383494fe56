"""One record as the leaderboard reads it: typed, with its settings flat, and without the clock if asked."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ssl_bench.records.naming import MANNER
from ssl_bench.settings.yaml import flatten

Record = Mapping[str, Any]
Settings = Mapping[str, str]

WHICH = ('dataset', 'labels', 'split_seed', 'fold', 'seed')  # they say which trial of a row, not which row
# What of a cost no clock wrote.
COUNTED = (
  *('gflops_per_step', 'gflops_per_epoch', 'gflops_per_1000_views', 'steps_per_epoch', 'steps'),
  *('parameters', 'gflops_per_image', 'teacher_gflops', 'federated'),
)
# Sections that a config has or has not, and that a row's name therefore always tells.
PATTERNS = ('federated', 'private')


class Pair(NamedTuple):
  """What two trials must share to be subtracted: the seeds, and the very split that they made."""

  split_seed: int
  seed: int
  split: str

  @property
  def group(self) -> str:
    """The split; trials of one split are not independent of each other."""
    return self.split or str(self.split_seed)


class Trial(NamedTuple):
  """One record; `record` has lost what a clock wrote unless timing was asked for."""

  id: str
  dataset: str
  protocol: str
  method: str
  labels: int
  pair: Pair
  settings: Settings
  stress: Settings  # what is wrong with its data; {} for nothing
  status: str
  record: Record


def read_trials(records: Iterable[Record], *, timing: bool = True) -> tuple[Trial, ...]:
  """The records as trials, ordered by id; of several with one id, the one that is done, then the last."""
  found: dict[str, Record] = {}
  for record in sorted(records, key=_preference):
    found[record['id']] = record
  return tuple(_read(found[i], timing) for i in sorted(found))


def _preference(record: Record) -> tuple[str, bool, str, str]:
  finished = (record.get('time') or {}).get('finished') or ''
  return record['id'], record.get('status') == 'done', finished, json.dumps(record, sort_keys=True)


def _read(record: Record, timing: bool) -> Trial:
  config = record['config']
  settings = {k: v for k, v in config.items() if k not in WHICH + MANNER}
  stress = settings.pop('stress', None)
  if 'combine' in settings:
    settings['combine'] = ' | '.join(settings['combine'])
  if 'teacher' in settings:
    settings['teacher'] = _of_teacher(settings['teacher'], config)
  # Versions of combinators say nothing that `why_stale` does not, and every row with one would tell them.
  # Records from before it was noted have no `code`, and those of one version should give the same numbers.
  told = record.get('versions') or {}
  settings['versions'] = {k: v for k, v in told.items() if k not in ('combine', 'code')}
  return Trial(
    id=record['id'],
    dataset=config['dataset'],
    protocol=record.get('protocol') or 'unknown',
    method=config['method']['name'],
    labels=int(number(record, 'labels') or config['labels']),
    pair=Pair(
      config.get('split_seed', 0), config.get('seed', 0), (record.get('split') or {}).get('hash') or ''
    ),
    settings=flatten(settings),
    stress=flatten(stress) if stress else {},
    status=record.get('status') or 'failed',
    record=record if timing else without_clock(record),
  )


def _of_teacher(teacher: Mapping[str, Any] | None, student: Mapping[str, Any]) -> dict[str, Any] | None:
  """A teacher's settings; what says which trial it is only where the student's is another, as with labels."""
  if teacher is None:
    return None
  same = {k for k in WHICH if teacher.get(k) == student.get(k)}
  own = {k: v for k, v in teacher.items() if k not in (*same, *MANNER)}
  return own | ({'teacher': _of_teacher(own['teacher'], student)} if 'teacher' in own else {})


def without_clock(record: Record) -> Record:
  """The record without times, speeds and memory, so that nothing downstream can show them."""
  cost = {k: v for k, v in (record.get('cost') or {}).items() if k in COUNTED}
  return {k: v for k, v in record.items() if k != 'time'} | {'cost': cost}


def number(record: Record, *path: str) -> float | None:
  """The finite number at `path`, or None where it is absent, null or not a number."""
  return finite(at(record, *path))


def at(record: Record, *path: str) -> Any:
  """What stands at `path`, or None."""
  value: Any = record
  for part in path:
    value = value.get(part) if isinstance(value, Mapping) else None
  return value


def finite(value: Any) -> float | None:
  """A finite number as a float, and None for anything else."""
  if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
    return None
  return float(value)


def patterns(settings: Settings) -> set[str]:
  """The ways of training, other than the usual one, that settings ask for."""
  return {name.partition('.')[0] for name in settings} & set(PATTERNS)


def why_stale(record: Record, today: Mapping[str, Any] | None) -> str | None:
  """The sentence that says which version has moved on since, or None.

  `today` is {'protocol': 1, 'methods': {'fixmatch': 1}, 'datasets': {'digits': 'fingerprint'}}; what it does
  not name is not judged.
  """
  if not today:
    return None
  versions, config = record.get('versions') or {}, record['config']
  method, dataset = config['method']['name'], config['dataset']
  now = {
    'protocol': ('the protocol', today.get('protocol')),
    'method': (method, (today.get('methods') or {}).get(method)),
    'fingerprint': (f'the data of {dataset}', (today.get('datasets') or {}).get(dataset)),
  }
  for name, (what, version) in now.items():
    if version is not None and versions.get(name) != version:
      return f'{what} is at version {version} now; this was run at {versions.get(name, "none")}'
  for was in versions.get('teachers') or ():
    config = config['teacher']
    name = config['method']['name']
    version = (today.get('methods') or {}).get(name)
    if version not in (None, was):
      return f'its teacher, {name}, is at version {version} now; this was run at {was}'
  return None
