"""What a run of W&B or MLflow says of a record: names, settings, numbers, curves, tables, a picture; pure."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ssl_bench import measures
from ssl_bench.records.naming import fit
from ssl_bench.records.strict_json import unsaid

LIMITS = {'name': 128, 'group': 128, 'tag': 64}  # characters that W&B takes

Tree = dict[str, Any]
Table = tuple[list[str | int], list[list[Any]]]  # columns, rows


class Contents(NamedTuple):
  """A record in the terms of a run.

  about: name, group, job_type, tags, notes of the run; config: nested, as W&B shows it with dots;
  summary: name -> scalar; history: (step, name -> scalar), steps ascending;
  tables: name -> table; exit_code: 0 only for a trial that ended well.
  """

  about: Tree
  config: Tree
  summary: Tree
  history: list[tuple[int, Tree]]
  tables: dict[str, Table]
  exit_code: int


def contents(record: Mapping[str, Any], variant: Mapping[str, str], tags: Sequence[str] = ()) -> Contents:
  """Everything that the run of a record shows; `variant` are its settings that its sweep varies; pure."""
  return Contents(
    about(record, variant, tags),
    config(record),
    summary(record),
    history(record),
    tables(record),
    0 if record['status'] == 'done' else 1,
  )


PARTS = {'curve': 'train/', 'evaluations': 'evaluate/'}  # of a record -> how names of its numbers begin
FACTS = ('augment_resolved', 'environment', 'family', 'grid', 'labels_seen', 'split', 'time', 'versions')


def config(record: Mapping[str, Any]) -> Tree:
  """The settings of a record, and facts about it as far as they are there."""
  return {**record['config'], **{name: record[name] for name in FACTS if name in record}}


def about(record: Mapping[str, Any], variant: Mapping[str, str], more: Sequence[str] = ()) -> Tree:
  """How the run is called and found, `more` tags included; the runs of a group differ in seeds only."""
  config, status = record['config'], record['status']
  method, dataset = config['method']['name'], config['dataset']
  fold = '' if config.get('fold') is None else f', fold {config["fold"]}'
  name = f'{method} {dataset} {config["labels"]} labels, seed {config["split_seed"]}/{config["seed"]}{fold}'
  group = f'{record["grid"] or "train"}/{method}'
  told = [f'{k}={v}' for k, v in variant.items()]
  unsaid = [f'{k}={v}' for k, v in variant.items() if k not in ('dataset', 'labels')]
  tags = [record['protocol'], dataset, method, *more, *([] if status in ('done', 'running') else [status])]
  return {
    'name': fit(', '.join([name, *unsaid]), LIMITS['name']),
    'group': fit(', '.join([group, *told]), LIMITS['group']),
    'job_type': record['family'],
    'tags': tuple(dict.fromkeys(tag[: LIMITS['tag']] for tag in tags)),
    'notes': None if status in ('done', 'running') else f'{status}: {record["error"]}',
  }


def summary(record: Mapping[str, Any]) -> Tree:
  """Every measure that is a scalar, `cost/…`, status and error; intervals as `…/low` and `…/high`.

  A number under a path of no measure, of an older or a contributed record, is there as well.
  """
  found = dict(_scalars({part: record[part] for part in measures.PARTS}))
  for row in measures.recorded().values():
    name, value = '/'.join(row.path), measures.at(record, *row.path)
    if row.values == 'interval' and isinstance(value, Sequence) and len(value) == 2:
      found |= {f'{name}/low': unsaid(value[0]), f'{name}/high': unsaid(value[1])}
  ends = {'status': record['status'], **({'error': record['error']} if record['error'] else {})}
  return {name.removeprefix('metrics/'): value for name, value in found.items()} | ends


def history(record: Mapping[str, Any]) -> list[tuple[int, Tree]]:
  """The curve under `train/…` and the evaluations under `evaluate/…`, one row a step."""
  rows: dict[int, Tree] = {}
  for part, prefix in PARTS.items():
    for entry in record[part]:
      rows.setdefault(entry['step'], {}).update(row(entry, prefix))
  return sorted(rows.items())


def row(entry: Mapping[str, Any], prefix: str) -> Tree:
  """The scalars of one entry of a curve, by names with a prefix."""
  return dict(_scalars({k: v for k, v in entry.items() if k != 'step'}, prefix))


def same(one: Any, other: Any) -> bool:
  """Whether two numbers or texts are equal, as two numbers that are none (NaN) are here."""
  return bool(one == other or (one != one and other != other))


def tables(record: Mapping[str, Any]) -> dict[str, Table]:
  """The measures that are reliability diagrams as one table, and those by class as another."""
  out: dict[str, Table] = {}
  names = ['count', 'confidence', 'accuracy']
  bins = [
    [name, i, *map(unsaid, values)]
    for name, diagram in _found(record, 'bins').items()
    for i, values in enumerate(zip(*(diagram[part] for part in names)))
  ]
  if bins:
    out['tables/reliability'] = (['measure', 'bin', *names], bins)
  if by_class := _found(record, 'shares'):
    rows = [[i, *map(unsaid, values)] for i, values in enumerate(zip(*by_class.values()))]
    out['tables/classes'] = (['class', *by_class], rows)
  return out


def _found(record: Mapping[str, Any], kind: str) -> Tree:
  """Measure -> its value in a record, of those that are not scalars."""
  rows = [row for row in measures.recorded().values() if row.values == kind]
  found = {row.name: measures.at(record, *row.path) for row in rows}
  return {name: value for name, value in found.items() if value}


def _scalars(tree: Mapping[str, Any], prefix: str = '') -> Iterator[tuple[str, Any]]:
  """(path with slashes, value) of the numbers and texts in a tree; what is null or a list is left out.

  A number that is not finite, which a record says as a word, is a number again.
  """
  for name, value in tree.items():
    if isinstance(value, Mapping):
      yield from _scalars(value, f'{prefix}{name}/')
    elif isinstance(value, (bool, int, float, str)):
      yield prefix + name, unsaid(value)


def draw_reliability(columns: Sequence[str | int], rows: Sequence[Sequence[Any]], path: Path) -> Path:
  """A PNG of the reliability diagrams: accuracy against confidence, before and after scaling."""
  from matplotlib.figure import Figure

  figure = Figure(figsize=(4, 4), dpi=100)
  axes = figure.add_axes(
    (0.15, 0.13, 0.81, 0.83), xlim=(0, 1), ylim=(0, 1), xlabel='confidence', ylabel='accuracy'
  )
  axes.set(xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
  axes.plot([0, 1], [0, 1], color='gray', linestyle='--', linewidth=1)
  seen = [dict(zip(columns, row)) for row in rows]
  for name in dict.fromkeys(row['measure'] for row in seen):
    points = [(r['confidence'], r['accuracy']) for r in seen if r['measure'] == name and r['count']]
    axes.plot(*zip(*points), marker='o', label=measures.get(name).title) if points else None
  axes.legend(loc='lower right', frameon=False)
  figure.savefig(path)
  return path
