"""How busy devices were, and the most memory that was held: against the system's files, a driver's words."""

import os
import stat
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from ssl_bench.training import device_load, memory
from ssl_bench.training.device_load import DeviceLoad

LINUX = pytest.mark.skipif(not Path('/proc/self/status').exists(), reason='the files read here are of Linux')


def processors():
  """Idle and all seconds of the processors, from the first line of /proc/stat; guests are in user already."""
  ticks = [int(word) for word in Path('/proc/stat').read_text().split('\n')[0].split()[1:9]]
  return np.array([ticks[3] + ticks[4], sum(ticks)]) / os.sysconf('SC_CLK_TCK')


@LINUX
def test_of_processors_the_share_that_was_not_idle_from_the_first_log_to_the_last():
  load, before = DeviceLoad(), processors()
  report = load.telling(lambda step, values: None)
  report(0, {})  # a sign of life of a teacher's training
  assert load.share() is None
  report(1, {})
  assert load.share() is None  # one log is no span
  end = time.perf_counter() + 0.6
  while time.perf_counter() < end:
    pass
  report(2, {'loss': 1.0})
  idle, whole = processors() - before
  assert load.share() == pytest.approx(1 - idle / whole, abs=0.1)
  assert load.share() > 0.8 / os.cpu_count()  # this process alone kept one of them busy


def nvidia(folder, monkeypatch, script):
  path = folder / 'nvidia-smi'
  path.write_text(f'#!/bin/sh\necho "$@" >> {folder}/asked\n{script}\n')
  path.chmod(path.stat().st_mode | stat.S_IXUSR)
  monkeypatch.setenv('PATH', f'{folder}{os.pathsep}{os.environ["PATH"]}')
  monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')


def test_of_gpus_what_the_driver_says_of_those_at_hand(tmp_path, monkeypatch):
  nvidia(tmp_path, monkeypatch, 'printf "0, 90\\n1, 50\\n"')
  monkeypatch.delenv(device_load.VISIBLE, raising=False)
  assert device_load.gpus() == {'0': 0.9, '1': 0.5}
  load = DeviceLoad()
  for step in range(1, 50):
    load.telling(lambda step, values: None)(step, {})
  assert load.share() == pytest.approx(0.7)
  monkeypatch.setenv(device_load.VISIBLE, '1,GPU-8f')
  DeviceLoad().note()
  asked = (tmp_path / 'asked').read_text().splitlines()
  assert len(asked) == 3 and asked[-1].endswith('--id=1,GPU-8f')  # not at every log


@pytest.mark.parametrize('script', ['exit 9', 'echo No devices were found', 'echo "0, [N/A]"'])
def test_a_driver_that_does_not_tell_is_no_number(tmp_path, monkeypatch, script):
  nvidia(tmp_path, monkeypatch, script)
  load = DeviceLoad()
  load.note()
  assert load.share() is None


@LINUX
def test_the_peak_of_the_process_is_that_of_the_system_and_can_be_forgotten():
  high = lambda: 1024 * int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])
  memory.forget_peak()
  before = memory.peak()['host']
  held = np.ones(150 * 2**20, np.uint8)
  found = memory.peak()['host']
  assert found == pytest.approx(high(), abs=2**20) and found >= before + 140 * 2**20
  del held
  assert memory.peak()['host'] >= found  # it is a peak
  memory.forget_peak()
  found = memory.peak()['host']
  assert found == pytest.approx(high(), abs=2**20) and found < before + 100 * 2**20
