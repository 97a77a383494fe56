"""A manifest: what a grid has to do, as a file of JSON lines that any worker on any machine can read.

The first line says which grid it is; every other one is a task, one training with its trials.  Tasks that
compile one program stand together.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from ssl_bench.config import digest
from ssl_bench.records.disk import write_whole
from ssl_bench.settings.signature import BadSetting

FORM = 'ssl_bench manifest 1'


class Trial(NamedTuple):
  """A trial that has no record, or one that says that it failed."""

  id: str
  label: str
  config: dict[str, Any]
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
  tasks: tuple[Task, ...]

  def part(self, index: int, of: int) -> 'Manifest':
    """The tasks of job `index` of `of` equal runs of them; raises `BadSetting` for a job that is none."""
    if not 0 <= index < of:
      raise BadSetting(f'--index is 0 to {of - 1} here, not {index}.')
    count = len(self.tasks)
    return self._replace(tasks=self.tasks[count * index // of : count * (index + 1) // of])


def write(manifest: Manifest, folder: Path) -> Path:
  """Writes a manifest under a name that is its digest, and returns its path."""
  head = {'form': FORM, 'grid': manifest.grid, 'tasks': len(manifest.tasks)}
  lines = [
    head,
    *({**task._asdict(), 'trials': [t._asdict() for t in task.trials]} for task in manifest.tasks),
  ]
  path = folder / f'{digest(*((t.training, t.claim, t.trials) for t in manifest.tasks))}.jsonl'
  write_whole(path, ''.join(f'{json.dumps(line)}\n' for line in lines))
  return path


def read(path: Path) -> Manifest:
  """The manifest of a file; raises `BadSetting` for one that is none."""
  try:
    with open(path, encoding='utf-8') as file:
      head, *lines = (json.loads(line) for line in file)
    if head['form'] != FORM or head['tasks'] != len(lines):
      raise ValueError
    return Manifest(head['grid'], tuple(_task(line) for line in lines))
  except OSError as error:
    raise BadSetting(
      f'There is no manifest {str(path)!r} ({error.strerror}); `ssl-bench grid` writes one.'
    ) from None
  except (ValueError, KeyError, TypeError, IndexError):
    raise BadSetting(f'{path} is no whole manifest of this version; run `ssl-bench grid` again.') from None


def _task(line: dict[str, Any]) -> Task:
  return Task(**{**line, 'trials': tuple(Trial(**trial) for trial in line['trials'])})


def trials_of(tasks: Iterable[Task]) -> list[Trial]:
  """All trials of some tasks."""
  return [trial for task in tasks for trial in task.trials]
