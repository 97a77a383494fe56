"""Runs the trials of a grid that are not recorded yet: writes its manifest and hands it to an engine."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ssl_bench import data
from ssl_bench.config import to_dict
from ssl_bench.grid import manifest
from ssl_bench.grid.engines.engine import Engine, Work
from ssl_bench.grid.expand import Grid
from ssl_bench.grid.manifest import Manifest, Task, Trial
from ssl_bench.grid.survey import Datasets, Found, Survey, other_code, survey
from ssl_bench.grid.work import look
from ssl_bench.planning import make_plan
from ssl_bench.records import record
from ssl_bench.records.naming import varied
from ssl_bench.settings.signature import BadSetting
from ssl_bench.stop import Stop
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.training import forget, is_of_other_code

Names = Mapping[str, set[str]]  # method -> dotted names
WHY = {
  'lost': 'Lost, since three workers died or crashed at it',
  'refused': 'Refused, as another process says',
  'left': 'Left, since no worker lives',
  'recorded': 'Recorded elsewhere, and not to be seen here yet',
}


class Summary(NamedTuple):
  """How a run of a grid ended."""

  total: int
  before: Counter  # status -> trials recorded before this run
  ended: Counter  # status -> trials of this run
  elsewhere: Counter  # status -> trials that other processes recorded meanwhile
  exit_code: int  # of a run that a signal or its time limit stopped, or 0
  goes_on: bool = False  # workers go on, or begin, without this process


class Prepared(NamedTuple):
  """What is to do, written down where workers find it."""

  total: int
  before: Counter  # status -> trials recorded before
  todo: Manifest
  path: Path  # of the manifest
  exit_code: int  # where a signal asked to stop before anything was written, or 0


def prepare(
  grid: Grid, run_folder: RunFolder, *, again: bool = False, names: Names | None = None
) -> Prepared:
  """Checks the trials and their data, and writes the manifest of those without a record; see `run_grid`."""
  datasets = {name: data.load(name) for name in {c.dataset for c in grid.configs}}
  found = survey(grid.configs, run_folder, datasets)
  with Stop() as stop:
    for group in found.groups:
      make_plan(group.config, datasets[group.config.dataset])
    for dataset in datasets.values():
      if suspect := data.check_before(dataset, should_stop=stop):
        print(suspect, flush=True)
  if stop():
    return Prepared(len(grid.configs), Counter(), Manifest(grid.name, {}, (), ()), Path(), stop.exit_code)
  if renew(found, run_folder, datasets, again=again):
    found = survey(grid.configs, run_folder, datasets)
  names = varied(to_dict(group.config) for group in found.groups) if names is None else names
  todo, before = plan(grid.name, found, run_folder, names, grid.together)
  path = manifest.write(todo, run_folder.manifests) if todo.tasks else Path()
  return Prepared(len(grid.configs), before, todo, path, 0)


def run_grid(
  grid: Grid,
  run_folder: RunFolder,
  engine: Engine,
  *,
  again: bool = False,
  names: Names | None = None,
) -> Summary:
  """Trains what is missing; every finished trial is on disk before the next begins.

  Several processes may run one grid at a time, on one machine or on several that share the run folder: each
  takes what no other is at.

  Args:
    grid: its trials.
    run_folder: where claims, checkpoints and records are.
    engine: where workers run.
    again: put aside what other code of a method recorded or trained, and run it again.
    names: the settings that a line of progress names, by method; those that the grid varies by default.

  Raises:
    BadSetting: there is what other code recorded and `again` is not asked for, or another process trains it.
  """
  total, before, todo, path, asked = prepare(grid, run_folder, again=again, names=names)
  if asked or not todo.tasks:
    return Summary(total, before, Counter(), Counter(), asked)
  outcome = engine.run(Work(path, todo, run_folder, total, before.total()))
  asked, ended = outcome.exit_code, outcome.ended
  if outcome.goes_on:
    return Summary(total, before, Counter(), Counter(), asked, True)
  over = {} if asked else look(todo.tasks, run_folder).over
  elsewhere = elsewhere_of(todo, run_folder, ended or {})
  if ended is None:  # its workers are not those of this process; what they recorded is what it did
    ended, elsewhere = elsewhere, {}
  missing = Counter[str]()
  for task in () if asked else todo.tasks:
    for trial in task.trials:
      if trial.id not in ended and trial.id not in elsewhere:
        word = over.get(task.training, 'left')
        missing[word] += 1
        print(f'{WHY[word]}: {todo.label_of(trial)}. The same command tries it again.', flush=True)
  return Summary(total, before, Counter(ended.values()) + missing, Counter(elsewhere.values()), asked)


def renew(found: Survey, run_folder: RunFolder, datasets: Datasets, *, again: bool) -> bool:
  """Puts aside what other code recorded or trained; raises `BadSetting` where that is not asked for.

  Returns whether there was such.
  """
  old = other_code(found, run_folder, datasets)
  if old and not again:
    names = ', '.join(sorted({config.method['name'] for config in old}))
    raise BadSetting(
      f'{len(old)} of {len(found.trials)} trials ({names}) were run with other code than is there now; give '
      'changed methods a new VERSION, or run with --again, which keeps the old records in '
      f'{run_folder.replaced}.'
    )
  for config in old:
    dataset = datasets[config.dataset]
    if is_of_other_code(config, dataset, run_folder):  # still: another process may renew it as well
      forget(config, dataset, run_folder)
  return bool(old)


def plan(
  name: str, found: Survey, run_folder: RunFolder, names: Names, together: int = 1
) -> tuple[Manifest, Counter]:
  """What a grid has to do, tasks of one program together, and how many trials of each status are recorded."""
  before = Counter(t.record.status for t in found.trials if t.record and t.record.status != 'failed')
  claims = run_folder.claims.all()
  groups: dict[str, list[Found]] = {}
  for trial in found.trials:
    if not trial.record or trial.record.status == 'failed':
      groups.setdefault(trial.training, []).append(trial)
  tasks = [
    Task(
      training,
      found.groups[group[0].group].program,
      run_folder.until or group[0].config.steps,
      claims.get(training, -1),
      tuple(_trial(trial) for trial in group),
    )
    for training, group in groups.items()
  ]
  order = {program: place for place, program in enumerate(dict.fromkeys(task.program for task in tasks))}
  configs = tuple(to_dict(group.config) for group in found.groups)
  listed = {method: sorted(settings) for method, settings in names.items()}
  tasks.sort(key=lambda task: order[task.program])
  todo = Manifest(name, listed, configs, tuple(tasks), str(Path.cwd()), run_folder.until, together)
  return todo, before


def _trial(trial: Found) -> Trial:
  failed = trial.record.finished if trial.record else None
  return Trial(trial.id, trial.group, trial.config.split_seed, trial.config.seed, failed)


def elsewhere_of(todo: Manifest, run_folder: RunFolder, ended: Mapping[str, str]) -> dict[str, str]:
  """The status of each trial that others recorded, of those that this process was to do."""
  recorded = run_folder.names()
  others: dict[str, str] = {}
  for trial in todo.trials:
    if trial.id in recorded and trial.id not in ended:
      found = record.glance(run_folder.record_of(trial.id))
      if found.finished != trial.failed:
        others[trial.id] = found.status
  return others
