"""What MLflow is told: of a record as a whole, or of a trial while it runs; in a process of its own."""

import json
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from ssl_bench.records.trackers import Row, Run, _lock
from ssl_bench.records.trackers._checkpoint import last_of
from ssl_bench.records.trackers._contents import PARTS, about, config, contents, history, row, same
from ssl_bench.records.trackers.mlflow import MLflow
from ssl_bench.settings.yaml import flatten
from ssl_bench.stop import die_with_parent

NICE = 10  # training goes first
BATCH = 100  # parameters or metrics of one request, of which MLflow takes 100 and 1,000
MOST_FAILURES = 3  # trials in a row that MLflow does not take; then no other is tried
LONGEST = 5_000  # characters of a parameter or a tag
ID = 'ssl_bench.id'


class Client:
  """Runs of an experiment, by the ids of their trials."""

  def __init__(self, to: MLflow, folder: Path):
    place = to.place(folder)
    (folder / 'mlflow/mirrored').mkdir(parents=True, exist_ok=True)
    if '://' not in place or place.startswith('file:'):
      os.environ.setdefault('MLFLOW_ALLOW_FILE_STORE', 'true')  # or MLflow refuses its older store
    from mlflow.tracking import MlflowClient

    self.to, self.folder, self.client = to, folder, MlflowClient(place)
    found = self.client.get_experiment_by_name(to.project)
    files = None if place.startswith('http') else (folder / 'mlflow/artifacts').absolute().as_uri()
    self.experiment = (
      found.experiment_id if found else self.client.create_experiment(to.project, artifact_location=files)
    )

  def find(self, trial: str) -> Any:
    """The run of a trial, or None."""
    runs = self.client.search_runs([self.experiment], f"tags.`{ID}` = '{trial}'", max_results=1)
    return runs[0] if runs else None

  def make(self, known: Mapping[str, Any], variant: Mapping[str, str]) -> str:
    """A new run in place of an older one of the same trial; its id."""
    if old := self.find(known['id']):
      self.client.delete_run(old.info.run_id)
    said = about(known, variant, self.to.tags)
    run = self.client.create_run(self.experiment, run_name=said['name'], tags={ID: known['id']})
    self.describe(run.info.run_id, known, said)
    return run.info.run_id

  def describe(self, run: str, known: Mapping[str, Any], said: Mapping[str, Any]) -> None:
    """The names of a run and its settings, which are the same whenever they are told."""
    from mlflow.entities import Param

    self.tag(run, _tags(said) | flatten({k: v for k, v in config(known).items() if k not in known['config']}))
    settings = [Param(k, v[:LONGEST]) for k, v in flatten(known['config']).items()]
    for start in range(0, len(settings), BATCH):
      self.client.log_batch(run, params=settings[start : start + BATCH])

  def tag(self, run: str, tags: Mapping[str, Any]) -> None:
    from mlflow.entities import RunTag

    found = [RunTag(k, str(v)[:LONGEST]) for k, v in tags.items()]
    for start in range(0, len(found), BATCH):
      self.client.log_batch(run, tags=found[start : start + BATCH])

  def log(self, run: str, rows: Iterable[tuple[int, Mapping[str, Any], float]]) -> None:
    """Rows of (step, numbers by name, seconds since the epoch)."""
    from mlflow.entities import Metric

    found = [
      Metric(name, float(value), int(1000 * at), step)
      for step, values, at in rows
      for name, value in values.items()
      if isinstance(value, int | float)
    ]
    for start in range(0, len(found), BATCH):
      self.client.log_batch(run, metrics=found[start : start + BATCH])

  def finish(
    self, run: str, record: Mapping[str, Any], variant: Mapping[str, str], checkpoint: str, logged: 'Logged'
  ) -> None:
    """Adds what a record says and its run lacks, and ends the run."""
    told, end = contents(record, variant, self.to.tags), _seconds(record['time']['finished'])
    lacks = [
      (step, {k: v for k, v in named(values).items() if (step, k) not in logged}, end)
      for step, values in told.history
    ]
    self.log(run, lacks)
    ends = named(told.summary)
    numbers = {k: v for k, v in ends.items() if isinstance(v, int | float)}
    self.log(run, [(record['config']['steps'], numbers, end)])
    texts = {k: v for k, v in ends.items() if isinstance(v, str)}
    self.tag(run, texts | _tags(told.about))
    self.describe(run, record, told.about)
    for name, (columns, rows) in told.tables.items():
      self.client.log_table(run, {c: [r[i] for r in rows] for i, c in enumerate(columns)}, f'{name}.json')
    if checkpoint:
      self.client.log_artifacts(run, checkpoint, 'checkpoint')
    self.client.set_terminated(run, 'FAILED' if told.exit_code else 'FINISHED', int(1000 * end))


def named(values: Mapping[str, Any]) -> dict[str, Any]:
  """Values by names that MLflow takes; none is a folder of its store where another one is a file."""
  found = {}
  for name, value in values.items():
    shown = re.sub(r'[^\w./ :-]', '_', name)
    for size in (len(other) for other in values if name.startswith(f'{other}/')):
      shown = f'{shown[:size]}.{shown[size + 1 :]}'
    found[shown] = value
  return found


Logged = dict[tuple[int, str], Any]  # what a run has, by step and name


class _Open(NamedTuple):
  run: str
  logged: Logged


class Live:
  """Follows trials as MLflow runs; one that another process follows is left to that one."""

  def __init__(self, to: MLflow, folder: Path):
    self.to, self.folder, self.client = to, folder, Client(to, folder)
    self.runs: dict[str, _Open] = {}
    self.locks: dict[str, int] = {}
    self.failures = 0

  def start(self, run: Run) -> None:
    if self.failures < MOST_FAILURES:
      with self._alone(run):
        self._start(run)

  @contextmanager
  def _alone(self, run: Run) -> Iterator[None]:
    """What fails in here leaves a trial to mirroring, which says why, and no other trial."""
    try:
      yield
      self.failures = 0
    except Exception:
      self.failures += 1
      self._leave(run)

  def _leave(self, run: Run) -> None:
    self.runs.pop(run.id, None)
    if run.id in self.locks:
      os.close(self.locks.pop(run.id))

  def _start(self, run: Run) -> None:
    marker = self.to.marker(self.folder, run.id)
    if (lock := _lock.take(marker)) is None:
      return
    self.locks[run.id] = lock
    old = self.client.find(run.id)
    if old and not marker.is_file():  # one that was complete is of an older record
      self.client.client.update_run(old.info.run_id, status='RUNNING')
      self.runs[run.id] = _Open(old.info.run_id, self._has(old))
    else:
      marker.unlink(missing_ok=True)
      made = self.client.make({**run.known, 'status': 'running'}, run.variant)
      self.runs[run.id] = _Open(made, {})

  def _has(self, run: Any) -> Logged:
    names = [name for name in run.data.metrics if name.startswith(tuple(PARTS.values()))]
    histories = {name: self.client.client.get_metric_history(run.info.run_id, name) for name in names}
    return {(point.step, name): point.value for name, points in histories.items() for point in points}

  def log(self, run: Run, row_: Row) -> None:
    if found := self.runs.get(run.id):
      with self._alone(run):
        self._log(found, row_)

  def _log(self, found: _Open, row_: Row) -> None:
    values = {
      name: value
      for name, value in named(row(row_.values, PARTS[row_.part])).items()
      if (row_.step, name) not in found.logged
    }
    if values and row_.step:
      self.client.log(found.run, [(row_.step, values, row_.at)])
      found.logged.update(((row_.step, name), value) for name, value in values.items())

  def end(self, run: Run, record: Mapping[str, Any] | None) -> None:
    if found := self.runs.get(run.id):
      with self._alone(run):
        self._end(found, run, record)
      self._leave(run)

  def _end(self, found: _Open, run: Run, record: Mapping[str, Any] | None) -> None:
    if record is None:
      self.client.client.set_terminated(found.run, 'KILLED')
      return
    keeps = 'checkpoint' in self.to.artifacts and record['status'] == 'done'
    checkpoint = last_of(self.folder, run.known['training']) if keeps else None
    if not _agree(found.logged, record):  # rows of a training before, whose checkpoint was lost or put aside
      found = _Open(self.client.make(record, run.variant), {})
    self.client.finish(found.run, record, run.variant, str(checkpoint or ''), found.logged)
    self.to.marker(self.folder, run.id).write_text(self.to.seal(record, run.variant), encoding='utf-8')

  def count(self, trials: Mapping[str, int]) -> None:
    pass

  def close(self) -> None:
    pass


def _agree(logged: Logged, record: Mapping[str, Any]) -> bool:
  """Whether a record has every number of a run's curves."""
  recorded = {(step, name): v for step, values in history(record) for name, v in named(values).items()}
  numbers = {place: value for place, value in logged.items() if isinstance(value, int | float)}
  return all(same(value, recorded.get(place)) for place, value in numbers.items())


def _tags(said: Mapping[str, Any]) -> dict[str, Any]:
  tags = {
    'mlflow.runName': said['name'],
    'mlflow.note.content': said['notes'] or '',
    'ssl_bench.group': said['group'],
    'ssl_bench.family': said['job_type'],
    'ssl_bench.tags': ', '.join(said['tags']),
  }
  return {k: v for k, v in tags.items() if v}


def _seconds(text: str) -> float:
  return datetime.fromisoformat(text).timestamp()


def main() -> None:
  """Reads a task from stdin, mirrors its records, and answers one JSON line for each.

  Answers: {mirrored: id}; {failed: id, why} for a record that MLflow does not take; {stopped: why}, the last
  one, where it takes none.

  Task: {to, folder, records: [[record, variant, marker, seal, checkpoint], …], board: [its folder, marker,
  seal] or null}.
  """
  die_with_parent()
  answers = os.fdopen(os.dup(1), 'w', encoding='utf-8')
  os.dup2(2, 1)  # whatever MLflow prints is no answer
  if hasattr(os, 'nice'):
    os.nice(NICE)
  task = json.load(sys.stdin)
  uri, project, tags, artifacts = task['to']
  failures = 0

  def answer(**words: str) -> None:
    print(json.dumps(words), file=answers, flush=True)

  try:
    client = Client(MLflow(uri, project, tuple(tags), tuple(artifacts)), Path(task['folder']))
    for record, variant, marker, seal, checkpoint in task['records']:
      try:
        client.finish(client.make(record, variant), record, variant, checkpoint, {})
      except Exception as error:
        failures += 1
        if failures == MOST_FAILURES:
          raise
        answer(failed=record['id'], why=_say(error))
        continue
      failures = 0
      Path(marker).write_text(seal, encoding='utf-8')
      answer(mirrored=record['id'])
    if task['board']:
      place, marker, seal = task['board']
      keep_board(client, Path(place))
      Path(marker).write_text(seal, encoding='utf-8')
  except Exception as error:
    answer(stopped=_say(error))
    os._exit(1)


def _say(error: Exception) -> str:
  return ' '.join(f'{type(error).__name__}: {error}'.split())


def keep_board(client: Client, place: Path) -> None:
  """Uploads a board to a run of its own, in place of an older one."""
  name = f'board of {client.folder.name}'
  if old := client.find(name):
    client.client.delete_run(old.info.run_id)
  run = client.client.create_run(client.experiment, run_name=name, tags={ID: name})
  client.client.log_artifacts(run.info.run_id, str(place))
  client.client.set_terminated(run.info.run_id, 'FINISHED', int(1000 * time.time()))


if __name__ == '__main__':
  main()
