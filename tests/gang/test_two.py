"""What two processes know of each other: values, errors, and when to stop."""

import os
import signal
import subprocess
import sys

import pytest
from support.cli import ROOT
from support.gang import ends, free_port

pytestmark = pytest.mark.slow
HEAD = """
import sys, time
from ssl_bench import gang
from ssl_bench.gang.join import joined, place
from ssl_bench.settings.signature import BadSetting

gang.APART = 3.0
me = int(sys.argv[2])

def refuse():
  if me == 1:
    raise BadSetting('only here')
  return 'done'

with joined(place(sys.argv[1], 2, me), 60):
"""


def run(body):
  """The exit code and the words of each of two processes that run some lines together."""
  where = f'127.0.0.1:{free_port()}'
  env = {**os.environ, 'PYTHONPATH': str(ROOT), 'JAX_PLATFORMS': 'cpu'}
  pipes = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True}
  words = (sys.executable, '-c', HEAD + body, where)
  return ends([subprocess.Popen([*words, str(i)], env=env, **pipes) for i in range(2)], 90)


def said(found):
  """What each process printed, without gloo's own lines."""
  assert [code for code, _ in found] == [0, 0], found
  return [[line for line in out.splitlines() if line[:1] == '>'] for _, out in found]


def test_values_and_errors_of_the_first_or_of_any_reach_all():
  first, other = said(
    run("""
  print('>', gang.on_first(lambda: {'a': me, 'long': 'x' * 3000})['a'])
  print('>', gang.on_all(lambda: me), gang.smallest(5 - me), gang.agreed(lambda: me == 1)())
  for ask in (lambda: gang.on_all(refuse), lambda: gang.check_same(me, 'this')):
    try:
      ask()
    except BadSetting as error:
      print('>', error)
  try:
    gang.on_first(lambda: open('/nowhere/x'))
  except FileNotFoundError as error:
    print('>', error.filename)
""")
  )
  assert first[0] == other[0] == '> 0'
  assert first[1:2] + other[1:2] == ['> 0 4.0 True', '> 1 4.0 True']
  assert first[2:] == other[2:]
  assert first[2] == '> only here' and first[4] == '> /nowhere/x'
  assert first[3] == '> The 2 processes of this trial differ in this; start all with the same.'


def test_both_stop_after_the_same_step_where_one_is_asked():
  first, other = said(
    run("""
  pace, end, step = gang.Pace(), time.monotonic() + 1.5, 0
  asked = gang.agreed(lambda: me == 1 and time.monotonic() > end)
  while not pace(asked):
    step += 1
    time.sleep(0.005 * (1 + me))
  print('>', step)
""")
  )
  assert first == other and int(first[0][1:]) > 10


def test_an_error_that_one_meets_alone_ends_both_and_one_that_both_meet_is_raised():
  found = run("""
  if me == 1:
    raise ValueError('its fault')
  gang.on_first(int)
""")
  assert found[1][0] == 75 and 'Process 1 of 2 ends, since it met an error alone (its fault)' in found[1][1]
  assert found[0][0] in (75, -signal.SIGABRT), found
  found = run("""
  raise ValueError('the fault of both')
""")
  assert [code for code, _ in found] == [1, 1]
  assert all('ValueError: the fault of both' in out and 'Process' not in out for _, out in found)
