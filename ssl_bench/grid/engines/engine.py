"""What an engine is: whatever has workers do the tasks of a manifest, here or on other machines.

A task is done when its records exist, can be done twice without harm and goes on where it was, so an engine
only starts workers, and starts them again.  What became of a trial is read from the run folder alone.
"""

from pathlib import Path
from typing import NamedTuple, Protocol

from ssl_bench.grid.manifest import Manifest
from ssl_bench.grid.work import look
from ssl_bench.trial.run_folder import RunFolder

DATA = ('SSL_BENCH_DATA', 'TFDS_DATA_DIR')  # variables that say where data sets are, elsewhere as here
FALSE_STARTS = 3  # workers in a row that may be killed before they begin a task


class Work(NamedTuple):
  """What an engine is given."""

  path: Path  # of the manifest, where workers read it
  todo: Manifest
  run_folder: RunFolder
  total: int  # trials of the whole grid
  before: int  # those of them that were recorded before

  def left(self) -> int:
    """How many trials there still are for workers to do, as the run folder says."""
    over = look(self.todo.tasks, self.run_folder).over
    return sum(len(task.trials) for task in self.todo.tasks if task.training not in over)


class Outcome(NamedTuple):
  """What an engine tells when it is done."""

  ended: dict[str, str] | None = None  # trial id -> status, of its workers; None where the records tell
  exit_code: int = 0  # of a run that a signal or its time limit stopped
  goes_on: bool = False  # its workers go on, or begin, without this process


class Engine(Protocol):
  """Where the workers of a grid run: `local`, `slurm`, `ray` or `kubernetes`."""

  def run(self, work: Work) -> Outcome:
    """Has workers do what is to do, and returns when nothing is left, or when others see to it.

    Raises `BadSetting` where no worker can do it.
    """
