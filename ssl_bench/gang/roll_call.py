"""The roll call: the processes of a gang find each other, or all of them are told in time who is missing.

JAX itself ends a process by an abort where the others do not come.
"""

import json
import os
import socket
import time
from contextlib import ExitStack, suppress
from typing import Any

from ssl_bench.settings.signature import BadSetting

WAIT = 0.2  # seconds between two attempts to reach the first process
ANSWER = 5.0  # seconds in which whoever connects has to say which process it is
LONGEST = 10_000  # bytes of a message


def call_roll(host: str, port: int, processes: int, process: int, seconds: float) -> None:
  """Returns in all processes once all are there.

  Args:
    host: where process 0 listens, as the others reach it.
    port: at which it listens.
    processes: how many there are.
    process: which this one is, from 0.
    seconds: how long to wait for the others.

  Raises:
    BadSetting: in all processes that are there, where one is missing, two have one number, or they do not
      agree on how many there are; or where the port cannot be listened at.
  """
  end = time.monotonic() + seconds
  if process == 0:
    _listen(port, processes, end, seconds)
  else:
    _answer(host, port, processes, process, end)


def _listen(port: int, processes: int, end: float, seconds: float) -> None:
  """The part of process 0."""
  there: dict[int, socket.socket] = {}
  with ExitStack() as held:
    server = held.enter_context(_server(port))
    wrong = ''
    while len(there) < processes - 1 and not wrong:
      server.settimeout(max(0.01, end - time.monotonic()))
      try:
        one = held.enter_context(server.accept()[0])
      except TimeoutError:
        missing = ', '.join(str(n) for n in range(1, processes) if n not in there)
        wrong = f'Process {missing} of {processes} did not come to port {port} within {seconds:g} s.'
        break
      said = _read(one)
      if not {'processes', 'process'} <= said.keys():  # no process of ours
        continue
      if said['processes'] != processes:
        wrong = f'Process 0 was given --processes {processes}, and process {said["process"]} '
        wrong += f'{said["processes"]}; give all the same.'
      elif said['process'] in there:
        wrong = f'Two processes were given --process {said["process"]}; give each its own number.'
      there[-len(there) if wrong else said['process']] = one
    for one in there.values():
      with suppress(OSError):
        one.sendall(_line({'wrong': wrong}))
  if wrong:
    raise BadSetting(wrong)


def _answer(host: str, port: int, processes: int, process: int, end: float) -> None:
  """The part of the others."""
  why = 'no time'
  while (left := end - time.monotonic()) > 0:
    try:
      with socket.create_connection((host, port), timeout=min(left, ANSWER)) as one:
        one.sendall(_line({'processes': processes, 'process': process}))
        answer = _read(one, max(left, ANSWER))
      if 'wrong' in answer:
        if answer['wrong']:
          raise BadSetting(answer['wrong'])
        return
      why = 'what listens there is no process of this trial'
    except OSError as error:
      why = error.strerror or str(error)
    except UnicodeError:
      raise BadSetting(f'--coordinator: {host!r} is no name of a host.') from None
    time.sleep(WAIT)
  raise BadSetting(
    f'Process 0 of this trial does not listen at {host}:{port} ({why}); start it there, or name its host '
    'with --coordinator.'
  )


def _server(port: int) -> socket.socket:
  """A socket that listens at a port of all addresses; raises `BadSetting` where something else does."""
  both: Any = {'family': socket.AF_INET6, 'dualstack_ipv6': True} if socket.has_dualstack_ipv6() else {}
  try:
    return socket.create_server(('', port), **both)
  except OSError as error:
    why = os.strerror(error.errno or 0)
    raise BadSetting(f'Nothing can listen at port {port} here: {why}; name another.') from None


def _line(tree: dict[str, Any]) -> bytes:
  return json.dumps(tree).encode() + b'\n'


def _read(one: socket.socket, seconds: float = ANSWER) -> dict[str, Any]:
  """What the other side says in one line; empty where it is none of ours."""
  one.settimeout(seconds)
  try:
    with one.makefile('rb') as file:
      tree = json.loads(file.readline(LONGEST))
  except (OSError, ValueError):
    return {}
  return tree if isinstance(tree, dict) else {}
