"""What claims ask of a file system, which may be one that several machines share."""

import os
from pathlib import Path

from ssl_bench.records.disk import write_whole


class Disk:
  """What claims ask of a file system."""

  def names(self, folder: Path) -> list[str]:
    try:
      return os.listdir(folder)
    except FileNotFoundError:
      return []

  def read(self, path: Path) -> bytes:
    """The content; empty for a file that is not there."""
    try:
      return path.read_bytes()
    except FileNotFoundError:
      return b''

  def create(self, path: Path, content: bytes) -> bool:
    """Makes a file where there is none of that name; returns whether this process made it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
      handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
      return False
    try:
      with os.fdopen(handle, 'wb') as file:
        file.write(content)
    except OSError:  # the disk is full; a claim that says nothing would be somebody's for a minute
      path.unlink(missing_ok=True)
      raise
    return True

  def write(self, path: Path, content: bytes) -> None:
    write_whole(path, content)
