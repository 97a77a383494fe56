"""Follows the trials of a run folder while they run, and tells a tracker, in a process of its own.

The process reads the journals, the records and the manifest of the folder.  It asks nothing of whoever
trains, so a tracker that fails, hangs or dies changes nothing there; what it missed is mirrored from the
records.
"""

import gzip
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from ssl_bench import plugins
from ssl_bench.grid import manifest
from ssl_bench.grid.label import label
from ssl_bench.records.naming import variant, varied_in
from ssl_bench.records.trackers import Chosen, Follower, LiveTracker, Run, Tracker, make
from ssl_bench.settings.signature import BadSetting
from ssl_bench.stop import die_with_parent
from ssl_bench.trial.journal import Reader, row_of
from ssl_bench.trial.owner import is_dead

EVERY = 0.5  # seconds between two looks at the folder
PATIENCE = 10.0  # seconds that a tracker gets at the end; then what it has not taken is left to mirroring
HURRY = 1.0  # the same, where a signal asked to stop
NICE = 10  # training goes first


class Following:
  """What goes on beside trials that run; `hurry` says that a signal asked to stop."""

  hurry = False


@contextmanager
def following(trackers: Sequence[Tracker], folder: Path) -> Iterator[Following]:
  """A context in which the trials of a run folder are shown by those trackers that show trials live.

  Args:
    trackers: as `trackers.choose` gives them.
    folder: the run folder; it need not be there yet.
  """
  children, this = [], Following()
  with ExitStack() as files:
    for one in trackers:
      if isinstance(one, Chosen) and isinstance(one.tracker, LiveTracker):
        said = files.enter_context(tempfile.TemporaryFile())  # a pipe that nobody reads would be full one day
        with suppress(OSError):
          children.append((one.name, _start(one, folder, said), said))
    try:
      yield this
    except BaseException:
      this.hurry = True
      raise
    finally:
      for _, child, _ in children:
        with suppress(OSError):
          child.stdin.close()
      end = time.monotonic() + (HURRY if this.hurry else PATIENCE)
      for name, child, said in children:
        _wait(name, child, said, end)


def _start(chosen: Chosen, folder: Path, said: IO[bytes]) -> Any:
  files = [str(path.absolute()) for path in plugins.loaded_files() if path.is_file()]  # others are gone
  task = {'name': chosen.name, 'settings': chosen.settings, 'folder': str(folder.absolute()), 'files': files}
  return subprocess.Popen(
    [sys.executable, '-P', '-m', 'ssl_bench.grid.follow', json.dumps(task)],
    stdin=subprocess.PIPE,
    stdout=subprocess.DEVNULL,
    stderr=said,
    env={**os.environ, 'PYTHONPATH': os.pathsep.join(os.path.abspath(path) for path in sys.path)},
    start_new_session=True,
  )


def _wait(name: str, child: Any, said: IO[bytes], end: float) -> None:
  """Waits for a follower until `end`, and ends it then; says why one ended before it was asked to."""
  try:
    child.wait(max(0.0, end - time.monotonic()))
  except subprocess.TimeoutExpired:
    child.kill()
    child.wait()
    return
  if child.returncode:
    said.seek(0)
    lines = said.read().decode(errors='replace').strip().splitlines()
    why = lines[-1].rstrip('.')[:300] if lines else f'its process ended with code {child.returncode}'
    print(f'ssl-bench: {name} did not follow the trials to their end ({why}).', file=sys.stderr)


class Folder:
  """What a follower knows of a run folder."""

  def __init__(self, path: Path, make: Callable[[], Follower]):
    """`make`: called when the first trial begins."""
    self.path, self._make = path, make
    self.follower: Follower | None = None
    self._trials: dict[str, _Trial] = {}
    self._configs: dict[str, Any] = {}  # of all records, by id
    self._states: dict[str, tuple[int, str, str]] = {}  # of all records: mtime, status, finished
    self._counted: Mapping[str, int] = {}
    self._newest: tuple[int, Path] | None = None  # when the newest manifest was written, and where it is
    self._planned: dict[str, str | None] = {}  # its trials

  def look(self) -> None:
    """Tells the follower what is new."""
    journals = {path.stem: path for path in sorted((self.path / 'live').glob('*.jsonl'))}
    for name, path in journals.items():
      self._trials.setdefault(name, _Trial(path)).read()
    for name, trial in list(self._trials.items()):
      self._tell(name, trial, gone=name not in journals)
    if self.follower:
      self._count()

  def close(self) -> None:
    """Leaves what still runs, and ends the follower."""
    if self.follower:
      for trial in self._trials.values():
        if trial.run:
          self.follower.end(trial.run, None)
      self.follower.close()

  def _tell(self, name: str, trial: '_Trial', *, gone: bool) -> None:
    for event in trial.take():
      if 'begin' in event:
        self._begin(trial, event)
      elif 'values' in event and trial.run and self.follower:
        row = row_of(event)
        if (row.part, row.step) not in trial.told or not row.step:
          trial.told.add((row.part, row.step))
          self.follower.log(trial.run, row)
      elif 'left' in event:
        self._end(trial, None)
    if gone:
      record = self._record(name)
      if trial.run:
        self._end(trial, record)
      del self._trials[name]
    elif trial.run and is_dead(trial.owner):
      self._end(trial, None)

  def _begin(self, trial: '_Trial', event: Mapping[str, Any]) -> None:
    if is_dead(event['owner']):
      return
    if self.follower is None:
      self.follower = self._make()
    if trial.run:
      self.follower.end(trial.run, None)
    known = event['begin']
    config, names = known['config'], varied_in(self.path, self._configs_with(known))
    trial.run = Run(known['id'], known, variant(config, names), label(config, names))
    trial.owner = event['owner']
    self.follower.start(trial.run)
    trial.again()

  def _end(self, trial: '_Trial', record: Mapping[str, Any] | None) -> None:
    if trial.run and self.follower:
      self.follower.end(trial.run, record)
    trial.run = None

  def _configs_with(self, known: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The configs of all records here, and that of a trial that begins."""
    for path in (self.path / 'records').glob('*.json'):
      if path.stem not in self._configs:
        with suppress(OSError, ValueError, KeyError, TypeError):
          self._configs[path.stem] = json.loads(path.read_text(encoding='utf-8'))['config']
    yield from (*self._configs.values(), known['config'])

  def _record(self, name: str) -> dict[str, Any] | None:
    """A record with its curves, as `record.read_with_curves` gives it, or None."""
    path = self.path / 'records' / f'{name}.json'
    try:
      tree = json.loads(path.read_text(encoding='utf-8'))
      rows: dict[str, Any] = {'curve': [], 'evaluations': []}
      if tree.pop('curves') is not None:
        with gzip.open(path.with_name(f'{name}.curves.json.gz'), 'rt', encoding='utf-8') as file:
          rows = json.load(file)
      return {**tree, **rows}
    except (OSError, ValueError, KeyError):
      return None

  def _count(self) -> None:
    """Counts the trials by state; only records that are new are opened."""
    for path in (self.path / 'records').glob('[!.]*.json'):
      with suppress(OSError, ValueError, KeyError, TypeError):  # one that cannot be read counts as none
        mark = path.stat().st_mtime_ns
        if self._states.get(path.stem, (0,))[0] != mark:
          tree = json.loads(path.read_text(encoding='utf-8'))
          self._states[path.stem] = (mark, tree['status'], tree['time']['finished'])
    states = {name: status for name, (_, status, _) in self._states.items()}
    for name, failed in self._todo().items():
      if name not in self._states or self._states[name][2] == failed:
        states[name] = 'to do'
    states |= {name: 'running' for name, trial in self._trials.items() if trial.run}
    counted = dict(Counter(states.values()))
    if counted != self._counted and self.follower:
      self.follower.count(counted)
      self._counted = counted

  def _todo(self) -> dict[str, str | None]:
    """The trials of the newest manifest: id -> when the failed record was written that is there already."""
    paths = [(path.stat().st_mtime_ns, path) for path in (self.path / 'manifests').glob('*.jsonl')]
    if not paths:
      return {}
    if self._newest != (newest := max(paths)):
      self._newest = newest
      with suppress(BadSetting):
        self._planned = {trial.id: trial.failed for trial in manifest.read(newest[1]).trials}
    return self._planned


class _Trial:
  """A journal that is followed."""

  def __init__(self, path: Path):
    self._reader = Reader(path)
    self._events: list[dict[str, Any]] = []
    self._next = 0
    self.told: set[tuple[str, int]] = set()  # what the follower was told since the trial began
    self.run: Run | None = None
    self.owner: dict[str, Any] = {}

  def read(self) -> None:
    self._events += self._reader.read()

  def take(self) -> Iterator[dict[str, Any]]:
    """The events that were not taken yet."""
    while self._next < len(self._events):
      self._next += 1
      yield self._events[self._next - 1]

  def again(self) -> None:
    """After a trial begins anew, its rows of before come first; its earlier beginnings are forgotten."""
    self.told.clear()
    rows = [event for event in self._events[: self._next] if 'values' in event]
    self._events = rows + self._events[self._next :]
    self._next = 0


def main() -> None:
  """Follows until stdin ends; the task is the one argument: {name, settings, folder, files} as JSON."""
  die_with_parent()
  if hasattr(os, 'nice'):
    os.nice(NICE)
  task = json.loads(sys.argv[1])
  plugins.load(task['files'])
  tracker, path = make(task['name'], (), task['settings']).tracker, Path(task['folder'])
  assert isinstance(tracker, LiveTracker)
  folder = Folder(path, lambda: tracker.follow(path))
  code = 0
  try:
    while not select.select([sys.stdin], [], [], EVERY)[0]:
      folder.look()
    folder.look()
    folder.close()
  except Exception as error:
    print(' '.join(f'{type(error).__name__}: {error}'.split()), file=sys.stderr, flush=True)
    code = 1
  os._exit(code)  # what a tracker still has running would keep the exit waiting


if __name__ == '__main__':
  main()
