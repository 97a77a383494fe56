"""What is said where a plugin's own code fails: whose it is, at which line of which file, and how."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from ssl_bench import plugins
from ssl_bench.plugins.kinds import kind_of
from ssl_bench.plugins.things import fault
from ssl_bench.settings.signature import BadSetting


@contextmanager
def blame(kind: str, name: str, doing: str = '') -> Iterator[None]:
  """Raises `BadSetting`, one sentence, in place of whatever a plugin's thing raises inside the `with`.

  What this package raises for a thing of its own passes unchanged: that is a fault of ours, to be seen whole.

  Args:
    kind: of the thing, such as 'methods'.
    name: of the thing.
    doing: what it fails at, such as 'on images of (8, 8, 1)'.
  """
  try:
    yield
  except BadSetting:
    raise
  except Exception as error:
    if name not in plugins.outside_names(kind):
      raise
    raise BadSetting(
      f'{named(kind, name)} fails{doing and " " + doing}{_line(kind, name, error)}.'
    ) from error


def named(kind: str, name: str) -> str:
  """'The method mine of file mine.py': how a sentence names a thing; one of this package is only named."""
  origin = plugins.origin(kind, name)
  return f'The {kind_of(kind).noun} {name}' + ('' if origin in (plugins.OURS, '') else f' of {origin}')


def _line(kind: str, name: str, error: Exception) -> str:
  """' at line 12: KeyError: …'; the line is the last one of the thing's own file, if it was there."""
  file = getattr(sys.modules.get(plugins.module_of(kind, name)), '__file__', None)
  lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
  return f'{f" at line {lines[-1]}" if lines else ""}: {fault(error)}'
