"""Runs the trials of a grid that are not recorded yet, in a pool of processes."""

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from multiprocessing.connection import wait
from typing import Any, NamedTuple

from ssl_bench import data
from ssl_bench.config import Config, digest, to_dict
from ssl_bench.data.arrays import Dataset
from ssl_bench.grid.expand import Grid
from ssl_bench.grid.progress import Progress
from ssl_bench.grid.worker import work
from ssl_bench.planning import identity, make_plan
from ssl_bench.records.naming import varied
from ssl_bench.settings.signature import BadSetting
from ssl_bench.stop import Stop
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.training import forget, is_of_other_code, name_of

GRACE = 7.5  # seconds until a worker that was asked to stop is killed; it ends itself a little earlier
UNSEEDED = {'seed': 0, 'split_seed': 0}


class Task(NamedTuple):
  """Trials that share one training, and what is compiled for them."""

  configs: tuple[Config, ...]
  program: str
  steps: int


class Summary(NamedTuple):
  """How a run of a grid ended."""

  total: int
  before: Counter  # status -> trials recorded before this run
  ended: Counter  # status -> trials of this run
  signal: int  # that asked it to stop, or 0


def run_grid(
  grid: Grid,
  run_folder: RunFolder,
  workers: int | None = None,
  *,
  again: bool = False,
  names: Mapping[str, set[str]] | None = None,
) -> Summary:
  """Trains what is missing; every finished trial is on disk before the next begins.

  `names` are the settings that a line of progress names, by method; those that the grid varies by default.
  With `again`, what other code of a method recorded or trained is put aside first, and run again.  Raises
  `BadSetting` where there is such and it is not asked for, or where another process runs the same grid.
  """
  datasets = {name: data.load(name) for name in {c.dataset for c in grid.configs}}
  with Stop() as stop:
    for config in {str(to_dict(c.model_copy(update=UNSEEDED))): c for c in grid.configs}.values():
      make_plan(config, datasets[config.dataset])
    for dataset in datasets.values():
      if suspect := data.check_before(dataset, should_stop=stop):
        print(suspect, flush=True)
  if stop():
    return Summary(len(grid.configs), Counter(), Counter(), stop.asked)
  wanted = workers or default_workers()
  with run_folder.alone():
    renew(grid, run_folder, datasets, again=again)
    tasks, before = tasks_of(grid, run_folder, datasets)
    count = min(wanted, len(tasks))
    progress = Progress(grid.name, len(grid.configs), before.total(), sum(task.steps for task in tasks))
    if not tasks:
      return Summary(len(grid.configs), before, Counter(), 0)
    with progress, _threads(wanted):  # not of `count`: how much is left must not change a trial's numbers
      names = varied(map(to_dict, grid.configs)) if names is None else names
      ended, asked = Pool(run_folder, grid.name, count, progress, names).run(tasks)
    return Summary(len(grid.configs), before, ended, asked)


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


def tasks_of(
  grid: Grid, run_folder: RunFolder, datasets: Mapping[str, Dataset]
) -> tuple[list[Task], Counter]:
  """The trainings to do, and how many trials of each status are recorded already."""
  shared: dict[str, list[Config]] = {}
  before: Counter = Counter()
  for config in grid.configs:
    dataset = datasets[config.dataset]
    if found := run_folder.recorded(identity.identify(config, dataset.fingerprint)):
      before[found['status']] += 1
      continue
    shared.setdefault(name_of(config, dataset), []).append(config)
  tasks = [Task(tuple(group), program_of(group[0]), group[0].steps) for group in shared.values()]
  return tasks, before


def program_of(config: Config) -> str:
  """A word for what a trial compiles, to keep alike trials in one process."""
  tree = to_dict(config)
  return digest(tree['dataset'], tree['method']['name'], tree['net'], tree['batch'], tree['augment'])


def default_workers() -> int:
  """One process for an accelerator, one per core otherwise."""
  accelerated = any(find_spec(name) for name in ('jax_cuda12_plugin', 'jax_cuda13_plugin', 'libtpu'))
  if accelerated and os.environ.get('JAX_PLATFORMS', '') != 'cpu':
    return 1
  return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


class Worker(NamedTuple):
  """A process, the pipe to it, and the program that it has compiled last."""

  process: Any
  pipe: Any
  state: dict[str, Any]


class Pool:
  """Worker processes and what they are at."""

  def __init__(
    self,
    run_folder: RunFolder,
    grid: str,
    count: int,
    progress: Progress,
    names: Mapping[str, set[str]] | None = None,
  ):
    self.arguments = (str(run_folder.path), grid, count > 1, names or {})
    self.count, self.progress = count, progress
    self.workers: dict[Any, Worker] = {}
    self.ended: Counter = Counter()
    self.stop = Stop(grace=None)

  def run(self, tasks: Sequence[Task]) -> tuple[Counter, int]:
    """All tasks, then (status -> trials, the signal that asked it to stop or 0)."""
    waiting = list(tasks)
    with self.stop:
      for _ in range(self.count):
        self._start()
      while self.workers and not self.stop():
        for pipe in wait(list(self.workers), timeout=0.5):
          self._hear(self.workers[pipe], waiting)
      self._stop()
    if waiting and not self.stop():  # no process lives to run them
      self.ended['lost'] += sum(len(task.configs) for task in waiting)
    return self.ended, self.stop.asked

  def _start(self) -> None:
    context = multiprocessing.get_context('spawn')
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs, *self.arguments), daemon=True)
    process.start()
    theirs.close()
    self.workers[ours] = Worker(process, ours, {'program': None, 'doing': 'a worker', 'left': 0})

  def _hear(self, worker: Worker, waiting: list[Task]) -> None:
    """One message of a worker, or its death."""
    try:
      kind, *words = worker.pipe.recv()
    except (EOFError, OSError):
      self._bury(worker, waiting)
      return
    if kind == 'begin':
      worker.state['doing'] = words[0]
      self.progress.begin(worker.process.pid, words[0])
    elif kind == 'step':
      self.progress.advance(worker.process.pid, words[0])
    elif kind == 'end':
      self.ended[words[0]['status']] += 1
      worker.state['left'] -= 1
      self.progress.end(worker.process.pid, worker.state['doing'], words[0])
    elif task := self._choose(worker, waiting):
      waiting.remove(task)
      worker.state.update(program=task.program, left=len(task.configs))
      with suppress(OSError):  # of a worker that has just died; it is buried next
        worker.pipe.send([to_dict(config) for config in task.configs])
    else:
      with suppress(OSError):
        worker.pipe.send(None)
      del self.workers[worker.pipe]

  def _choose(self, worker: Worker, waiting: list[Task]) -> Task | None:
    """A task of the program that the worker has; else of one that nobody has; else any."""
    others = {w.state['program'] for w in self.workers.values() if w is not worker}
    mine = [t for t in waiting if t.program == worker.state['program']]
    free = [t for t in waiting if t.program not in others]
    return next(iter(mine or free or waiting), None)

  def _bury(self, worker: Worker, waiting: list[Task]) -> None:
    """A worker died: its trial is reported, and another takes its place, unless it died before any work."""
    worker.process.join()
    del self.workers[worker.pipe]
    if worker.state['left']:
      self.ended['lost'] += worker.state['left']
    self.progress.lose(worker.process.pid, worker.state['doing'], worker.process.exitcode)
    if waiting and worker.state['program']:
      self._start()

  def _stop(self) -> None:
    """Asks what still runs to save and end, and ends what does not in time."""
    for worker in self.workers.values():
      worker.process.terminate()  # for one that is at work
      with suppress(OSError):
        worker.pipe.send(None)  # for one that waits; after the signal, which would kill one that is leaving
    deadline = time.monotonic() + GRACE
    for worker in self.workers.values():
      worker.process.join(max(0.0, deadline - time.monotonic()))
      if worker.process.is_alive():
        worker.process.kill()


@contextmanager
def _threads(workers: int) -> Iterator[None]:
  """Several workers get one thread each: XLA and BLAS would else all take every core."""
  names = {'NPROC': '1', 'OMP_NUM_THREADS': '1', 'OPENBLAS_NUM_THREADS': '1'} if workers > 1 else {}
  old = {name: os.environ.get(name) for name in names}
  os.environ.update(names)
  try:
    yield
  finally:
    for name, value in old.items():
      os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
