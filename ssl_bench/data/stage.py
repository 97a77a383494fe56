"""A folder to write a set in, which is renamed into place when it is whole and removed otherwise."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ssl_bench.settings.signature import BadSetting


@contextmanager
def alone(name: str, root: Path) -> Iterator[Path]:
  """Yields an empty folder while no other process writes the set `name`, and removes it afterwards."""
  work = root / 'ssl_bench'
  file = name.replace('/', '.')
  try:
    work.mkdir(parents=True, exist_ok=True)
    lock = (work / f'.{file}.lock').open('w', encoding='utf-8')
  except OSError as error:
    raise BadSetting(
      f'cannot write to {work} ({error.strerror}); set SSL_BENCH_DATA to another folder.'
    ) from error
  stage = work / f'.{file}.partial'
  with lock:
    fcntl.flock(lock, fcntl.LOCK_EX)  # the system lets go of it when the process dies
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir()
    try:
      yield stage
    finally:
      shutil.rmtree(stage, ignore_errors=True)
