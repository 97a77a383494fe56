"""The folder that a grid or a train command writes, shared by processes."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from ssl_bench.records import curves, predictions, record, rung
from ssl_bench.records.disk import write_whole
from ssl_bench.training.checkpoint import UnusableCheckpoint
from ssl_bench.trial.claims import Claims


class RunFolder:
  """The folder that a grid or a train command writes: records, checkpoints, and what is built from them.

  With `until`, trainings go to that step only, and rungs take the place of records.
  """

  def __init__(self, path: Path, until: int | None = None):
    self.path, self.until = path, until
    self.records = path / 'records' if until is None else path / 'rungs' / str(until)
    self.checkpoints = path / 'checkpoints'
    self.code = path / 'code'  # by training, the digest of the code that trained it
    self.replaced = path / 'replaced'  # what `--again` put aside
    self.manifests = path / 'manifests'
    self.live = path / 'live'  # the journals of trials that run
    self.claims = Claims(path / 'claims')

  @classmethod
  def of_record(cls, path: Path) -> 'RunFolder':
    """The folder of a record, which lies in its folder `records`."""
    return cls(path.absolute().parents[1])

  def at(self, until: int | None) -> 'RunFolder':
    """The same folder for trainings that go to another step, None for their last."""
    if until == self.until:
      return self
    other = RunFolder(self.path, until)
    other.claims = self.claims
    return other

  @contextmanager
  def turn(self, training: str, should_stop: Callable[[], bool]) -> Iterator[Path]:
    """The folder of a training, once no other process works at it; raises `Interrupted` if asked to stop."""
    with self.claims.holding(training, should_stop):
      yield self.checkpoints / training

  def names(self) -> set[str]:
    """The ids of all records, as the folder lists them."""
    try:
      files = os.listdir(self.records)
    except FileNotFoundError:
      return set()
    return {file.removesuffix('.json') for file in files if file.endswith('.json') and file[0] != '.'}

  def record_of(self, identity: str) -> Path:
    return self.records / f'{identity}.json'

  def recorded(self, identity: str) -> dict[str, Any] | None:
    """The record of a trial that came to an end; a failed one is run again."""
    path = self.record_of(identity)
    if not path.is_file() or record.glance(path).status == 'failed':
      return None
    return record.read(path) if self.until is None else rung.read(path)

  def note_code(self, training: str, code: str) -> None:
    """Notes the code of a training's checkpoints; raises `UnusableCheckpoint` if it was other code.

    Checkpoints that are there without a note, from before there were notes, stay without one.
    """
    known = self.trained_by(training)
    if known is None and not (self.checkpoints / training).is_dir():
      write_whole(self.code / training, code)
    elif known not in (None, code):
      raise UnusableCheckpoint(
        f'{self.checkpoints / training} was trained by other code of the method; run it with --again.'
      )

  def trained_by(self, training: str) -> str | None:
    """The digest of the code that a training's checkpoints are of, or None where nobody noted it."""
    path = self.code / training
    return (path.read_text(encoding='utf-8') or None) if path.is_file() else None

  def noted_codes(self) -> dict[str, str]:
    """Training -> the digest of the code that its checkpoints are of, for those of which it is noted."""
    try:
      names = os.listdir(self.code)
    except FileNotFoundError:
      return {}
    return {name: code for name in names if name[0] != '.' and (code := self.trained_by(name))}

  def put_aside(self, identity: str, trainings: Iterable[str]) -> None:
    """Moves a trial's record and the checkpoints of some trainings to `replaced`, where they are there.

    The journal that an interrupted trial left goes: what trains next is another trial than it tells of.
    Raises `BadSetting` where another process works at one of these trainings.
    """
    with ExitStack() as held:
      paths = []
      for training in trainings:
        held.enter_context(self.claims.alone(training))
        paths += [self.checkpoints / training, self.code / training]
        paths += self.checkpoints.glob(f'{training}-*')  # its beginnings, of rungs that it had passed
      self._put_record_aside(self.record_of(identity))
      (self.live / f'{identity}.jsonl').unlink(missing_ok=True)
      for path in (path for path in paths if path.exists()):
        os.rename(path, self._place_aside(path))

  def _put_record_aside(self, path: Path) -> None:
    """Moves a record with its curves and predictions, which are there twice until the record has moved."""
    if not path.exists():
      return
    place = self._place_aside(path)
    beside = {name(path): name(place) for name in (curves.path_of, predictions.path_of)}
    for old, new in beside.items():
      if old.is_file():
        write_whole(new, old.read_bytes())
    os.rename(path, place)
    for old in beside:
      old.unlink(missing_ok=True)

  def _place_aside(self, path: Path) -> Path:
    """The first free place of `replaced` for a file or a folder: <name>-1, <name>-2, …"""
    kind = self.replaced / path.parent.name
    kind.mkdir(parents=True, exist_ok=True)
    times = (kind / f'{path.stem}-{n}{path.suffix}' for n in count(1))
    return next(place for place in times if not place.exists())
