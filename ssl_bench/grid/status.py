"""How far a sweep is, read from its folder alone: records, claims and manifests, whoever wrote them."""

import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.live import Live
from rich.text import Text

from ssl_bench.grid import manifest
from ssl_bench.grid.duration import duration
from ssl_bench.grid.label import label
from ssl_bench.grid.manifest import Manifest, Task, Trial
from ssl_bench.grid.paused import paused
from ssl_bench.grid.select import chosen
from ssl_bench.grid.survey import program_of_tree
from ssl_bench.grid.work import MOST_DEATHS, is_recorded
from ssl_bench.records.naming import varied
from ssl_bench.settings.signature import BadSetting
from ssl_bench.trial.claims import PATIENCE, REFUSED, Claim
from ssl_bench.trial.owner import is_dead
from ssl_bench.trial.run_folder import RunFolder

EVERY = 3.0  # seconds between two looks of `--watch`
SHOWN = 20  # trials of a kind that are named
Tree = Mapping[str, Any]
Todo = dict[str, tuple[Manifest, Task, Trial]]  # by the id of the trial


class Running(NamedTuple):
  """A trial that a worker is at, or was at when it was last heard of."""

  label: str
  step: int
  steps: int
  who: str
  since: str
  silent: float  # seconds since its worker's last sign, by the clock of the file system


class Status(NamedTuple):
  """How far a sweep is."""

  name: str
  counts: Counter  # done, diverged, failed, refused, lost, running, silent, to do -> trials
  running: list[Running]
  silent: list[Running]
  bad: list[tuple[str, str]]  # (label: how it ended, the first line of why)
  seconds: float | None  # until the end at today's number of workers, where records tell


def status(folder: Path, terms: Iterable[str] = ()) -> Status:
  """How far the sweep of a run folder is.

  Args:
    folder: such as runs/digits.
    terms: which trials count, as `--select` names them; all without one.

  Raises `BadSetting` where the folder holds neither records nor a manifest, or no trial is chosen.
  """
  run_folder, records, todo = _read(folder)
  configs = {trial_id: tree['config'] for trial_id, tree in records.items()}
  configs |= {trial.id: whole.config_of(trial) for whole, _, trial in todo.values()}
  if terms := list(terms):
    keys = list(configs)
    configs = {keys[place]: configs[keys[place]] for place in chosen(list(configs.values()), terms)}
  names = varied(configs.values())
  ended = [tree for trial_id, tree in records.items() if trial_id in configs and trial_id not in todo]
  found = Status(folder.name, Counter(tree['status'] for tree in ended), [], [], [], None)
  found.bad.extend(
    (f'{label(tree["config"], names)}: {tree["status"]}', _first(tree['error']))
    for tree in ended
    if tree['status'] != 'done'
  )
  ages, left = _Ages(run_folder), []
  for trial_id in (trial_id for trial_id in todo if trial_id in configs):
    _, task, trial = todo[trial_id]
    word, claim = _state(task, trial, run_folder, ages)
    name = label(configs[trial_id], names)
    found.counts[word] += 1
    if word in ('lost', 'refused'):
      found.bad.append((f'{name}: {word}', _first(_why(word, claim))))
      continue
    left.append(task)
    if claim and word in ('running', 'silent'):
      (found.running if word == 'running' else found.silent).append(_at(name, claim, ages.of(task, claim)))
  return found._replace(seconds=_seconds(left, records.values(), len(found.running)))


def not_well(folder: Path, terms: Iterable[str] = ()) -> list[tuple[str, Tree]]:
  """(failed, diverged, refused or lost, its config) of each trial of a run folder that did not end well."""
  (run_folder, records, todo), terms = _read(folder), list(terms)
  found = [(tree['status'], tree['config']) for tree in records.values() if tree['status'] != 'done']
  ages = _Ages(run_folder)
  for trial_id, (whole, task, trial) in todo.items():
    word, _ = _state(task, trial, run_folder, ages)
    if word in ('lost', 'refused') and trial_id not in records and whole.until is None:
      found.append((word, whole.config_of(trial)))
  return [found[place] for place in chosen([tree for _, tree in found], terms)] if terms else found


def recorded_and_left(folder: Path) -> tuple[list[Tree], list[Tree], list[Tree]]:
  """The configs of the trials that came to an end, of those that are left, and of those that are given up.

  What is left is to be run, or to be run again.  So are trials that a tuning paused at a rung, since only its
  next play tells which of them go on; they are given up once its studies are over.
  """
  run_folder, records, todo = _read(folder)
  failed = [tree['config'] for k, tree in records.items() if tree['status'] == 'failed' and k not in todo]
  left = [whole.config_of(trial) for whole, _, trial in todo.values()] + failed
  waiting, given_up = paused(run_folder, records)
  ended = [tree['config'] for tree in records.values() if tree['status'] != 'failed']
  return ended, left + waiting, given_up


def _read(folder: Path) -> tuple[RunFolder, dict[str, Tree], Todo]:
  """A run folder, its records by id, and what is to do; raises `BadSetting` where it holds neither."""
  run_folder = RunFolder(folder)
  records: dict[str, Tree] = {tree['id']: tree for tree in _records(run_folder)}
  todo = _todo(run_folder, records)
  if not records and not todo and not (folder / 'rungs').is_dir():
    raise BadSetting(f'{folder} holds no records and no manifest; name a run folder, such as runs/digits.')
  return run_folder, records, todo


def _at(name: str, claim: Claim, silent: float) -> Running:
  step, steps = claim.note.get('step', 0), claim.note.get('steps', 0)
  return Running(name, step, steps, claim.who, claim.owner.get('since', ''), silent)


def _why(word: str, claim: Claim | None) -> str:
  """Why nobody takes up a trial that is lost or refused."""
  note = claim.note if claim else {}
  if word == 'refused':
    return ' '.join(note.get('refused', ()))
  return (
    f'its workers died; the last one crashed: {note["crashed"]}' if 'crashed' in note else 'its workers died'
  )


def _first(why: str | None) -> str:
  """The first line."""
  return (why or '').strip().partition('\n')[0]


def _records(run_folder: RunFolder) -> Iterator[dict[str, Any]]:
  """What the records say, as far as a status asks; one that is no record is left out, as a board names it."""
  for trial_id in sorted(run_folder.names()):
    try:
      tree = json.loads(run_folder.record_of(trial_id).read_bytes())
      program_of_tree(tree['config'])
      label(tree['config'], {})
      steps = tree['cost'].get('steps') or tree['config']['steps']  # fewer, where it stopped early
      rate = tree['cost'].get('train_seconds', 0.0) / max(1, steps)
      yield {
        'id': trial_id,
        'status': str(tree['status']),
        'error': tree['error'] and str(tree['error']),
        'config': tree['config'],
        'finished': tree['time']['finished'],
        'rate': float(rate),  # seconds a step
      }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
      continue


def _todo(run_folder: RunFolder, records: Mapping[str, Tree]) -> Todo:
  """The trials of all manifests that have no record, or the failed one for which they are run again."""
  found: Todo = {}
  paths = sorted(run_folder.manifests.glob('*.jsonl'), key=lambda path: path.stat().st_mtime)
  for whole in _readable(paths):
    rungs = run_folder.at(whole.until)
    names = set() if whole.until is None else rungs.names()
    for task in whole.tasks:
      for trial in task.trials:
        known = records.get(trial.id)
        if known is None and whole.until is not None:
          is_left = not is_recorded(trial, names, rungs)
        else:
          is_left = known is None or (known['status'] == 'failed' and known['finished'] == trial.failed)
        if is_left:
          found[trial.id] = whole, task, trial
        else:
          found.pop(trial.id, None)
  return found


def _readable(paths: Iterable[Path]) -> Iterator[Manifest]:
  """The manifests of some files; those of another version, or half written, say nothing that is to do."""
  for path in paths:
    with suppress(BadSetting):
      yield manifest.read(path)


def _state(task: Task, trial: Trial, run_folder: RunFolder, ages: '_Ages') -> tuple[str, Claim | None]:
  """A word for what has become of a trial without a record, and the claim that says so."""
  number = ages.claims.get(task.training, -1)
  if number < 0:
    return 'to do', None
  claim = run_folder.claims.at(task.training, number)
  if claim.end is None and not is_dead(claim.owner):
    at = claim.note.get('id')
    if at not in (None, trial.id):
      return 'to do', None
    return ('silent' if ages.of(task, claim) > PATIENCE else 'running'), claim
  if number > task.claim and claim.end == REFUSED:
    return 'refused', claim
  return ('lost' if run_folder.claims.deaths(task.training, task.claim) >= MOST_DEATHS else 'to do'), claim


class _Ages:
  """How long ago claims were written, by the clock of the file system, which is that of no worker."""

  def __init__(self, run_folder: RunFolder):
    self.folder = run_folder.claims.folder
    self.claims = run_folder.claims.all()
    self.now = time.time()
    with suppress(OSError), tempfile.NamedTemporaryFile(dir=self.folder, prefix='.now-') as file:
      self.now = os.fstat(file.fileno()).st_mtime

  def of(self, task: Task, claim: Claim) -> float:
    """Seconds."""
    try:
      return max(0.0, self.now - (self.folder / f'{task.training}.{claim.number}').stat().st_mtime)
    except FileNotFoundError:
      return 0.0


def _seconds(left: Iterable[Task], records: Iterable[Tree], workers: int) -> float | None:
  """Seconds until the end, by what a step of the same program took here, else by the mean of all."""
  rates: dict[str, list[float]] = {}
  for tree in records:
    if tree['status'] == 'done':
      rates.setdefault(program_of_tree(tree['config']), []).append(tree['rate'])
  if not rates or not workers:
    return None
  means = {program: sum(own) / len(own) for program, own in rates.items()}
  other = sum(means.values()) / len(means)
  tasks = {task.training: task for task in left}.values()
  return sum(task.steps * means.get(task.program, other) for task in tasks) / workers


def told(found: Status) -> str:
  """A status in a few lines."""
  total = found.counts.total()
  order = ('done', 'diverged', 'failed', 'refused', 'lost', 'running', 'silent', 'to do')
  counts = ', '.join(f'{found.counts[word]:,} {word}' for word in order if found.counts[word])
  left = f'; about {duration(found.seconds)} left' if found.seconds else ''
  lines = [f'{found.name}: {total:,} trials: {counts or "none is left to do"}{left}']
  for title, rows in (('Running', found.running), ('No sign of life', found.silent)):
    lines += [f'{title}:'] if rows else []
    for row in rows[:SHOWN]:
      silent = f', silent for {duration(row.silent)}' if title != 'Running' else ''
      lines.append(f'  {row.label}: step {row.step:,} of {row.steps:,}, {row.who} since {row.since}{silent}')
    lines += _more(rows)
  lines += ['Not well:'] if found.bad else []
  lines += [f'  {name}: {why}' for name, why in found.bad[:SHOWN]] + _more(found.bad)
  return '\n'.join(lines)


def _more(rows: list[Any]) -> list[str]:
  return [f'  and {len(rows) - SHOWN:,} more'] if len(rows) > SHOWN else []


def show(folder: Path, terms: Iterable[str], *, watch: bool) -> None:
  """Prints a status, once or, with `watch`, again and again until Ctrl-C ends the command."""
  terms, console = list(terms), Console(highlight=False, soft_wrap=True)
  with Live(console=console, auto_refresh=False) if watch and console.is_terminal else nullcontext() as live:
    while True:
      text = Text(told(status(folder, terms)))
      if live:
        live.update(text, refresh=True)
      else:
        console.print(text)
        sys.stdout.flush()
      if not watch:
        return
      time.sleep(EVERY)
