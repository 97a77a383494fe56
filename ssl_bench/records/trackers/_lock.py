"""One process a trial and target: a lock that the system lets go of when its process ends."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path


def take(marker: Path) -> int | None:
  """The lock of what a marker marks, which `os.close` lets go of; None where another has it.

  Where the file system knows no locks, everybody gets it.
  """
  path = marker.parents[1] / 'following' / marker.name
  path.parent.mkdir(parents=True, exist_ok=True)
  lock = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
  try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    os.close(lock)
    return None
  except OSError:
    pass
  return lock


def is_taken(marker: Path) -> bool:
  """Whether a process follows what a marker marks."""
  with suppress(OSError):
    if (lock := take(marker)) is None:
      return True
    os.close(lock)
  return False
