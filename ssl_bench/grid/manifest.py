"""A manifest: what a grid has to do, as a file of JSON lines that any worker on any machine can read.

The first line says which grid it is and holds its configs; every other one is a task, one training with its
trials.  Tasks that compile one program stand together.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from ssl_bench.config import digest_of
from ssl_bench.grid.label import label
from ssl_bench.records.disk import write_whole
from ssl_bench.settings.signature import BadSetting

FORM = 'ssl_bench manifest 1'


class Trial(NamedTuple):
  """A trial that has no record, or one that says that it failed."""

  id: str
  config: int  # which of the manifest's configs it is, but for its seeds
  split_seed: int
  seed: int
  failed: str | None = None  # when the failed record was written that is there already


class Task(NamedTuple):
  """A training, and the trials that share it."""

  training: str
  program: str  # a word for what it compiles
  steps: int
  claim: int  # the number of the newest claim when the task was written, -1 without one: those count no more
  trials: tuple[Trial, ...]


class Manifest(NamedTuple):
  """What a grid has to do."""

  grid: str
  names: dict[str, list[str]]  # method -> the settings that the grid varies, which a label tells
  configs: tuple[dict[str, Any], ...]
  tasks: tuple[Task, ...]
  folder: str = ''  # the working folder of whoever wrote it, from where the paths of plugin files go
  until: int | None = None  # the step to which its trainings go, where it is not their last
  together: int = 1  # trainings that differ in seeds alone, at most, that a worker trains in one program

  @property
  def trials(self) -> list[Trial]:
    """The trials of all tasks."""
    return [trial for task in self.tasks for trial in task.trials]

  def config_of(self, trial: Trial) -> dict[str, Any]:
    """A trial's config as plain data."""
    return {**self.configs[trial.config], 'split_seed': trial.split_seed, 'seed': trial.seed}

  def label_of(self, trial: Trial) -> str:
    """A trial in a few words."""
    return label(self.config_of(trial), self.names)

  def part(self, index: int, of: int) -> 'Manifest':
    """The tasks of job `index` of `of` equal runs of them; raises `BadSetting` for a job that is none."""
    if not 0 <= index < of:
      raise BadSetting(f'--index is 0 to {of - 1} here, not {index}.')
    count = len(self.tasks)
    return self._replace(tasks=self.tasks[count * index // of : count * (index + 1) // of])


def write(manifest: Manifest, folder: Path) -> Path:
  """Writes a manifest under a name that is its digest, and returns its path."""
  head = {**manifest._asdict(), 'form': FORM, 'tasks': len(manifest.tasks)}
  lines: list[Any] = [head, *manifest.tasks]
  text = ''.join(f'{json.dumps(line)}\n' for line in lines)
  path = folder / f'{digest_of(text)}.jsonl'
  write_whole(path, text)
  return path


def read(path: Path) -> Manifest:
  """The manifest of a file; raises `BadSetting` for one that is none."""
  try:
    with open(path, encoding='utf-8') as file:
      head, *lines = (json.loads(line) for line in file)
    if head['form'] != FORM or head['tasks'] != len(lines):
      raise ValueError
    rows = ((*line[:-1], tuple(Trial(*trial) for trial in line[-1])) for line in lines)
    tasks = tuple(map(Task._make, rows))
    return Manifest(
      head['grid'],
      head['names'],
      tuple(head['configs']),
      tasks,
      head['folder'],
      head.get('until'),
      head.get('together', 1),
    )
  except OSError as error:
    raise BadSetting(
      f'There is no manifest {str(path)!r} ({error.strerror}); `ssl-bench grid` writes one.'
    ) from None
  except (ValueError, KeyError, TypeError, IndexError):
    raise BadSetting(f'{path} is no whole manifest of this version; run `ssl-bench grid` again.') from None
