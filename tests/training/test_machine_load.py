"""Other work on the machine is seen, and a time that was taken beside it says so."""

import subprocess
import sys
import time
from collections import namedtuple

import pytest

from ssl_bench.evaluation import cost
from ssl_bench.training import machine_load
from ssl_bench.training.machine_load import OtherLoad

Times = namedtuple('Times', 'user system idle iowait guest')
Clocks, Machine = namedtuple('Clocks', 'perf_counter process_time'), namedtuple('Machine', 'cpu_times')


def test_work_of_another_process_is_counted():
  busy = 'import time; end = time.process_time() + 1.5\nwhile time.process_time() < end: pass'
  work, started = OtherLoad(), time.perf_counter()
  subprocess.run([sys.executable, '-c', busy], check=True)
  seconds = time.perf_counter() - started
  assert work.cores() > 0.9 * 1.5 / seconds


def test_own_and_idle_time_is_not(monkeypatch):
  """Two seconds on three cores: of six, three are this process's, two idle or waiting; one is left."""
  clock, used = iter([10.0, 12.0]), iter([5.0, 8.0])
  busy = iter([Times(100.0, 20.0, 300.0, 7.0, 1.5), Times(103.5, 20.5, 301.5, 7.5, 2.5)])
  monkeypatch.setattr(machine_load, 'time', Clocks(clock.__next__, used.__next__))
  monkeypatch.setattr(machine_load, 'psutil', Machine(busy.__next__))
  assert OtherLoad().cores() == pytest.approx(1.0 / 2.0)


@pytest.mark.parametrize(
  'segments, found',
  [
    ([[10, 1.0, 0.1], [10, 1.0, 0.9], [10, 1.0, 0.0]], 0.1),
    ([[10, 1.0]], 0.0),
    ([], 0.0),
    ([[10, 1.0, 0.2, 4]], 0.2),
  ],
)
def test_the_median_of_the_segments_tells(segments, found):
  assert cost.beside(segments) == found
