"""A command as several processes that train together, or as one that has as many devices."""

import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from support.cli import start

DEVICES = '--xla_force_host_platform_device_count='
FAST = '--xla_backend_optimization_level=0'  # to compile


def start_gang(
  *words: object, processes: int = 2, folders: Sequence[Path] = (), **environment: str
) -> list[subprocess.Popen]:
  """The processes of one command, each with one device, and each in its folder if some are given."""
  port = free_port()
  where = lambda i: ('--coordinator', f'127.0.0.1:{port}', '--processes', processes, '--process', i)
  folder = lambda i: {'cwd': folders[i]} if folders else {}
  return [start(*words, *where(i), **folder(i), **environment, XLA_FLAGS=FAST) for i in range(processes)]


def ends(gang: list[subprocess.Popen], seconds: float = 200) -> list[tuple[int, str]]:
  """The exit code of each process and what it said, within some seconds."""
  end = time.monotonic() + seconds
  found = []
  try:
    for process in gang:
      out, errors = process.communicate(timeout=max(0.1, end - time.monotonic()))
      found.append((process.returncode, out + errors))
  finally:
    for process in gang:
      process.kill()
  return found


def run_gang(*words: object, code: int = 0, **environment: str) -> str:
  """Runs a command to its end as two processes; what the first one said."""
  found = ends(start_gang(*words, **environment))
  assert [ended for ended, _ in found] == [code, code], '\n'.join(out for _, out in found)
  return found[0][1]


def free_port() -> int:
  with socket.socket() as one:
    one.bind(('127.0.0.1', 0))
    return one.getsockname()[1]


def wait(condition, gang: list[subprocess.Popen], seconds: float = 120) -> None:
  """Waits for something while all processes live."""
  end = time.monotonic() + seconds
  while not condition():
    ended = [process.communicate() for process in gang if process.poll() is not None]
    assert not ended and time.monotonic() < end, ended
    time.sleep(0.1)


def checkpoints(folder: Path) -> list[int]:
  """The steps of all checkpoints under a run folder."""
  return sorted(int(path.name) for path in folder.glob('checkpoints/*/*') if path.name.isdecimal())
