"""Asked to stop, a process saves and leaves within ten seconds, whatever it is at."""

import os
import signal
import subprocess
import sys
import time

import pytest
from support.cli import ROOT, start, write_configs

from ssl_bench.stop import ASKING, Stop

pytestmark = pytest.mark.slow

BUSY = """
import ctypes, signal, sys, time
from ssl_bench.stop import ASKING, SAVING, Stop
for number in ASKING:  # a job in the background ignores SIGINT, and so would this process
  signal.signal(number, signal.SIG_DFL)
libc = ctypes.CDLL(None)
with Stop(grace={grace}) as stop:
  print('begun', flush=True)
  if {saving}:
    with SAVING:
      end = time.monotonic() + 3
      while time.monotonic() < end:
        time.sleep(0.05)
      print('saved', flush=True)
  if {polite}:
    while not stop():
      time.sleep(0.05)
    sys.exit(stop.exit_code)
  while libc.sleep(60):
    pass
"""


def busy(*, polite=False, saving=False, grace=1.0):
  code = BUSY.format(polite=polite, saving=saving, grace=grace)
  pipes = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True}
  environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
  process = subprocess.Popen([sys.executable, '-c', code], env=environment, **pipes)
  assert process.stdout.readline() == 'begun\n'
  return process


@pytest.mark.parametrize('number', ASKING, ids=lambda n: n.name)
@pytest.mark.parametrize('polite', [True, False])
def test_a_process_leaves_with_the_signals_code(number, polite):
  """One that asks whether to stop leaves by itself; one that hangs in a C function is ended."""
  process = busy(polite=polite)
  started = time.monotonic()
  process.send_signal(number)
  _, errors = process.communicate(timeout=20)
  assert process.returncode == 128 + number and time.monotonic() - started < 8
  assert (f'Stopped by {number.name}' in errors) == (not polite) and 'Traceback' not in errors


def test_a_second_signal_is_no_error():
  process = busy(grace=1.5)
  for _ in range(3):
    process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
  _, errors = process.communicate(timeout=20)
  assert process.returncode == 128 + signal.SIGTERM and errors.count('\n') == 1 and 'Stopped by' in errors


def test_a_checkpoint_is_written_to_its_end():
  process = busy(saving=True, grace=0.2)
  process.send_signal(signal.SIGTERM)
  out, _ = process.communicate(timeout=20)
  assert process.returncode == 128 + signal.SIGTERM and out == 'saved\n'


def test_handlers_are_as_before_and_nobody_is_ended_afterwards():
  before = [signal.getsignal(number) for number in ASKING]
  with Stop(grace=0.3) as stop:
    assert not stop()
    os.kill(os.getpid(), signal.SIGUSR2)
    assert stop() and stop.asked == signal.SIGUSR2 and stop.exit_code == 128 + signal.SIGUSR2
  assert [signal.getsignal(number) for number in ASKING] == before
  time.sleep(0.6)  # the process would end here


def test_a_signal_that_is_ignored_stays_ignored():
  old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
  try:
    with Stop(grace=0.2) as stop:
      os.kill(os.getpid(), signal.SIGHUP)
      time.sleep(0.4)
      assert not stop()
  finally:
    signal.signal(signal.SIGHUP, old)


@pytest.mark.slow
@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGUSR2], ids=lambda n: n.name)
def test_an_evaluation_is_left_within_ten_seconds(tmp_path, number):
  """A long bootstrap; the training is saved by then."""
  configs = write_configs(tmp_path / 'configs')
  words = ('train', configs / 'supervised.yaml', '--runs', tmp_path / 'runs', '--wandb=disabled')
  process = start(*words, 'evaluate.bootstrap=100000', 'checkpoint.every=12')
  end = time.monotonic() + 120
  while not list(tmp_path.glob('runs/train/checkpoints/*/12/_CHECKPOINT_METADATA')):
    assert time.monotonic() < end and process.poll() is None
    time.sleep(0.02)
  asked = time.monotonic()
  process.send_signal(number)
  out, errors = process.communicate(timeout=60)
  assert time.monotonic() - asked < 10 and process.returncode == 128 + number, out + errors
  assert 'Traceback' not in out + errors
