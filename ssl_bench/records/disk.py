"""Files that are whole or not there."""

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
  """Writes a UTF-8 file, and returns after it is on disk; a write that breaks off leaves what was there."""
  path.parent.mkdir(parents=True, exist_ok=True)
  handle, temporary = tempfile.mkstemp(dir=path.parent, prefix='.', suffix='.tmp')
  try:
    with os.fdopen(handle, 'w', encoding='utf-8', newline='\n') as file:
      file.write(text)
      file.flush()
      os.fsync(file.fileno())
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)
  except BaseException:
    Path(temporary).unlink(missing_ok=True)
    raise
  _sync(path.parent)


def _sync(folder: Path) -> None:
  handle = os.open(folder, os.O_RDONLY)
  try:
    os.fsync(handle)
  finally:
    os.close(handle)
