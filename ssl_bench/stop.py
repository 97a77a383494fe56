"""Asked to stop: a signal is noted, what runs saves and ends, and what does not end in time is ended."""

import ctypes
import os
import signal
import sys
import threading
from types import TracebackType
from typing import Any

ASKING = tuple(
  getattr(signal, name) for name in ('SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2') if hasattr(signal, name)
)
GRACE = 6.0  # seconds from the signal to the end of the process
SAVING = threading.Lock()  # held while a checkpoint is written


class Stop:
  """A context in which SIGINT, SIGTERM, SIGHUP and SIGUSR2 are noted; call it to know whether one came.

  Python runs a signal's handler between two of its own instructions only, and a compilation or a solver may
  take minutes.  So a thread, which the system's handler wakes, ends the process with the signal's exit code
  where it is still there after `grace` seconds: by then a training has saved, and an evaluation has nothing
  to save.  A checkpoint that is being written is finished first.  With `grace` None nothing is ended.
  A signal that is ignored, as SIGHUP is under nohup, stays ignored.
  """

  def __init__(self, grace: float | None = GRACE):
    self.grace = grace
    self.asked = 0  # the signal, once it came
    self._left = threading.Event()
    self._old: dict[Any, Any] = {}

  def __call__(self) -> bool:
    return bool(self.asked)

  @property
  def exit_code(self) -> int:
    """128 + the signal."""
    return 128 + self.asked

  def __enter__(self) -> 'Stop':
    self._ear, mouth = os.pipe()
    os.set_blocking(mouth, False)
    self._mouth, self._old_mouth = mouth, signal.set_wakeup_fd(mouth, warn_on_full_buffer=False)
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
    signal.set_wakeup_fd(self._old_mouth)
    self._left.set()  # only now: the thread closes the pipe's other end
    os.close(self._mouth)  # which ends the thread where no signal came

  def _note(self, number: int, frame: Any) -> None:
    self.asked = self.asked or number

  def _watch(self) -> None:
    heard = next((byte for byte in iter(lambda: os.read(self._ear, 1), b'') if byte[0] in self._old), b'')
    self.asked = self.asked or (heard[0] if heard else 0)
    if not heard or self._left.wait(self.grace):
      os.close(self._ear)  # not before: a second signal is written to it
      return
    with SAVING:
      name = signal.Signals(self.asked).name
      told = f'Stopped by {name}; the same command goes on from what was saved, if anything.'
      print(f'ssl-bench: {told}', file=sys.stderr)
      os._exit(self.exit_code)


def die_with_parent() -> None:
  """On Linux a child process is killed with its parent, so that nobody meets an orphan."""
  if sys.platform == 'linux':
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
