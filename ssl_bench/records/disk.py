"""Files that are written whole or not at all, and read up to a size."""

import os
import tempfile
from pathlib import Path

LARGEST_FILE = 64 * 2**20  # bytes


def read_limited(path: Path) -> bytes:
  """The content of a file.

  Raises ValueError, with a clause that says why, for a file that cannot be read or has more than
  `LARGEST_FILE` bytes.
  """
  try:
    if not path.is_file():
      raise ValueError('it is no file')
    with open(path, 'rb') as file:
      size = min(os.fstat(file.fileno()).st_size, LARGEST_FILE)
      content = file.read(size + 1)  # room for what is there, not for the largest file
      if len(content) > size:
        content += file.read(LARGEST_FILE + 1 - len(content))
  except OSError as error:
    raise ValueError(error.strerror or 'it cannot be read') from None
  if len(content) > LARGEST_FILE:
    raise ValueError(f'it is larger than {LARGEST_FILE // 2**20} MiB')
  return content


def write_whole(path: Path, content: str | bytes) -> None:
  """Writes a file, text as UTF-8, and returns after it is on disk; what breaks off changes no file."""
  path.parent.mkdir(parents=True, exist_ok=True)
  handle, temporary = tempfile.mkstemp(dir=path.parent, prefix='.', suffix='.tmp')
  try:
    with os.fdopen(handle, 'wb') as file:
      file.write(content.encode() if isinstance(content, str) else content)
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
