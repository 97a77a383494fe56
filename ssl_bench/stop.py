"""Stop signals: a command saves and ends when one arrives; a process that does not end in time is ended."""

import ctypes
import errno
import multiprocessing
import os
import signal
import sys
import threading
import weakref
from contextlib import suppress
from types import TracebackType
from typing import Any

ASKING = tuple(
  getattr(signal, name) for name in ('SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2') if hasattr(signal, name)
)
AGAIN = 75  # the exit code of work that goes on where it is run again (EX_TEMPFAIL of sysexits.h)
CRASHED = 70  # the exit code of a command that an error of its own ends (EX_SOFTWARE)
GRACE = 6.0  # seconds from the signal to the end of the process
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # errors of a disk that is full, or takes nothing
LEAVING: 'weakref.WeakSet[Any]' = weakref.WeakSet()  # what has a method `leave`, called before a forced end
SAVING = threading.Lock()  # held while a checkpoint is written


class Stop:
  """A context that notes SIGINT, SIGTERM, SIGHUP and SIGUSR2; calling it returns whether one arrived.

  Python runs a signal handler only between two of its own instructions, and a compilation or a solver may
  take minutes.  So the system's handler wakes a thread, which ends the process with the signal's exit code if
  it still runs after `grace` seconds: by then a training has saved, and an evaluation has nothing to save.
  A checkpoint that is being written is finished first.  With `grace` None the process is never ended.  A
  signal that was ignored before, as SIGHUP is under nohup, stays ignored.  `code` is the exit code, by
  default 128 + the signal.
  """

  def __init__(self, grace: float | None = GRACE, code: int | None = None):
    self.grace, self.code = grace, code
    self.asked = 0  # the number of the first signal that arrived
    self._left = threading.Event()
    self._old: dict[Any, Any] = {}

  def __call__(self) -> bool:
    return bool(self.asked)

  @property
  def exit_code(self) -> int:
    """`code`, or 128 + the signal."""
    return 128 + self.asked if self.code is None else self.code

  def __enter__(self) -> 'Stop':
    self._read_end, self._write_end = os.pipe()
    os.set_blocking(self._write_end, False)
    self._old_wakeup = signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
    for number in ASKING:
      if signal.getsignal(number) != signal.SIG_IGN:
        self._old[number] = signal.signal(number, self._note)
    threading.Thread(target=self._watch, daemon=True).start()
    return self

  def __exit__(
    self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
  ) -> None:
    for number, handler in self._old.items():
      signal.signal(number, handler)
    signal.set_wakeup_fd(self._old_wakeup)
    self._left.set()  # only now, since the thread then closes the read end
    os.close(self._write_end)  # ends the thread if no signal arrived

  def _note(self, number: int, frame: Any) -> None:
    self.asked = self.asked or number

  def _watch(self) -> None:
    received = iter(lambda: os.read(self._read_end, 1), b'')  # a byte a signal, until the pipe is closed
    stop = next((byte for byte in received if byte[0] in self._old), b'')
    self.asked = self.asked or (stop[0] if stop else 0)
    if not stop or self._left.wait(self.grace):
      os.close(self._read_end)  # not before: a second signal is written to it
      return
    with SAVING:
      for one in list(LEAVING):
        with suppress(Exception):
          one.leave()
      name = signal.Signals(self.asked).name
      message = f'Stopped by {name}; the same command goes on from what was saved, if anything.'
      print(f'ssl-bench: {message}', file=sys.stderr)
      os._exit(self.exit_code)


def die_with_parent() -> None:
  """Has Linux kill this child process when its parent dies, so that no orphan is left."""
  if sys.platform == 'linux':
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
  parent = multiprocessing.parent_process()
  if parent and os.getppid() != parent.pid:  # it died before
    os._exit(1)
