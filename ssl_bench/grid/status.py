"""How far a sweep is, read from its folder alone: records, claims and manifests, whoever wrote them."""

import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ssl_bench.grid import manifest
from ssl_bench.grid.estimate import Timing, estimate, middle, timing_of, typical
from ssl_bench.grid.label import label
from ssl_bench.grid.manifest import Manifest, Task, Trial
from ssl_bench.grid.paused import paused
from ssl_bench.grid.select import chosen
from ssl_bench.grid.survey import program_of_tree
from ssl_bench.grid.work import MOST_DEATHS, is_recorded
from ssl_bench.records.naming import varied
from ssl_bench.settings.signature import BadSetting
from ssl_bench.training.checkpoint import newest
from ssl_bench.trial.claims import PATIENCE, REFUSED, Claim
from ssl_bench.trial.owner import is_dead
from ssl_bench.trial.run_folder import RunFolder

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


class Saved(NamedTuple):
  """A trial that nobody is at and that goes on from a checkpoint."""

  label: str
  step: int
  steps: int


class Status(NamedTuple):
  """How far a sweep is."""

  name: str
  counts: Counter  # done, diverged, failed, refused, lost, running, silent, to do -> trials
  running: list[Running]
  silent: list[Running]
  saved: list[Saved]
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
  found = Status(folder.name, Counter(tree['status'] for tree in ended), [], [], [], [], None)
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
    step = newest(run_folder.checkpoints / task.training) or 0
    if claim and word in ('running', 'silent'):
      at = _at(name, claim, step, ages.of(task, claim))
      (found.running if word == 'running' else found.silent).append(at)
    elif step:
      found.saved.append(Saved(name, step, task.steps))
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


def _at(name: str, claim: Claim, saved: int, silent: float) -> Running:
  step, steps = max(saved, claim.note.get('step', 0)), claim.note.get('steps', 0)
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
      yield {
        'id': trial_id,
        'status': str(tree['status']),
        'error': tree['error'] and str(tree['error']),
        'config': tree['config'],
        'finished': tree['time']['finished'],
        'timing': _timing(tree),
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


def _timing(tree: Tree) -> Timing | None:
  """What a trial took, where it is done and its record says it."""
  with suppress(ValueError, KeyError, TypeError, ZeroDivisionError):
    return timing_of(tree) if tree['status'] == 'done' else None
  return None


def _seconds(left: Iterable[Task], records: Iterable[Tree], workers: int) -> float | None:
  """Seconds until the end, by what trials of the same program took here, else by the median of all."""
  known = typical((program_of_tree(tree['config']), tree['timing']) for tree in records if tree['timing'])
  if not known or not workers:
    return None
  tasks = list({task.training: task for task in left}.values())
  other = dict.fromkeys((task.program for task in tasks), middle(known.values()))
  return estimate(tasks, other | known).seconds / workers
