"""A gang: processes, on one machine or on several, that train one trial together on all their devices.

All run the same program.  The first one alone reads and writes what trials leave behind; what it finds is
sent to the others, and so is a wish to stop, so that all take the same steps.  A process alone is a gang of
one.
"""

import hashlib
import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from ssl_bench.settings.signature import BadSetting
from ssl_bench.stop import AGAIN

PATIENCE = 20  # seconds without a sign of life after which a process counts as dead, and the others end
APART = 30.0  # seconds by which the same error may come later in another process
EVERY = 1.0  # seconds between two agreements during training, about
NETWORK = ('gloo', 'nccl', 'coordination service')  # words in the errors of a lost connection

Value = TypeVar('Value')


class _Gang:
  """What this process knows of its gang."""

  processes, process, errors = 1, 0, 0


_gang = _Gang()


def enter(processes: int, process: int) -> None:
  """Notes that this process, of a number from 0, is one of several, which `jax.distributed` connects."""
  _gang.processes, _gang.process = processes, process


def size() -> int:
  """The number of processes."""
  return _gang.processes


def is_first() -> bool:
  """Whether this is the process that writes."""
  return _gang.process == 0


def on_first(function: Callable[..., Value], *arguments: Any) -> Value:
  """What a function returns or raises in the first process, in all of them; the others do not call it.

  The value, or the error, is one that can be pickled.
  """
  if size() == 1:
    return function(*arguments)
  outcome = _attempt(function, *arguments) if is_first() else b''
  return _read(_sent(outcome, 0))


def on_all(function: Callable[..., Value], *arguments: Any) -> Value:
  """What a function returns in each process; where it raises in some, the error of the first of them in all.

  In the function the processes do not wait for each other.
  """
  if size() == 1:
    return function(*arguments)
  value: Any = None
  content = b''
  try:
    value = function(*arguments)
  except Exception as error:
    content = _packed(error)
  failed = _gathered(bool(content)).nonzero()[0]
  return _read(_sent(content, int(failed[0]))) if len(failed) else value


def _read(content: bytes) -> Any:
  """The value that some bytes hold; raises the error that they hold instead."""
  value, error = pickle.loads(content)
  if error is None:
    return value
  kind, told, state = error
  raised = kind.__new__(kind, *told)
  raised.args = told
  raised.__dict__.update(state)
  raise raised


def _attempt(function: Callable[..., Any], *arguments: Any) -> bytes:
  """The value or the error of a call, as bytes."""
  try:
    return pickle.dumps((function(*arguments), None))
  except Exception as error:
    return _packed(error)


def _packed(error: Exception) -> bytes:
  """An error as bytes."""
  told = error.args
  if isinstance(error, OSError) and error.errno is not None:
    told = (error.errno, error.strerror, error.filename)
  return pickle.dumps((None, (type(error), told, error.__dict__)))


def _sent(content: bytes, source: int) -> bytes:
  """The bytes of one of the processes; padded to few sizes, since each is compiled."""
  import numpy as np
  from jax.experimental.multihost_utils import broadcast_one_to_all

  is_source = _gang.process == source
  length = int(broadcast_one_to_all(np.int32(len(content)), is_source))
  padded = np.zeros(1 << max(10, (length - 1).bit_length()), np.uint8)
  padded[: len(content)] = np.frombuffer(content, np.uint8)
  return broadcast_one_to_all(padded, is_source)[:length].tobytes()


def agreed(asked: Callable[[], bool]) -> Callable[[], bool]:
  """A question that all processes ask at once, and that holds for all where it holds for one."""
  return asked if size() == 1 else lambda: bool(_gathered(asked()).any())


def smallest(value: float) -> float:
  """The smallest of the processes' values, to float32's precision; a process alone keeps its own."""
  return value if size() == 1 else float(_gathered(value).min())


def check_same(value: object, what: str) -> None:
  """Raises `BadSetting` in all processes where a value, which has a text, is not the same in all."""
  if size() == 1:
    return
  digest = int.from_bytes(hashlib.sha256(str(value).encode()).digest()[:3], 'big')  # float32 holds 24 bits
  found = _gathered(digest)
  if (found != found[0]).any():
    raise BadSetting(f'The {size()} processes of this trial differ in {what}; start all with the same.')


def meet() -> None:
  """Connects the processes of a gang: the first time that they wait for each other has a limit of 30 s."""
  _gathered(0)


def _gathered(value: float) -> Any:
  """float32 [processes]: the value of each."""
  import numpy as np
  from jax.experimental.multihost_utils import process_allgather

  return process_allgather(np.float32(value))


class Pace:
  """Has the processes agree on a stop about once a second, by the clock of the first, at the same step.

  An agreement waits for the device, so it is not made after each step.  A process alone asks at each call.
  """

  def __init__(self) -> None:
    self.every = self.left = 1
    self.mark = time.monotonic()

  def __call__(self, should_stop: Callable[[], bool]) -> bool:
    """Whether to stop, which all processes call after the same steps; `should_stop` is agreed."""
    if size() == 1:
      return should_stop()
    self.left -= 1
    if self.left:
      return False
    stop = should_stop()
    now = time.monotonic()
    fitting = int(self.every * EVERY / max(now - self.mark, 1e-6))
    self.every = self.left = on_first(max, 1, min(fitting, 2 * self.every))
    self.mark = now
    return stop


@contextmanager
def all_or_none() -> Iterator[None]:
  """What all processes do at once; an error that one of them meets alone ends it, and so all of them.

  An error that all meet is raised in all.
  """
  try:
    yield
  except Exception as error:
    if size() > 1 and not _is_met_by_all(error):
      _end(error)
    raise


def _is_met_by_all(error: Exception) -> bool:
  """Whether each process has met an error of this kind by now, other than the loss of another process."""
  from orbax.checkpoint import multihost

  if _is_of_network(error):
    return False
  _gang.errors += 1
  key = f'ssl_bench error {_gang.errors}: {type(error).__name__}'
  try:
    multihost.get_barrier_sync_fn()(key=key, timeout_ms=int(1000 * APART))
  except Exception:  # of a barrier that not all came to
    return False
  return True


def _is_of_network(error: Exception) -> bool:
  told = str(error).lower()
  return isinstance(error, RuntimeError | ValueError) and any(word in told for word in NETWORK)


def _end(error: Exception) -> None:
  """Ends this process at once; its claims stay, as after a death, and the exit code asks for another run."""
  if not (_is_of_network(error) or isinstance(error, BadSetting | OSError)):
    traceback.print_exc()
  why = ' '.join(str(error).split())[:300].rstrip('.')
  is_left = 'another one is gone' if _is_of_network(error) else 'it met an error alone'
  print(
    f'ssl-bench: Process {_gang.process} of {size()} ends, since {is_left} ({why}). '
    'The same command goes on from what was saved.',
    file=sys.stderr,
  )
  sys.stdout.flush()
  sys.stderr.flush()
  os._exit(AGAIN)
