"""What trackers share that mirror in a child process: the process, and marks of what it has mirrored."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def run_child(
  module: str, task: str, environment: dict[str, str], place: Path, seconds: float
) -> tuple[str, str, bool]:
  """Runs a module of this package in a process of its own, in which no tracker can do harm.

  Args:
    module: a name in this folder, which reads a task from stdin and writes JSON lines to stdout.
    task: for its stdin.
    environment: of the process, beside the paths from which this one imports.
    place: its working folder.
    seconds: after which it is ended.

  Returns:
    stdout, stderr, and whether it was ended for taking too long.
  """
  child = subprocess.Popen(
    [sys.executable, '-P', '-m', f'{__package__}.{module}'],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    encoding='utf-8',
    errors='replace',
    cwd=place,
    env={**environment, 'PYTHONPATH': os.pathsep.join(os.path.abspath(path) for path in sys.path)},
    start_new_session=True,
  )
  try:
    return *child.communicate(task, timeout=seconds), False
  except subprocess.TimeoutExpired:
    child.kill()
    return *child.communicate(), True
  except BaseException:
    child.kill()
    child.wait()
    raise


def mirrored(count: int, answers: str, errors: str, late: bool, seconds: float) -> tuple[int, str | None]:
  """Of `count` records, how many a child said it mirrored, and what kept it from the others."""
  found = [json.loads(line) for line in answers.splitlines()]
  done = sum('mirrored' in answer for answer in found)
  reasons = [answer.get('stopped') or answer.get('why') for answer in found if 'mirrored' not in answer]
  if done + len(reasons) < count and not reasons:
    reasons.append(
      f'no end after {seconds} s' if late else (errors.strip().splitlines() or ['no answer'])[-1]
    )
  return done, reasons[0] if reasons else None


def limit(count: int) -> float:
  """Seconds after which mirroring is given up; a run takes about 0.1 offline and a few online."""
  return 60 + 10 * count


def digest(tree: Any) -> str:
  """The SHA-256 of a tree of plain data."""
  return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()


def holds(marker: Path, seal: str) -> bool:
  """Whether what has this seal was mirrored, as its marker says."""
  return marker.is_file() and marker.read_text(encoding='utf-8') == seal


def digest_of_files(place: Path) -> str | None:
  """The SHA-256 of all files of a folder; None where there are none."""
  files = [path for path in sorted(place.rglob('*')) if path.is_file()]
  found = [[str(path.relative_to(place)), hashlib.sha256(path.read_bytes()).hexdigest()] for path in files]
  return digest(found) if found else None
