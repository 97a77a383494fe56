"""Records as the leaderboard reads them: typed trials, with flat settings and every measure's number."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from ssl_bench import measures
from ssl_bench.config import ADDING, MANNER_OF_EVALUATION
from ssl_bench.leaderboard.stale import why_stale
from ssl_bench.measures import Measure, Reader, at
from ssl_bench.records.naming import MANNER
from ssl_bench.settings.yaml import flatten, write

Record = Mapping[str, Any]
Settings = Mapping[str, str]
Diagram = Mapping[str, Sequence[float | None]]

OTHERS = ('text', 'bins', 'by_name')  # values that are no number, and are read
WHICH = ('dataset', 'labels', 'split_seed', 'fold', 'seed')  # they say which trial of a row, not which row


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
  """One record.  Text that it lacks is empty; what a clock wrote is here only where timing was asked for."""

  id: str
  dataset: str
  protocol: str
  method: str
  labels: int  # 0 where a trial failed before a fraction of labels was counted
  labels_asked: str  # as its config has them
  pair: Pair
  settings: Settings
  stress: Settings  # what is wrong with its data; {} for nothing
  status: str
  error: str
  stale: str | None  # the sentence that says which version has moved on since
  family: str
  labels_seen: str
  submitted: bool
  code: str
  sizes: tuple[int | None, int | None, int | None]  # train, validation, test
  measured: Mapping[str, float]  # name of the measure -> its finite number
  texts: Mapping[str, str]  # the same of what is text
  diagrams: Mapping[str, Diagram]  # the same of reliability diagrams
  by_name: Mapping[str, Mapping[str, float]]  # the same of numbers by name, such as by data set
  collapsed: bool
  shared: bool  # other work ran on the device while it was timed
  device: str  # its kind, and how many where more than one
  devices: int
  augment: Settings  # policies as they ran
  commit: str
  jax: str
  finished: str


def read_trials(
  records: Iterable[Record], *, timing: bool = True, today: Mapping[str, Any] | None = None
) -> tuple[Trial, ...]:
  """The records as trials, ordered by id; of several with one id, the one that is done, then the last."""
  found: dict[str, list[Record]] = {}
  for record in records:
    found.setdefault(record['id'], []).append(record)
  columns = _columns(timing)
  chosen = (own[0] if len(own) == 1 else max(own, key=_preference) for _, own in sorted(found.items()))
  return tuple(_read(one, columns, timing, today) for one in chosen)


def _preference(record: Record) -> tuple[bool, str, str]:
  finished = _text(record, 'time', 'finished')
  return record.get('status') == 'done', finished, json.dumps(record, sort_keys=True)


class _Columns(NamedTuple):
  """The measures that trials have, by what their values are."""

  numbers: Reader
  texts: Sequence[Measure]
  diagrams: Sequence[Measure]
  by_name: Sequence[Measure]
  collapsed: Measure
  shared: Measure


def _columns(timing: bool) -> _Columns:
  rows = measures.all_measures()
  numbers = [row for row in rows if row.is_numeric and (timing or not row.clock)]
  text, bins, by_name = ([row for row in rows if row.values == kind and row.function] for kind in OTHERS)
  return _Columns(
    measures.reader(numbers), text, bins, by_name, measures.get('collapsed'), measures.get('shared')
  )


def _read(record: Record, columns: _Columns, timing: bool, today: Mapping[str, Any] | None) -> Trial:
  config = record['config']
  stress = config.get('stress')
  train, validation, test = (at(record, 'split', part) for part in ('train', 'validation', 'test'))
  return Trial(
    id=record['id'],
    dataset=config['dataset'],
    protocol=_text(record, 'protocol') or 'unknown',
    method=config['method']['name'],
    labels=int(measures.finite(record.get('labels')) or config['labels']),
    labels_asked=write(config['labels']),
    pair=Pair(config.get('split_seed', 0), config.get('seed', 0), _text(record, 'split', 'hash')),
    settings=_settings(record),
    stress=flatten(stress) if stress else {},
    status=_text(record, 'status') or 'failed',
    error=_text(record, 'error'),
    stale=why_stale(record, today),
    family=_text(record, 'family'),
    labels_seen=record.get('labels_seen', 'trial'),
    submitted=record.get('tier') == 'submitted',
    code=_text(record, 'versions', 'code'),
    sizes=(train, validation, test),
    measured=_numbers(record, columns.numbers),
    texts=_values(record, columns.texts, str),
    diagrams=_values(record, columns.diagrams, Mapping),
    by_name={
      measure: {name: n for name, value in found.items() if (n := measures.finite(value)) is not None}
      for measure, found in _values(record, columns.by_name, Mapping).items()
    },
    collapsed=bool(at(record, *columns.collapsed.path)),
    shared=timing and bool(at(record, *columns.shared.path)),
    device=_device(record),
    devices=at(record, 'environment', 'device', 'count') or 1,
    augment=dict(at(record, 'augment_resolved') or {}),
    commit=_text(record, 'environment', 'git', 'commit')[:10]
    + (' + changes' if at(record, 'environment', 'git', 'dirty') else ''),
    jax=_text(record, 'environment', 'packages', 'jax'),
    finished=_text(record, 'time', 'finished')[:19].replace('T', ' ') if timing else '',
  )


def _text(record: Record, *path: str) -> str:
  """The text at `path`, '' where there is none."""
  value = at(record, *path)
  return value if isinstance(value, str) else ''


def _numbers(record: Record, read: Reader) -> dict[str, float]:
  """Measure -> number; the accuracy of a method without a classifier is that of its probe."""
  found = read(record)
  if 'accuracy' not in found and 'linear_budget' in found and record.get('family') == 'self-supervised':
    found['accuracy'] = found['linear_budget']
  return found


def _values(record: Record, rows: Sequence[Measure], form: type) -> dict[str, Any]:
  """Measure -> value of one form, such as text."""
  found = {row.name: at(record, *row.path) for row in rows}
  return {name: value for name, value in found.items() if value and isinstance(value, form)}


def _device(record: Record) -> str:
  kind = _text(record, 'environment', 'device', 'kind') or _text(record, 'environment', 'device', 'platform')
  count = at(record, 'environment', 'device', 'count') or 1
  return f'{kind}{f" × {count}" if count > 1 else ""}'


def _settings(record: Record) -> Settings:
  """What makes the row of a trial: its config, flat, and the versions that it was run at."""
  config = record['config']
  settings = {k: v for k, v in config.items() if k not in ('stress', *WHICH, *MANNER)}
  if isinstance(looks := config.get('evaluate'), Mapping):
    settings['evaluate'] = {k: v for k, v in looks.items() if k not in (*MANNER_OF_EVALUATION, *ADDING)}
  if 'combine' in settings:
    settings['combine'] = ' | '.join(settings['combine'])
  if 'teacher' in settings:
    settings['teacher'] = _of_teacher(settings['teacher'], config)
  # Versions of combinators say nothing that `why_stale` does not, and every row with one would tell them.
  # Records from before it was noted have no `code`, and those of one version should give the same numbers.
  versions = at(record, 'versions') or {}
  settings['versions'] = {k: v for k, v in versions.items() if k not in ('combine', 'code')}
  return _flat(json.dumps(settings, sort_keys=True))


@lru_cache(4096)  # most trials share theirs with others
def _flat(settings: str) -> Settings:
  return flatten(json.loads(settings))


def _of_teacher(teacher: Mapping[str, Any] | None, student: Mapping[str, Any]) -> dict[str, Any] | None:
  """A teacher's settings; what says which trial it is only where the student's is another, as with labels."""
  if teacher is None:
    return None
  same = {k for k in WHICH if teacher.get(k) == student.get(k)}
  own = {k: v for k, v in teacher.items() if k not in (*same, *MANNER)}
  return own | ({'teacher': _of_teacher(own['teacher'], student)} if 'teacher' in own else {})
