"""How a command ends: its exit code, and one sentence on what a user got wrong."""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress

from ssl_bench.plugins.things import fault
from ssl_bench.settings.signature import BadSetting
from ssl_bench.stop import CRASHED, NO_ROOM

LONGEST_LINE = 1500
INTERRUPTED = 128 + signal.SIGINT


def exit_code(app: Callable[..., int | None]) -> int:
  """Runs the command line; its exit code: that of the command, which is 0 where all is well.

  2 after a sentence, 130 after a key that interrupts, 70 after an error that is no user's, whose trace is
  printed, and then its first line.
  """
  try:
    return _ended(app)
  except KeyboardInterrupt:
    return INTERRUPTED
  except Exception as error:
    with suppress(OSError):
      traceback.print_exc()
      print(f'ssl-bench: Crashed: {fault(error)}.', file=sys.stderr)
    return CRASHED


def _ended(app: Callable[..., int | None]) -> int:
  """The exit code of the command, after what it printed has left; raises what is no user's mistake."""
  try:
    code = _run(app)
    sys.stdout.flush()
    return code
  except OSError as error:
    return _no_room(error)


def _run(app: Callable[..., int | None]) -> int:
  """The exit code of the command; raises `OSError` where it is no file of a user's that fails."""
  try:
    return app(standalone_mode=False) or 0
  except SystemExit as end:
    if not isinstance(end.code, int | None):
      raise
    return end.code or 0
  except BadSetting as error:
    return complain(str(error))
  except OSError as error:
    if not error.filename:
      raise
    return complain(f'{error.filename}: {error.strerror}.')
  except RuntimeError as error:
    if 'Unable to initialize backend' not in str(error):
      raise
    platforms = os.environ.get('JAX_PLATFORMS', '')
    return complain(f'There is no device for JAX_PLATFORMS={platforms}; unset it, or name one that is here.')
  except Exception as error:  # a command line that does not parse is an exception of typer's or of click's
    if type(error).__name__ == 'Abort':  # what click makes of a key that interrupts
      return INTERRUPTED
    if not hasattr(error, 'format_message'):
      raise
    text = error.format_message().replace('Value error, ', '')
    is_help = not text or 'Usage:' in text  # a command that stands alone asks for its help
    if is_help:
      print(text)
    return 0 if is_help else complain(text)


def _no_room(error: OSError) -> int:
  """The exit code where standard output takes nothing, or a disk is full; raises other errors again."""
  try:
    print(flush=True)  # tells whether it was standard output
  except OSError:
    with suppress(OSError, ValueError):  # the end of the process does not try a third time
      os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):  # whoever read has enough
      return 1
    return complain(f'Nothing can be written to standard output: {error.strerror}.')
  if error.errno not in NO_ROOM:
    raise error
  return complain(f'{error.strerror}.')


def complain(text: str) -> int:
  """Says what is wrong in one line, cut where it repeats something very long."""
  line = ' '.join(text.splitlines())
  with suppress(OSError):
    print(f'ssl-bench: {line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}…"}', file=sys.stderr)
  return 2
