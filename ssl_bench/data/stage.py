"""A folder to write a set in, which is renamed into place when it is whole and removed otherwise."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ssl_bench.settings.signature import BadSetting


@contextmanager
def alone(name: str, root: Path, *, last: bool = False) -> Iterator[Path]:
  """Yields an empty folder while no other process writes the set `name`, and removes it afterwards.

  With `last`, the file by which processes wait for each other goes too, since the set does.
  """
  work = root / 'ssl_bench'
  file = name.replace('/', '.')
  try:
    work.mkdir(parents=True, exist_ok=True)
    path = work / f'.{file}.lock'
    lock = _locked(path)
  except OSError as error:
    raise BadSetting(
      f'cannot write to {work} ({error.strerror}); set SSL_BENCH_DATA to another folder.'
    ) from error
  stage = work / f'.{file}.partial'
  with lock:
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir()
    try:
      yield stage
    finally:
      shutil.rmtree(stage, ignore_errors=True)
      if last:
        path.unlink(missing_ok=True)


def _locked(path: Path) -> IO[str]:
  """The file at `path`, open and locked; the system lets go of it when the process dies."""
  while True:
    lock = path.open('w', encoding='utf-8')
    fcntl.flock(lock, fcntl.LOCK_EX)
    with suppress(FileNotFoundError):
      if os.path.samestat(os.fstat(lock.fileno()), path.stat()):
        return lock
    lock.close()  # another process removed the file with its set, and maybe made it anew
