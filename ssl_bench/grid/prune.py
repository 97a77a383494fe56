"""What a run folder no longer needs: checkpoints of recorded, given up and unknown trials, their traces."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ssl_bench import data
from ssl_bench.config import validate
from ssl_bench.grid.status import recorded_and_left
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.training import names_of

UNITS = ('B', 'kB', 'MB', 'GB', 'TB')


class Litter(NamedTuple):
  """Paths that can go, and their bytes."""

  recorded: list[Path]  # checkpoints of trials that are recorded
  given_up: list[Path]  # checkpoints of trials that a finished tuning gave up
  unknown: list[Path]  # checkpoints of no trial that a record or a manifest names
  rest: list[Path]  # claims and notes of those, manifests with nothing left, files of writes that broke off
  sizes: dict[Path, int]

  @property
  def paths(self) -> list[Path]:
    return [*self.recorded, *self.given_up, *self.unknown, *self.rest]

  def told(self) -> str:
    """What would go, in one line."""
    size = lambda paths: say_bytes(sum(self.sizes[path] for path in paths))
    parts = [
      (self.recorded, 'checkpoints of recorded trials'),
      *([(self.given_up, 'of trials that a tuning gave up')] if self.given_up else []),
      (self.unknown, 'of no known trial'),
      (self.rest, 'small files beside them'),
    ]
    return '; '.join(f'{len(paths):,} {what}, {size(paths)}' for paths, what in parts)


def litter(folder: Path) -> Litter:
  """What can go from a run folder; what a trial still needs, or somebody is at, stays.

  So do failed trials' checkpoints, all records, and what `--again` put aside.
  """
  run_folder = RunFolder(folder)
  recorded, left, given_up = recorded_and_left(folder)
  needed, done, over = _trainings(left), _trainings(recorded), _trainings(given_up)
  claims = run_folder.claims.all()
  for name, number in claims.items():
    claim = run_folder.claims.at(name, number)
    if not run_folder.claims.is_free(name, claim):
      needed.add(name)
  places = sorted(run_folder.checkpoints.glob('*')) if run_folder.checkpoints.is_dir() else []
  gone = [path for path in places if _training(path) not in needed]
  names = {_training(path) for path in gone} | ((done | over) - needed)
  rest = [path for path in run_folder.claims.folder.glob('*') if path.name.rpartition('.')[0] in names]
  rest += [path for path in run_folder.code.glob('*') if path.name in names]
  rest += [] if left else sorted(run_folder.manifests.glob('*.jsonl'))
  rest += sorted(path for path in folder.rglob('.*.tmp') if path.is_file())
  sizes = {path: _size(path) for path in (*gone, *rest)}
  of = lambda trainings: [path for path in gone if _training(path) in trainings]
  unknown = [path for path in gone if _training(path) not in done | over]
  return Litter(of(done), of(over - done), unknown, rest, sizes)


def remove(found: Litter) -> None:
  """Removes what was found."""
  for path in found.paths:
    if path.is_dir():
      shutil.rmtree(path, ignore_errors=True)
    else:
      path.unlink(missing_ok=True)


def _training(path: Path) -> str:
  """The training whose checkpoints a folder holds: TRAINING, or TRAINING-STEP for its beginning."""
  return path.name.partition('-')[0]


def _trainings(trees: Iterable[Mapping[str, Any]]) -> set[str]:
  """The trainings of some configs, their teachers' among them."""
  found: set[str] = set()
  for config in map(validate, trees):
    found |= names_of(config, data.load(config.dataset)).keys()
  return found


def _size(path: Path) -> int:
  return (
    sum(p.stat().st_size for p in path.rglob('*') if p.is_file()) if path.is_dir() else path.stat().st_size
  )


def say_bytes(count: float) -> str:
  """Bytes as 1.2 GB."""
  for unit in UNITS:
    if count < 1000 or unit == UNITS[-1]:
      return f'{count:.0f} {unit}' if unit == 'B' else f'{count:.1f} {unit}'
    count /= 1000
  raise AssertionError
