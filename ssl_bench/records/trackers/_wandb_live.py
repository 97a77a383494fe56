"""W&B while trials run: one open run a trial, in a process of its own that follows them.

A run that was begun before and lost with its process goes on: a server is asked how far it came; offline its
file is written anew.  When a trial has its record, the run gets what it lacks.  Where rows are not those of
the record, or are missing and cannot be added any more, since W&B takes steps in their order only, the run is
left without its marker, and mirroring writes it once more from the record.  A trial that another process
follows is left to that one.
"""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ssl_bench.records.trackers import Row, Run, _lock
from ssl_bench.records.trackers._checkpoint import last_of
from ssl_bench.records.trackers._contents import PARTS, about, config, contents, row, same
from ssl_bench.records.trackers._wandb_run import finish, forget, settings_of
from ssl_bench.records.trackers.wandb import Place, environment
from ssl_bench.stop import AGAIN

MOST_FAILURES = 3  # runs in a row that cannot be begun; then no other is tried


class _Open(NamedTuple):
  """A run under way."""

  run: Any  # of W&B
  lock: int
  first: int  # the first step that it takes: what a server has already comes before
  logged: dict[int, dict[str, Any]]  # step -> values by name

  @property
  def next(self) -> int:
    """The first step of which W&B takes more."""
    return max(self.logged, default=self.first)


class Live:
  """Follows trials as W&B runs."""

  def __init__(self, to: Place, folder: Path):
    self.to, self.folder = to, folder
    place = folder / 'wandb'
    (place / 'mirrored').mkdir(parents=True, exist_ok=True)
    self.temporary = tempfile.TemporaryDirectory(dir=place, prefix='.tmp-', ignore_cleanup_errors=True)
    os.environ |= (wanted := environment(place, self.temporary.name, to.mode))
    for name in set(os.environ) - set(wanted):
      del os.environ[name]
    tempfile.tempdir = self.temporary.name
    self.runs: dict[str, _Open] = {}
    self.failures = 0

  def start(self, run: Run) -> None:
    if self.failures >= MOST_FAILURES:
      return
    online, marker = self.to.mode == 'online', self.to.marker(self.folder, run.id)
    lock = None
    try:
      import wandb

      if (lock := _lock.take(marker)) is None:
        return
      is_new = not online or marker.is_file()  # a run that was complete is of an older record
      marker.unlink(missing_ok=True)
      if not online:
        forget(run.id, self.to.mode, self.folder)
      made = wandb.init(
        id=run.id,
        project=self.to.project,
        mode=self.to.mode,
        dir=self.folder,
        resume=None if is_new else 'allow',
        reinit='create_new',
        **about({**run.known, 'status': 'running'}, run.variant, self.to.tags),
        config=config(run.known),
        settings=settings_of(wandb),
      )
      self.runs[run.id] = _Open(made, lock, made.starting_step, {})
      self.failures = 0
    except Exception:  # no server, no package: mirroring says why
      self.failures += 1
      if lock is not None:
        os.close(lock)

  def log(self, run: Run, row_: Row) -> None:
    if not (found := self.runs.get(run.id)) or row_.step < found.next:
      return
    values = row(row_.values, PARTS[row_.part])
    if values:
      found.run.log(values, step=row_.step)
      found.logged.setdefault(row_.step, {}).update(values)

  def end(self, run: Run, record: Mapping[str, Any] | None) -> None:
    if found := self.runs.pop(run.id, None):
      try:
        self._end(found, run, record)
      finally:
        os.close(found.lock)

  def _end(self, found: _Open, run: Run, record: Mapping[str, Any] | None) -> None:
    if record is None:
      found.run.finish(exit_code=AGAIN)
      return
    told = contents(record, run.variant, self.to.tags)
    is_whole = self._complete(found, told.history)
    found.run.config.update(told.config, allow_val_change=True)
    found.run.tags, found.run.notes = told.about['tags'], told.about['notes']
    keeps = 'checkpoint' in self.to.artifacts and record['status'] == 'done'
    checkpoint = last_of(self.folder, run.known['training']) if keeps else None
    finish(found.run, told, Path(self.temporary.name), str(checkpoint or ''))
    if is_whole and (self.to.mode == 'online' or _file_of(found.run).is_file()):
      marker = self.to.marker(self.folder, run.id)
      marker.write_text(self.to.seal(record, run.variant), encoding='utf-8')

  def _complete(self, found: _Open, history: list[tuple[int, dict[str, Any]]]) -> bool:
    """Logs the rows of a record that its run lacks; returns whether it has all then, and nothing else."""
    recorded = dict(history)
    is_whole = all(
      same(value, recorded.get(step, {}).get(name))
      for step, values in found.logged.items()
      for name, value in values.items()
    )
    for step, values in history:
      lacks = {k: v for k, v in values.items() if k not in found.logged.get(step, ())}
      if lacks and step >= found.next:
        found.run.log(lacks, step=step)
        found.logged.setdefault(step, {}).update(lacks)
      elif lacks and step >= found.first:
        is_whole = False
    return is_whole

  def count(self, trials: Mapping[str, int]) -> None:
    pass

  def close(self) -> None:
    self.temporary.cleanup()


def _file_of(run: Any) -> Path:
  """The file of an offline run, which somebody may have removed while it was open."""
  return Path(run.dir).parent / f'run-{run.id}.wandb'
