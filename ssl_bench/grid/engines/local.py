"""The local engine: worker processes of this machine, and one display of what they say."""

import math
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

from ssl_bench.grid.manifest import Manifest
from ssl_bench.grid.progress import Progress
from ssl_bench.settings.signature import BadSetting
from ssl_bench.stop import AGAIN, Stop, die_with_parent
from ssl_bench.trial.run_folder import RunFolder

FALSE_STARTS = 3  # workers in a row that may be killed before they begin a trial
GRACE = 7.5  # seconds until a worker that was asked to stop is killed; it ends itself a little earlier


def run(
  path: Path,
  todo: Manifest,
  run_folder: RunFolder,
  workers: int | None,
  *,
  of: int,
  before: int,
  seconds: float | None = None,
) -> tuple[dict[str, str], int]:
  """Works at the manifest in a file until nothing is left, a signal arrives, or `seconds` are over.

  Returns what this machine's workers ended, trial id -> status, and the exit code of a run that was stopped
  so, or 0.  Raises `BadSetting` where a worker cannot go on, as on a full disk.  `of` is how many trials the
  grid has, `before` how many of them were recorded before.
  """
  wanted = workers or default_workers()
  progress = Progress(todo.grid, of, before, sum(task.steps for task in todo.tasks))
  with progress, _threads(wanted):  # not of `count`: how much is left must not change a trial's numbers
    return Pool(run_folder, path, min(wanted, len(todo.tasks)), progress).run(seconds)


def default_workers() -> int:
  """One process for an accelerator, one per core otherwise."""
  accelerated = any(find_spec(name) for name in ('jax_cuda12_plugin', 'jax_cuda13_plugin', 'libtpu'))
  if accelerated and os.environ.get('JAX_PLATFORMS', '') != 'cpu':
    return 1
  return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def serve(pipe: Connection, folder: str, manifest: str, shared: bool) -> None:
  """A worker's whole life.  Says what `work` tells, then ('over',) or ('cannot', why)."""
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


class Worker(NamedTuple):
  """A process, the pipe to it, and what it is at."""

  process: Any
  pipe: Any
  state: dict[str, Any]


class Pool:
  """Worker processes and what they are at."""

  def __init__(self, run_folder: RunFolder, manifest: Path, count: int, progress: Progress):
    self.arguments = (str(run_folder.path), str(manifest), count > 1)
    self.count, self.progress = count, progress
    self.workers: dict[Any, Worker] = {}
    self.ended: dict[str, str] = {}  # trial id -> status
    self.cannot = ''  # why a worker ended before its time
    self.false_starts = 0  # in a row
    self.stop = Stop(grace=None)

  def run(self, seconds: float | None = None) -> tuple[dict[str, str], int]:
    """Until every worker has ended, or time is up; then what they ended, and an exit code; see `run`."""
    end = math.inf if seconds is None else time.monotonic() + seconds
    with self.stop:
      for _ in range(self.count):
        self._start()
      while self.workers and not self.stop() and time.monotonic() < end:
        for pipe in wait(list(self.workers), timeout=0.5):
          self._hear(self.workers[pipe])
      is_early = bool(self.workers)
      self._stop()
    if self.cannot:
      raise BadSetting(self.cannot)
    return self.ended, self.stop.exit_code if self.stop() else AGAIN if is_early else 0

  def _start(self) -> None:
    context = multiprocessing.get_context('spawn')
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, *self.arguments), daemon=True)
    process.start()
    theirs.close()
    self.workers[ours] = Worker(process, ours, {'doing': None, 'began': False})

  def _hear(self, worker: Worker) -> None:
    """One message of a worker, or its death."""
    try:
      kind, *words = worker.pipe.recv()
    except (EOFError, OSError):
      self._bury(worker)
      return
    if kind == 'begin':
      worker.state.update(doing=words[0], began=True)
      self.progress.begin(worker.process.pid, words[0])
    elif kind == 'step':
      self.progress.advance(worker.process.pid, words[0])
    elif kind == 'end':
      self.ended[words[0]['id']] = words[0]['status']
      self.progress.end(worker.process.pid, worker.state['doing'], words[0])
      worker.state['doing'] = None
    else:
      self.cannot = words[0] if kind == 'cannot' else self.cannot
      del self.workers[worker.pipe]

  def _bury(self, worker: Worker) -> None:
    """A worker died: it is told, and another takes its place, unless it cannot even begin."""
    worker.process.join()
    del self.workers[worker.pipe]
    self.progress.lose(worker.process.pid, worker.state['doing'], worker.process.exitcode)
    self.false_starts = 0 if worker.state['began'] else self.false_starts + 1
    if worker.state['began'] or (worker.process.exitcode < 0 and self.false_starts < FALSE_STARTS):
      self._start()

  def _stop(self) -> None:
    """Asks what still runs to save and end, and ends what does not in time."""
    for worker in self.workers.values():
      worker.process.terminate()
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
