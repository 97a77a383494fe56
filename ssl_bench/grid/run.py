"""Runs the trials of a grid that are not recorded yet: writes its manifest and hands it to an engine."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from ssl_bench import data
from ssl_bench.config import Config, digest, to_dict
from ssl_bench.data.arrays import Dataset
from ssl_bench.grid import manifest, pool
from ssl_bench.grid.expand import Grid
from ssl_bench.grid.label import label
from ssl_bench.grid.manifest import Manifest, Task, Trial
from ssl_bench.planning import identity, make_plan
from ssl_bench.records import record
from ssl_bench.records.naming import varied
from ssl_bench.settings.signature import BadSetting
from ssl_bench.stop import Stop
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.training import forget, is_of_other_code, name_of

UNSEEDED = {'seed': 0, 'split_seed': 0}
Names = Mapping[str, set[str]]  # method -> dotted names


class Summary(NamedTuple):
  """How a run of a grid ended."""

  total: int
  before: Counter  # status -> trials recorded before this run
  ended: Counter  # status -> trials of this run
  elsewhere: Counter  # status -> trials that other processes recorded meanwhile
  signal: int  # that asked it to stop, or 0


def run_grid(
  grid: Grid,
  run_folder: RunFolder,
  workers: int | None = None,
  *,
  again: bool = False,
  names: Names | None = None,
) -> Summary:
  """Trains what is missing; every finished trial is on disk before the next begins.

  Several processes may run one grid at a time, on one machine or on several that share the run folder: each
  takes what no other is at.

  `names` are the settings that a line of progress names, by method; those that the grid varies by default.
  With `again`, what other code of a method recorded or trained is put aside first, and run again.  Raises
  `BadSetting` where there is such and it is not asked for, or where another process is training it.
  """
  datasets = {name: data.load(name) for name in {c.dataset for c in grid.configs}}
  with Stop() as stop:
    for config in {str(to_dict(c.model_copy(update=UNSEEDED))): c for c in grid.configs}.values():
      make_plan(config, datasets[config.dataset])
    for dataset in datasets.values():
      if suspect := data.check_before(dataset, should_stop=stop):
        print(suspect, flush=True)
  if stop():
    return Summary(len(grid.configs), Counter(), Counter(), Counter(), stop.asked)
  renew(grid, run_folder, datasets, again=again)
  names = varied(map(to_dict, grid.configs)) if names is None else names
  todo, before = plan(grid, run_folder, datasets, names)
  if not todo.tasks:
    return Summary(len(grid.configs), before, Counter(), Counter(), 0)
  path = manifest.write(todo, run_folder.manifests)
  ended, asked = pool.run(path, todo, run_folder, workers, of=len(grid.configs), before=before.total())
  elsewhere = elsewhere_of(todo, run_folder, ended)
  lost = [t for t in manifest.trials_of(todo.tasks) if not asked and t.id not in {*ended, *elsewhere}]
  for trial in lost:
    print(f'Lost: {trial.label}; no worker lived to end it. The same command tries it again.', flush=True)
  counts = Counter([*ended.values(), *('lost' for _ in lost)])
  return Summary(len(grid.configs), before, counts, Counter(elsewhere.values()), asked)


def renew(grid: Grid, run_folder: RunFolder, datasets: Mapping[str, Dataset], *, again: bool) -> None:
  """Puts aside what other code recorded or trained; raises `BadSetting` where that is not asked for."""
  old = [c for c in grid.configs if is_of_other_code(c, datasets[c.dataset], run_folder)]
  if old and not again:
    names = ', '.join(sorted({config.method['name'] for config in old}))
    raise BadSetting(
      f'{len(old)} of {len(grid.configs)} trials ({names}) were run with other code than is there now; give '
      'changed methods a new VERSION, or run with --again, which keeps the old records in '
      f'{run_folder.replaced}.'
    )
  for config in old:
    forget(config, datasets[config.dataset], run_folder)


def plan(
  grid: Grid, run_folder: RunFolder, datasets: Mapping[str, Dataset], names: Names
) -> tuple[Manifest, Counter]:
  """What is to be done, tasks of one program together, and how many trials of each status are recorded."""
  shared: dict[str, list[Config]] = {}
  trials: dict[str, list[Trial]] = {}
  before: Counter = Counter()
  for config in grid.configs:
    dataset = datasets[config.dataset]
    trial_id = identity.identify(config, dataset.fingerprint)
    found = record.read(path) if (path := run_folder.record_of(trial_id)).is_file() else None
    if found and found['status'] != 'failed':
      before[found['status']] += 1
      continue
    tree, failed = to_dict(config), found['time']['finished'] if found else None
    training = name_of(config, dataset)
    shared.setdefault(training, []).append(config)
    trials.setdefault(training, []).append(Trial(trial_id, label(tree, names), tree, failed))
  claims = run_folder.claims.all()
  tasks = [
    Task(training, program_of(group[0]), group[0].steps, claims.get(training, -1), tuple(trials[training]))
    for training, group in shared.items()
  ]
  order = {program: place for place, program in enumerate(dict.fromkeys(task.program for task in tasks))}
  return Manifest(grid.name, tuple(sorted(tasks, key=lambda task: order[task.program]))), before


def elsewhere_of(todo: Manifest, run_folder: RunFolder, ended: Mapping[str, str]) -> dict[str, str]:
  """The status of each trial that others recorded, of those that this process was to do."""
  others: dict[str, str] = {}
  for trial in manifest.trials_of(todo.tasks):
    path = run_folder.record_of(trial.id)
    if trial.id not in ended and path.is_file():
      found = record.read(path)
      if found['time']['finished'] != trial.failed:
        others[trial.id] = found['status']
  return others


def program_of(config: Config) -> str:
  """A word for what a trial compiles, to keep alike trials in one process."""
  tree = to_dict(config)
  return digest(tree['dataset'], tree['method']['name'], tree['net'], tree['batch'], tree['augment'])
