"""A worker from the command line: takes tasks of a manifest, and says what it is at."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from ssl_bench import gang
from ssl_bench.grid import manifest
from ssl_bench.grid.follow import following
from ssl_bench.grid.manifest import Manifest
from ssl_bench.grid.progress import outcome
from ssl_bench.grid.work import work
from ssl_bench.records.trackers import Tracker
from ssl_bench.settings.signature import BadSetting
from ssl_bench.stop import AGAIN, Stop
from ssl_bench.training.loop import Interrupted
from ssl_bench.trial.run_folder import RunFolder


def run_worker(
  folder: Path,
  path: Path,
  stop: Stop,
  trackers: Sequence[Tracker] = (),
  *,
  index: int | None,
  of: int,
  shared: bool,
  gpus: int = 0,
) -> int:
  """Works at a manifest, or at one job's part of it.

  Args:
    folder: the run folder.
    path: the manifest.
    stop: whether a signal asked to stop.
    trackers: that show the trials while they run.
    index: which job this is, from 0; None takes any task.
    of: how many jobs there are; 0 for one a task.
    shared: whether other trials run on the machine.
    gpus: how many the scheduler gave it; where JAX sees none, it refuses to train on the CPU in their place.

  Returns:
    0 where nothing is left, 1 where trials are that nobody takes up, which are named, 75 after a signal.
    In a gang the first process says what is left, and all return the same.  An error of the worker's own is
    raised, and the command line makes 70 of it.
  """
  if gpus and jax.default_backend() == 'cpu' and not os.environ.get('JAX_PLATFORMS'):
    raise BadSetting(
      f'This worker was given {gpus} GPUs, and JAX sees none; install ssl_bench[cuda] where it runs, or ask '
      'for gpus: 0.'
    )
  todo, run_folder = gang.on_all(_read, folder, path), RunFolder(folder.absolute())
  gang.check_same((path.stem, index, of), 'the manifest, --index or --of')
  if index is not None:
    todo = todo.part(index, of or len(todo.tasks))
  if any(config.get('plugins') for config in todo.configs) and Path(todo.folder).is_dir():
    os.chdir(todo.folder)
  tell = _Said() if gang.is_first() else lambda *message: None
  try:
    with following(trackers if gang.is_first() else (), run_folder.path):
      over = work(todo, run_folder, tell=tell, should_stop=gang.agreed(stop), shared=shared)
  except Interrupted:
    print('Stopped; what was trained is saved. The same command goes on from there.', flush=True)
    return AGAIN
  return gang.on_first(_name_left, todo, over)


def _name_left(todo: Manifest, over: Mapping[str, str]) -> int:
  """Names the trials that nobody takes up; 1 where there are such, else 0."""
  bad = [task for task in todo.tasks if over[task.training] != 'recorded']
  for task in bad:
    for trial in task.trials:
      print(f'{over[task.training]}: {todo.label_of(trial)}; `ssl-bench retry` or `grid` tries it again.')
  return 1 if bad else 0


def _read(folder: Path, path: Path) -> Manifest:
  """The manifest; raises `BadSetting` where it or the run folder is not there."""
  todo = manifest.read(path)
  if not folder.is_dir():
    raise BadSetting(f'There is no run folder {str(folder)!r}; `ssl-bench grid` makes one.')
  return todo


class _Said:
  """Prints a line for each trial that ends."""

  def __init__(self) -> None:
    self.label = ''

  def __call__(self, kind: str, *words: Any) -> None:
    if kind == 'begin':
      (self.label,) = words
    elif kind == 'end':
      (found,) = words
      print(f'{self.label}: {outcome(found)}', flush=True)
