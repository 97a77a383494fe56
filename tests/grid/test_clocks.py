"""Claims between machines of which one has a clock that is an hour off: no clock of a machine counts."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.cli import ROOT

from ssl_bench.trial.claims import Claims

PATIENCE = 2.0
HOLD = f"""
import sys, time
from datetime import datetime
from pathlib import Path
from ssl_bench.trial.claims import Claims
claims = Claims(Path(sys.argv[1]), beat=0.3, patience={PATIENCE})
print('looks', flush=True)
while not claims.take('one'):
  time.sleep(0.05)
print(datetime.now().timestamp(), flush=True)
time.sleep(600)
"""
ELSEWHERE = ('unshare', '--pid', '--fork', '--kill-child', '--mount-proc')  # as on another machine
LIBRARY = sorted(Path('/usr/lib').glob('*/faketime/libfaketimeMT.so.1'))


def can_be_elsewhere() -> bool:
  has = bool(LIBRARY and shutil.which('unshare'))
  return has and not subprocess.run([*ELSEWHERE, 'true'], capture_output=True).returncode


def start_elsewhere(folder: Path, off: int) -> subprocess.Popen:
  """A process that takes a claim as soon as it can and says its time, whose clock is off by some seconds."""
  words = [*ELSEWHERE, sys.executable, '-c', HOLD, str(folder)]
  fake = {'LD_PRELOAD': str(LIBRARY[0]), 'FAKETIME': f'{off:+d}s', 'FAKETIME_DISABLE_SHM': '1'}
  env = {**os.environ, 'PYTHONPATH': str(ROOT), 'JAX_PLATFORMS': 'cpu', **fake}
  return subprocess.Popen(words, env=env, stdout=subprocess.PIPE, text=True)


pytestmark = [
  pytest.mark.slow,
  pytest.mark.skipif(
    not can_be_elsewhere(),
    reason='A process space and a clock of its own need root and: apt-get install util-linux faketime',
  ),
]


@pytest.mark.parametrize('off', [3600, -3600])
def test_a_clock_that_is_an_hour_off_neither_frees_a_claim_nor_keeps_it(tmp_path, off):
  """Its owner's is: as long as that one lives it keeps the claim, and the next one has it when it dies."""
  owner = start_elsewhere(tmp_path / 'claims', off)
  try:
    assert owner.stdout.readline() == 'looks\n'
    assert abs(float(owner.stdout.readline()) - time.time() - off) < 60
    ours = Claims(tmp_path / 'claims', beat=0.3, patience=PATIENCE)
    end = time.monotonic() + 2 * PATIENCE
    while time.monotonic() < end:
      assert not ours.take('one')
      time.sleep(0.1)
  finally:
    owner.kill()  # and with it what it started
    owner.communicate()
  died = time.monotonic()
  while not ours.take('one'):
    assert time.monotonic() - died < 2 * PATIENCE + 10
    time.sleep(0.05)
  assert time.monotonic() - died > PATIENCE - 0.5
  assert ours.newest('one').number == 1
  ours.give('one')


@pytest.mark.parametrize('off', [3600, -3600])
def test_whoever_waits_with_a_clock_that_is_off_waits_as_long(tmp_path, off):
  ours = Claims(tmp_path / 'claims', beat=0.3, patience=PATIENCE)
  assert ours.take('one')
  other = start_elsewhere(tmp_path / 'claims', off)
  try:
    assert other.stdout.readline() == 'looks\n'
    time.sleep(2 * PATIENCE)
    assert ours.newest('one').number == 0 and other.poll() is None
    ours.give('one')
    assert abs(float(other.stdout.readline()) - time.time() - off) < 60
    assert ours.newest('one').number == 1
  finally:
    other.kill()
    other.communicate()
