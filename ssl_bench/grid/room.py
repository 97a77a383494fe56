"""The folder that a grid or a train command writes, shared by processes."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ssl_bench.records import record
from ssl_bench.signature import BadSetting
from ssl_bench.train.fit import Interrupted

WAIT = 0.2  # seconds between two looks at a lock


class Room:
  """The folder that a grid or a train command writes: records, checkpoints, and what is built from them."""

  def __init__(self, path: Path):
    self.path = path
    self.records = path / 'records'
    self.checkpoints = path / 'checkpoints'

  @contextmanager
  def alone(self, what: str = 'all') -> Iterator[None]:
    """Holds a lock; raises `BadSetting` where another process holds it."""
    self.path.mkdir(parents=True, exist_ok=True)
    with open(self.path / f'.lock-{what}', 'w', encoding='utf-8') as lock:
      if not _take(lock):
        raise BadSetting(f'Another process works in {self.path}; wait for it, or stop it first.')
      yield

  @contextmanager
  def turn(self, training: str, should_stop: Callable[[], bool]) -> Iterator[Path]:
    """The folder of a training, once no other process works at it; raises `Interrupted` if asked to stop."""
    locks = self.path / 'locks'
    locks.mkdir(parents=True, exist_ok=True)
    with open(locks / training, 'w', encoding='utf-8') as lock:
      while not _take(lock):
        if should_stop():
          raise Interrupted(0)
        time.sleep(WAIT)
      yield self.checkpoints / training

  def record_of(self, identity: str) -> Path:
    return self.records / f'{identity}.json'

  def recorded(self, identity: str) -> dict[str, Any] | None:
    """The record of a trial that came to an end; a failed one is run again."""
    path = self.record_of(identity)
    found = record.read(path) if path.is_file() else None
    return found if found and found['status'] != 'failed' else None


def _take(lock: IO) -> bool:
  """Whether the lock is ours now; it is given back where the file is closed or the process ends."""
  try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    return False
  return True
