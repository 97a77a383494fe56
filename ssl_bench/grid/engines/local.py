"""The local engine: worker processes of this machine, and one display of what they say."""

import math
import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from multiprocessing.connection import Connection, wait
from pathlib import Path
from signal import SIGKILL
from typing import Any, NamedTuple

from ssl_bench.grid.engines import accelerators
from ssl_bench.grid.engines.engine import FALSE_STARTS, Outcome, Work
from ssl_bench.grid.progress import Progress
from ssl_bench.plugins.things import fault
from ssl_bench.settings.signature import BadSetting
from ssl_bench.stop import AGAIN, Stop, die_with_parent
from ssl_bench.trial.run_folder import RunFolder

GRACE = 7.5  # seconds until a worker that was asked to stop is killed; it ends itself a little earlier


class Local(NamedTuple):
  """Worker processes of this machine: as many as asked, and for at most so many seconds."""

  workers: int | None = None
  seconds: float | None = None

  def run(self, work: Work) -> Outcome:
    """Works until nothing is left, a signal arrives, or time is up.

    Raises `BadSetting` where a worker cannot go on, as on a full disk.
    """
    wanted = self.workers or default_workers()
    todo = work.todo
    progress = Progress(todo.grid, work.total, work.before, sum(task.steps for task in todo.tasks))
    environments = accelerators.environments(wanted, gpus())
    # How much is left changes neither the threads nor the devices of a trial, nor so its numbers.
    with progress, setting(one_thread_each(wanted)):
      pool = Pool(work.run_folder, work.path, min(wanted, len(todo.tasks)), progress, environments)
      return pool.run(self.seconds)


def default_workers() -> int:
  """One process for each accelerator, one per core without."""
  if has_accelerator():
    return max(1, len(gpus()))
  return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def gpus() -> tuple[str, ...]:
  """The GPUs that JAX would use here."""
  return accelerators.visible() if has_accelerator('jax_cuda12_plugin', 'jax_cuda13_plugin') else ()


def has_accelerator(*plugins: str) -> bool:
  """Whether JAX has one of its plugins for accelerators, by default any, and may use it."""
  names = plugins or ('jax_cuda12_plugin', 'jax_cuda13_plugin', 'libtpu')
  return os.environ.get('JAX_PLATFORMS', '') != 'cpu' and any(find_spec(name) for name in names)


def serve(pipe: Connection, folder: str, manifest: str, shared: bool) -> None:
  """A worker's whole life.  Says what `work` tells, then ('over',), ('cannot', why) or ('crashed', why)."""
  die_with_parent()
  with Stop() as stop:
    from ssl_bench.grid.manifest import read
    from ssl_bench.grid.work import work
    from ssl_bench.training.loop import Interrupted

    def tell(*message: Any) -> None:
      try:
        pipe.send(message)
      except OSError:
        os._exit(1)  # nobody listens any more

    try:
      with suppress(Interrupted):
        work(read(Path(manifest)), RunFolder(Path(folder)), tell=tell, should_stop=stop, shared=shared)
      tell('over')
    except BadSetting as error:
      tell('cannot', str(error))
    except Exception as error:
      tell('crashed', fault(error))
      raise


class Worker(NamedTuple):
  """A process, the pipe to it, what it was given, and what it is at."""

  process: Any
  pipe: Any
  environment: dict[str, str]  # what it sees of accelerators
  state: dict[str, Any]


class Pool:
  """Worker processes and what they are at."""

  def __init__(
    self,
    run_folder: RunFolder,
    manifest: Path,
    count: int,
    progress: Progress,
    environments: Sequence[dict[str, str]] = (),
  ):
    self.arguments = (str(run_folder.path), str(manifest), count > 1)
    self.environments = list(environments[:count]) or [{} for _ in range(count)]  # one a worker
    self.progress, self.killed = progress, killed_for_memory()
    self.workers: dict[Any, Worker] = {}
    self.ended: dict[str, str] = {}  # trial id -> status
    self.cannot = ''  # why a worker ended before its time
    self.false_starts = 0  # in a row
    self.alive = self.busy = 0.0  # seconds of workers until their last trial ended, and of their trials
    self.stop = Stop(grace=None)

  def run(self, seconds: float | None = None) -> Outcome:
    """Until every worker has ended, or time is up."""
    end = math.inf if seconds is None else time.monotonic() + seconds
    with self.stop:
      for environment in self.environments:
        self._start(environment)
      while self.workers and not self.stop() and time.monotonic() < end:
        for pipe in wait(list(self.workers), timeout=0.5):
          self._hear(self.workers[pipe])
      is_early = bool(self.workers)
      self._stop()
    self.progress.tell_overhead(self.alive, self.busy)
    if self.cannot:
      raise BadSetting(self.cannot)
    return Outcome(self.ended, self.stop.exit_code if self.stop() else AGAIN if is_early else 0)

  def _start(self, environment: dict[str, str]) -> None:
    context = multiprocessing.get_context('spawn')
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, *self.arguments), daemon=True)
    with setting(environment):
      process.start()
    theirs.close()
    state = {'doing': None, 'began': False, 'why': '', 'mark': time.monotonic()}
    self.workers[ours] = Worker(process, ours, environment, state)

  def _hear(self, worker: Worker) -> None:
    """One message of a worker, or its death."""
    try:
      kind, *words = worker.pipe.recv()
    except (EOFError, OSError):
      self._bury(worker)
      return
    if kind == 'begin':
      seconds = self._pass(worker)
      self.busy += seconds if worker.state['doing'] else 0.0  # several trials began at once, and one goes on
      worker.state.update(doing=words[0], began=True)
      self.progress.begin(worker.process.pid, words[0])
    elif kind == 'step':
      self.progress.advance(worker.process.pid, *words)
    elif kind == 'end':
      self.ended[words[0]['id']] = words[0]['status']
      self.busy += self._pass(worker)
      self.progress.end(worker.process.pid, worker.state['doing'], words[0])
      worker.state['doing'] = None
    elif kind == 'crashed':
      (worker.state['why'],) = words
    else:
      self.cannot = words[0] if kind == 'cannot' else self.cannot
      del self.workers[worker.pipe]

  def _pass(self, worker: Worker) -> float:
    """The seconds since a worker last began or ended a trial, which count as time that it lived."""
    now = time.monotonic()
    seconds, worker.state['mark'] = now - worker.state['mark'], now
    self.alive += seconds
    return seconds

  def _bury(self, worker: Worker) -> None:
    """A worker died: it is told, and another takes its place, unless it cannot even begin."""
    worker.process.join()
    del self.workers[worker.pipe]
    before, self.killed = self.killed, killed_for_memory()
    why = f' ({worker.state["why"]})' if worker.state['why'] else ''
    why = ', since memory ran out' if self.killed > before and worker.process.exitcode == -SIGKILL else why
    self.progress.lose(worker.process.pid, worker.state['doing'], worker.process.exitcode, why)
    self.false_starts = 0 if worker.state['began'] else self.false_starts + 1
    if worker.state['began'] or (worker.process.exitcode < 0 and self.false_starts < FALSE_STARTS):
      self._start(worker.environment)

  def _stop(self) -> None:
    """Asks what still runs to save and end, and ends what does not in time."""
    for worker in self.workers.values():
      worker.process.terminate()
    deadline = time.monotonic() + GRACE
    for worker in self.workers.values():
      worker.process.join(max(0.0, deadline - time.monotonic()))
      if worker.process.is_alive():
        worker.process.kill()


def one_thread_each(workers: int) -> dict[str, str]:
  """What gives each of several workers one thread: XLA and BLAS would else all take every core."""
  return {'NPROC': '1', 'OMP_NUM_THREADS': '1', 'OPENBLAS_NUM_THREADS': '1'} if workers > 1 else {}


@contextmanager
def setting(variables: dict[str, str]) -> Iterator[None]:
  """Sets variables of the environment, for the processes that start meanwhile."""
  old = {name: os.environ.get(name) for name in variables}
  os.environ.update(variables)
  try:
    yield
  finally:
    for name, value in old.items():
      os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def killed_for_memory() -> int:
  """How many processes Linux has ended since it started because memory ran out; 0 where it does not tell."""
  try:
    lines = Path('/proc/vmstat').read_text(encoding='ascii').splitlines()
  except OSError:
    return 0
  return next((int(line.split()[1]) for line in lines if line.startswith('oom_kill ')), 0)
