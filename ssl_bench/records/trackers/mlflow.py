"""MLflow shows records, and trials while they run; it can never end a run.

MLflow chooses the ids of its runs, so a run has the tag `ssl_bench.id` by which it is found again.
"""

import json
import os
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ssl_bench.records.naming import varied_in
from ssl_bench.records.trackers import Follower
from ssl_bench.records.trackers._child import digest, digest_of_files, holds, limit, mirrored, run_child
from ssl_bench.records.trackers._pending import pending, warn
from ssl_bench.settings.signature import BadSetting

FORMAT = 1  # bumped when runs show a record in another way: what was mirrored is then mirrored anew
EXPERIMENT = 'ssl_bench'
EXTRA = "pip install 'ssl_bench[mlflow]'"

# A server that does not answer is given up soon.
PATIENT = {'MLFLOW_HTTP_REQUEST_TIMEOUT': '10', 'MLFLOW_HTTP_REQUEST_MAX_RETRIES': '1'}


class MLflow(NamedTuple):
  """MLflow as a tracker; `uri` is '' for a file of the run folder."""

  uri: str
  project: str
  tags: tuple[str, ...]
  artifacts: tuple[str, ...]

  def check(self) -> None:
    if not find_spec('mlflow'):
      raise BadSetting(f'The tracker mlflow needs the package mlflow-skinny; run {EXTRA}.')
    if self.place(Path()).startswith('sqlite:') and not (find_spec('sqlalchemy') and find_spec('alembic')):
      raise BadSetting(f'A local file of MLflow needs the packages sqlalchemy and alembic; run {EXTRA}.')

  def place(self, folder: Path) -> str:
    """Where runs are kept: a server, a folder, or a database."""
    return self.uri or f'sqlite:///{folder.absolute() / "mlflow/mlflow.db"}'

  def seal(self, record: Mapping[str, Any], told: Mapping[str, str]) -> str:
    """A digest of all that a run of a record shows and of where it is; equal seals, equal runs."""
    return digest([FORMAT, self, told, record])

  def marker(self, folder: Path, name: str) -> Path:
    """The file that holds the seal of what was mirrored under an id."""
    return folder.absolute() / 'mlflow/mirrored' / name

  def mirror(
    self, records: Iterable[Mapping[str, Any]], folder: Path, among: Iterable[Mapping[str, Any]]
  ) -> int:
    """As `Tracker.mirror`, in a child process; warns `NotMirrored` where something kept MLflow from it."""
    names = varied_in(folder, (record['config'] for record in among))
    new = pending(records, names, folder, self)
    board = self._board(folder) if 'board' in self.artifacts else None
    if not (new or board):
      return 0
    place, seconds = folder.absolute() / 'mlflow', limit(len(new) + bool(board))
    place.mkdir(parents=True, exist_ok=True)
    task = json.dumps({'to': self, 'folder': str(folder.absolute()), 'board': board, 'records': new})
    said = run_child('_mlflow_run', task, {**PATIENT, **os.environ}, place, seconds)
    done, why = mirrored(len(new), *said, seconds)
    if why:
      warn('MLflow', done, len(new), why)
    return done

  def _board(self, folder: Path) -> list[str] | None:
    """[folder, marker, seal] of a board that is not mirrored yet, or None."""
    place, marker = folder.absolute() / 'leaderboard', self.marker(folder, 'board')
    content = digest_of_files(place)
    seal = digest([self, content])
    return None if not content or holds(marker, seal) else [str(place), str(marker), seal]

  def follow(self, folder: Path) -> Follower:
    from ssl_bench.records.trackers._mlflow_run import Live

    os.environ.update({**PATIENT, **os.environ})
    return Live(self, folder)


def mlflow(
  *,
  uri: str | None = None,
  project: str | None = None,
  tags: tuple[str, ...] = (),
  artifacts: tuple[Literal['checkpoint', 'board'], ...] = (),
) -> MLflow:
  """MLflow.

  Args:
    uri: a server such as http://host:5000, a folder as file:PATH, or a database such as sqlite:///PATH; by
      default `MLFLOW_TRACKING_URI`, else mlflow/mlflow.db in the run folder.
    project: MLflow's experiment; by default `MLFLOW_EXPERIMENT_NAME`, else ssl_bench.
    tags: of all runs, as `ssl_bench.tags`.
    artifacts: what is uploaded as files: the last `checkpoint` of each trial, the `board` of a grid.
  """
  where = uri or os.environ.get('MLFLOW_TRACKING_URI') or ''
  named = project or os.environ.get('MLFLOW_EXPERIMENT_NAME') or EXPERIMENT
  return MLflow(where, named, tags, artifacts)
