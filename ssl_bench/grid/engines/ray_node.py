"""What runs on a node of Ray: a worker as a process of its own.  It imports neither JAX nor Ray."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from ssl_bench.stop import die_with_parent

GRACE = 10.0  # seconds until a worker that was asked to stop is killed; it ends itself before


def serve(words: Sequence[str], environment: Mapping[str, str], log: str) -> int:
  """Runs `ssl-bench` with some words until it ends; its exit code.

  A cancellation, which Ray makes a `KeyboardInterrupt`, has it save and end.
  """
  with open(log, 'ab') as out:
    worker = subprocess.Popen(
      [sys.executable, '-m', 'ssl_bench.cli', *words],
      env={**os.environ, **environment},
      stdin=subprocess.DEVNULL,
      stdout=out,
      stderr=out,
      preexec_fn=die_with_parent,
    )
  try:
    while worker.poll() is None:
      time.sleep(0.2)
  except KeyboardInterrupt:
    worker.terminate()
    try:
      worker.wait(GRACE)
    except subprocess.TimeoutExpired:
      worker.kill()
      worker.wait()
    raise
  return worker.returncode
