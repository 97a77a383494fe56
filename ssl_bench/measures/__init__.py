"""Measures of a trained state, one file a subject; a row says all that the project knows of a measure.

A module of this folder holds its rows in `MEASURES`.  Adding a measure is adding a row: the evaluation asks
it, a record keeps it under its path, and the record's schema, the board's columns and CSV files, the
terminal, the W&B summary and the documentation read it.  A file whose name begins with `_` holds no rows.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from ssl_bench import plugins
from ssl_bench.measures._reading import Reader, at, finite, number_of, put, reader, say
from ssl_bench.plugins.blame import blame, named
from ssl_bench.settings.signature import BadSetting, short, suggest

__all__ = [
  'ABSENT',
  'PARTS',
  'Measure',
  'Reader',
  'all_measures',
  'at',
  'by_name',
  'decided_by',
  'finite',
  'get',
  'measured',
  'measured_again',
  'number_of',
  'of_pattern',
  'part_of',
  'put',
  'reader',
  'recorded',
  'say',
  'share_of_test',
  'subjects',
  'unread',
]  # fmt: skip

if TYPE_CHECKING:
  from ssl_bench.evaluation.judged import Judged
  from ssl_bench.evaluation.trained import Trained

Values = Literal[
  'number', 'share', 'count', 'flag', 'text', 'shares', 'severities', 'interval', 'bins',
  'numbers', 'intervals', 'texts', 'curve', 'matrix', 'by_name',
]  # fmt: skip
PARTS = ('metrics', 'cost')  # of a record, where measures may stand
BETTER = ('lower', 'higher')
READS = ('state', 'predictions')


class _Absent:
  def __repr__(self) -> str:
    return 'ABSENT'


ABSENT = _Absent()  # what a measure's function returns where the measure does not apply: nothing is recorded


class Measure(NamedTuple):
  """One measure; the only place where these facts about it stand.

  Attributes:
    name: identifies it, among all measures.
    path: where a record keeps the value; `metrics` or `cost` first.
    title: heads its column, before the unit.
    function: what computes it from what it `reads`: None where there is a value and it is no number, `ABSENT`
      where the measure does not apply.  Without a function the measure is read from another one's value, by
      `reduce`.
    unit: '%' and 'points' of shares, which are shown times 100; any other text stands behind the title.
    hint: what the number says, in one plain sentence or less.
    source: paper and section, or equation.
    digits: decimals that are shown; -1 as many as the size of the test set can carry (1, or 2 from 5,000).
    table: the group of columns that it belongs to, its subject; '' where it is recorded and not shown.
    main: whether it is also shown where there is room for a few: in the ranking and after a trial.
    better: which direction is better, if one is.
    values: what kind of value it has.  A `number` is in `range` up to rounding, a `share` of images exactly
      in [0, 1], a `count` whole and not negative, a `flag` true or false; `shares` are one by class, null for
      a class without images; `severities` are shares at the severities of a shift; an `interval` is [low,
      high]; `bins` are {count, confidence, accuracy}, a reliability diagram.  `numbers` and `intervals` are
      lists of them in `range`, null where there is none, and `by_name` has them by name, such as that of a
      set; `texts` are names; a `curve` is lists of shares of
      one length, by name; a `matrix` is rows of counts.
    range: the least and the greatest value of a number, None for no bound.
    scale: the factor by which the recorded value is shown.
    clock: whether a clock or the machine wrote it, so that it differs from run to run.
    after: the name of the same measure after temperature scaling; both are shown as `before → after`.
    published: the metrics of published.csv that are this measure; `error` is 100 % minus it.
    reduce: makes the number of the list that stands at `path`.
    null: what the table of its pattern shows where it is no number, such as '∞' of a bound that is none.
    reads: what its function gets: `state`, a `Trained`, or `predictions`, a `Judged`, which there is where
      something is classified; such a measure is computed again from kept predictions, without training.
  """

  name: str
  path: tuple[str, ...]
  title: str
  function: 'Callable[[Any], Any] | None'
  unit: str = ''
  hint: str = ''
  source: str = ''
  digits: int = 3
  table: str = ''
  main: bool = False
  better: Literal['lower', 'higher'] | None = None
  values: Values = 'number'
  range: tuple[float | None, float | None] = (None, None)
  scale: float = 1
  clock: bool = False
  after: str = ''
  published: tuple[str, ...] = ()
  reduce: Callable[[Sequence[float]], float] | None = None
  null: str = ''
  reads: Literal['state', 'predictions'] = 'state'

  @property
  def heading(self) -> str:
    """The title with its unit: `'linear, all, %'`."""
    return f'{self.title}, {self.unit}' if self.unit else self.title

  @property
  def is_numeric(self) -> bool:
    """Whether it has one number, of which there is a mean over trials."""
    return self.reduce is not None or self.values in ('number', 'share', 'count')


def share_of_test(
  name: str, path: tuple[str, ...], title: str, function: 'Callable[[Any], Any] | None', **more: Any
) -> Measure:
  """A share of test images, shown in percent, where more is better; `more` are further fields of the row."""
  return Measure(name, path, title, function, unit='%', digits=-1, better='higher', values='share', **more)


def subjects() -> list[str]:
  """The subjects, sorted, found without importing any."""
  return list(_subjects(tuple(__path__)))


@lru_cache(8)
def _subjects(folders: tuple[str, ...]) -> tuple[str, ...]:
  return tuple(sorted(one.name for one in pkgutil.iter_modules(folders) if one.name[0] != '_'))


def all_measures() -> tuple[Measure, ...]:
  """Every measure, by subject and then as its file has them; then those of patterns and of plugins.

  Raises `BadSetting` for a name or a path twice.
  """
  return _all(*decided_by())


def decided_by() -> tuple[tuple[str, ...], tuple[str, ...], tuple[Path, ...]]:
  """What the measures of one process depend on, a key for what is made of them: folders, patterns, files."""
  return tuple(__path__), tuple(plugins.names('patterns')), plugins.loaded_files()


@lru_cache(8)
def _all(folders: tuple[str, ...], patterns: tuple[str, ...], files: tuple[Path, ...]) -> tuple[Measure, ...]:
  """The rows, by what they depend on."""
  del files
  groups = [importlib.import_module(f'{__name__}.{name}').MEASURES for name in _subjects(folders)]
  groups += [plugins.get('patterns', name).measures for name in patterns]
  groups.append(tuple(map(_of_probe, plugins.outside_names('probes'))))
  outside = set(plugins.outside_names('measures'))
  groups.append(tuple(row for name, row in plugins.working('measures') if name in outside))
  return _rows(tuple(groups))


def _of_probe(name: str) -> Measure:
  """The test accuracy of a plugin's probe."""
  return share_of_test(
    f'probe_{name}',
    ('metrics', 'probes', name),
    name,
    part_of('probes', name),
    hint='a probe of a plugin',
    table='probes',
  )


@lru_cache(8)
def _rows(groups: tuple[tuple[Measure, ...], ...]) -> tuple[Measure, ...]:
  found = [row for group in groups for row in group]
  for i, row in enumerate(found):
    _check(row, found[:i])
  return tuple(found)


def _check(row: Measure, before: Sequence[Measure]) -> None:
  who = named('measures', row.name)
  if not _is_path(row.path):
    raise BadSetting(f"{who} must have a path such as ('metrics', {row.name!r}), not {short(row.path)}.")
  if (row.function is None) == (row.reduce is None):
    raise BadSetting(f'{who} must have a function, or else reduce.')
  kinds = (
    ('values', row.values, get_args(Values)),
    ('better', row.better, BETTER),
    ('reads', row.reads, READS),
  )
  for field, value, known in kinds:
    if value is not None and value not in known:
      raise BadSetting(f'{who} cannot have {field}={short(value)}; {suggest(value, known)}')
  for other in before:
    if other.name == row.name:
      raise BadSetting(f'Two measures are called {row.name}; rename one of them.')
    nested = row.path[: len(other.path)] == other.path or other.path[: len(row.path)] == row.path
    if nested and row.function and other.function:
      raise BadSetting(f'{who} and {other.name} have one path; give one another path.')
    if other.heading == row.heading:
      raise BadSetting(f'{who} and {other.name} are both shown as {row.heading!r}; give one another title.')


def _is_path(path: Any) -> bool:
  """Whether a value can stand there in a record."""
  return (
    isinstance(path, tuple) and len(path) > 1 and path[0] in PARTS and all(isinstance(p, str) for p in path)
  )


def get(name: str) -> Measure:
  """The measure of that name; raises `BadSetting` if there is none."""
  rows = by_name()
  if name not in rows:
    raise BadSetting(f'There is no measure {short(name)}; {suggest(name, list(rows))}')
  return rows[name]


def by_name() -> Mapping[str, Measure]:
  """Name -> measure."""
  return _by_name(*decided_by())


@lru_cache(8)
def _by_name(*decided_by: tuple) -> Mapping[str, Measure]:
  return {row.name: row for row in _all(*decided_by)}


def recorded() -> Mapping[tuple[str, ...], Measure]:
  """Path -> the measure whose function writes it, of all measures."""
  return _recorded(*decided_by())


@lru_cache(8)
def _recorded(*decided_by: tuple) -> Mapping[tuple[str, ...], Measure]:
  return {row.path: row for row in _all(*decided_by) if row.function}


def unread(record: Mapping[str, Any]) -> list[str]:
  """Names, such as 'metrics.macro_f1', of what a record holds and no measure here reads, by its top level."""
  known = {row.path[:2] for row in all_measures()}
  return [f'{part}.{name}' for part in PARTS for name in record[part] if (part, name) not in known]


def measured(trained: 'Trained') -> dict[str, Any]:
  """{'metrics': …, 'cost': …}: the value of every measure that applies to a trained state, at its path.

  Raises `Interrupted` between two measures where the trial was asked to stop.
  """
  tree: dict[str, Any] = {part: {} for part in PARTS}
  for row in all_measures():
    if row.function is None:
      continue
    trained.go_on()
    _measure(row, trained if row.reads == 'state' else trained.judged, tree)
  return tree


def measured_again(judged: 'Judged') -> dict[str, Any]:
  """{'metrics': …, 'cost': …}: the value of every measure that reads predictions alone, at its path."""
  tree: dict[str, Any] = {part: {} for part in PARTS}
  for row in all_measures():
    if row.function and row.reads == 'predictions':
      _measure(row, judged, tree)
  return tree


def _measure(row: Measure, seen: 'Trained | Judged | None', tree: dict[str, Any]) -> None:
  """Puts a measure's value at its path, where it applies."""
  if row.function is None or seen is None:
    return
  with blame('measures', row.name):
    value = row.function(seen)
  if value is not ABSENT:
    put(tree, row.path, value.item() if getattr(value, 'shape', None) == () else value)


def part_of(part: str, key: str | int) -> 'Callable[[Trained], Any]':
  """A function that reads `key` of a mapping that several measures share, a property of `Trained`."""
  return lambda trained: getattr(trained, part).get(key, ABSENT)


def of_pattern(name: str, key: str) -> 'Callable[[Trained], Any]':
  """A function that reads `key` of what a pattern measures (`Pattern.measure`), where the trial has it."""
  return lambda trained: trained.by_pattern.get(name, {}).get(key, ABSENT)
