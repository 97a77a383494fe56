"""Other work on the machine is seen, and a time that was taken beside it says so."""

import subprocess
import sys
import time

import psutil
import pytest

from ssl_bench.evaluate import cost
from ssl_bench.train.others import Others


def test_work_of_another_process_is_counted():
  busy = 'import time; end = time.process_time() + 1.5\nwhile time.process_time() < end: pass'
  others, started = Others(), time.perf_counter()
  subprocess.run([sys.executable, '-c', busy], check=True)
  seconds = time.perf_counter() - started
  assert others.cores() > 0.9 * 1.5 / seconds


def test_own_work_is_not():
  """At most the other cores can have been busy with other work."""
  others, started, used = Others(), time.perf_counter(), time.process_time()
  while time.process_time() < used + 0.5:
    pass
  free = psutil.cpu_count() - 0.5 / (time.perf_counter() - started)
  assert others.cores() < free + 0.1


@pytest.mark.parametrize(
  'segments, found',
  [([[10, 1.0, 0.1], [10, 1.0, 0.9], [10, 1.0, 0.0]], 0.1), ([[10, 1.0]], 0.0), ([], 0.0)],
)
def test_the_median_of_the_segments_tells(segments, found):
  assert cost.beside(segments) == found
