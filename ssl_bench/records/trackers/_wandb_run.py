"""What W&B is told of a record, and the process of its own that tells it.

W&B keeps global state (environment, hooks, a service process, caches), prints, and may hang.  So it runs in
a short-lived child, `python -m ssl_bench.records.trackers._wandb_run`, that the module `wandb` beside this
one starts, watches and, where it must, ends.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ssl_bench import measures
from ssl_bench.records.naming import fit
from ssl_bench.records.strict_json import unsaid
from ssl_bench.stop import die_with_parent

INIT_TIMEOUT = 10  # seconds until a server that does not answer is given up
FINISH_TIMEOUT = 60  # seconds for one run's upload
NICE = 10  # training goes first
LIMITS = {'name': 128, 'group': 128, 'tag': 64}  # characters that W&B takes

Tree = dict[str, Any]
Table = tuple[list[str | int], list[list[Any]]]  # columns, rows


class Contents(NamedTuple):
  """A record in W&B's terms.

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


def contents(record: Mapping[str, Any], variant: Mapping[str, str]) -> Contents:
  """Everything that the run of a record shows; `variant` are its settings that its sweep varies; pure."""
  return Contents(
    about(record, variant),
    {**record['config'], **{k: record[k] for k in FACTS}},
    summary(record),
    history(record),
    tables(record),
    0 if record['status'] == 'done' else 1,
  )


FACTS = ('augment_resolved', 'environment', 'family', 'grid', 'labels_seen', 'split', 'time', 'versions')


def about(record: Mapping[str, Any], variant: Mapping[str, str]) -> Tree:
  """How the run is called and found; the runs of a group differ in seeds only."""
  config, status = record['config'], record['status']
  method, dataset = config['method']['name'], config['dataset']
  fold = '' if config.get('fold') is None else f', fold {config["fold"]}'
  name = f'{method} {dataset} {config["labels"]} labels, seed {config["split_seed"]}/{config["seed"]}{fold}'
  group = f'{record["grid"] or "train"}/{method}'
  told = [f'{k}={v}' for k, v in variant.items()]
  unsaid = [f'{k}={v}' for k, v in variant.items() if k not in ('dataset', 'labels')]
  tags = [record['protocol'], dataset, method, *([] if status == 'done' else [status])]
  return {
    'name': fit(', '.join([name, *unsaid]), LIMITS['name']),
    'group': fit(', '.join([group, *told]), LIMITS['group']),
    'job_type': record['family'],
    'tags': tuple(dict.fromkeys(tag[: LIMITS['tag']] for tag in tags)),
    'notes': None if status == 'done' else f'{status}: {record["error"]}',
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
  for prefix, entries in (('train/', record['curve']), ('evaluate/', record['evaluations'])):
    for entry in entries:
      seen = {k: v for k, v in entry.items() if k != 'step'}
      rows.setdefault(entry['step'], {}).update(_scalars(seen, prefix))
  return sorted(rows.items())


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


def tell(record_id: str, told: Contents, *, mode: str, project: str, folder: Path, temporary: Path) -> None:
  """Writes one finished run under `folder`/wandb, in place of one of the same id and mode."""
  import wandb

  for stale in (folder / 'wandb').glob(f'{"offline-" * (mode == "offline")}run-*-{record_id}'):
    shutil.rmtree(stale)
  where: Tree = {'id': record_id, 'project': project, 'mode': mode, 'dir': folder}
  run = wandb.init(**where, **told.about, config=told.config, settings=_settings(wandb))
  media: Tree = {k: wandb.Table(columns=c, data=rows) for k, (c, rows) in told.tables.items()}
  if 'tables/reliability' in told.tables:
    path = draw_reliability(*told.tables['tables/reliability'], temporary / f'{record_id}.png')
    media['plots/reliability'] = wandb.Image(str(path))
  for step, values in told.history:
    run.log(values, step=step)
  if media:
    run.log(media, step=told.history[-1][0] if told.history else 0)
  run.summary.update(told.summary)
  run.finish(exit_code=told.exit_code)


def login() -> dict[str, str]:
  """Whether W&B, as it looks for it itself, finds a login in this process: {} or {stopped: why}."""
  try:
    import wandb
    from wandb.sdk.lib import wbauth
  except ModuleNotFoundError as error:
    return {'stopped': _say(error)} if error.name == 'wandb' else {}
  try:
    host = wandb.setup().settings.base_url
    found = wbauth.authenticate_session(host=host, source='login', prompt=False, update_session=False)
  except wandb.errors.AuthenticationError as error:
    return {'stopped': _say(error)}
  except Exception:  # a W&B that looks for it in another way will say so when it mirrors
    return {}
  return {} if found else {'stopped': f'there is no key for {host}'}


def _settings(wandb: Any) -> Any:
  """Silent, and nothing of the machine or the process that mirrors: the record has what the trial ran on."""
  wanted = {
    'silent': True,
    'console': 'off',
    'symlink': False,
    'disable_git': True,
    'disable_code': True,
    'disable_job_creation': True,
    'x_disable_meta': True,
    'x_disable_stats': True,
    'x_disable_machine_info': True,
    'x_save_requirements': False,
    'init_timeout': INIT_TIMEOUT,
    'finish_timeout': FINISH_TIMEOUT,
    'finish_timeout_raises': True,
  }
  known = wandb.Settings.model_fields  # those with x_ come and go between versions
  return wandb.Settings(**{name: value for name, value in wanted.items() if name in known})


def _say(error: Exception) -> str:
  if isinstance(error, ModuleNotFoundError):
    return f'the package {error.name} is not installed'
  return f'{type(error).__name__}: {error}'.rstrip(': ')


def main() -> None:
  """Reads a task from stdin, mirrors its records in order, and answers one JSON line a record.

  Task: {mode, project, folder, temporary, records: [[record, variant, marker, seal], …]}.  Answers:
  {mirrored: id}; {failed: id, why} for a record that cannot be shown; {stopped: why}, the last one, where W&B
  cannot go on.  A task without records asks whether there is a login: {}, or {stopped: why}.
  """
  die_with_parent()
  answers = os.fdopen(os.dup(1), 'w', encoding='utf-8')
  os.dup2(2, 1)  # whatever W&B prints is no answer
  if hasattr(os, 'nice'):
    os.nice(NICE)

  def answer(**words: str) -> None:
    print(json.dumps(words), file=answers, flush=True)

  task = json.load(sys.stdin)
  if 'records' not in task:
    answer(**login())
    return
  where = {'folder': Path(task['folder']), 'temporary': Path(task['temporary'])}
  try:
    for record, variant, marker, seal in task['records']:
      try:
        told = contents(record, variant)
      except Exception as error:
        answer(failed=record['id'], why=_say(error))
        continue
      tell(record['id'], told, mode=task['mode'], project=task['project'], **where)
      Path(marker).write_text(seal, encoding='utf-8')
      answer(mirrored=record['id'])
  except Exception as error:
    answer(stopped=_say(error))
    os._exit(1)  # an open run would keep the exit waiting for a server that does not answer


if __name__ == '__main__':
  main()
