"""Whether a training fits into memory, told before it is compiled and before it is run."""

import contextlib
import functools
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
import psutil

from ssl_bench import gang
from ssl_bench.settings.signature import BadSetting

try:
  import resource
except ImportError:  # on Windows
  resource = None  # type: ignore[assignment]

PEAK = Path('/proc/self/clear_refs')  # what is written there resets the peak (proc_pid_clear_refs, 5)
CGROUP = (Path('/sys/fs/cgroup/memory.max'), Path('/sys/fs/cgroup/memory/memory.limit_in_bytes'))


def at_hand() -> int:
  """Bytes that a training may take: of the device where it has memory of its own, else of the machine.

  On the CPU the machine's memory counts, or what a container may have of it, not what is free just now: other
  work ends, and the system's caches give way.  In a gang it is the least of what its processes have.
  """
  return int(gang.smallest(_here()))


def _here() -> int:
  """The same, of this process."""
  device = jax.local_devices()[0]
  told = device.memory_stats() if device.platform != 'cpu' else None
  if told and 'bytes_limit' in told:
    return int(told['bytes_limit'])
  return min(psutil.virtual_memory().total, *_limits(CGROUP))


def in_use() -> dict[str, Any] | None:
  """{device, bytes in use, limit} of the first device; on the CPU, of this process and of the machine.

  None where a backend does not tell, since no trial fails for this number.
  """
  try:
    device, limit = _device()
    told = device.memory_stats() if device.platform != 'cpu' else None
    count = told['bytes_in_use'] if told else _process().memory_info().rss
  except Exception:
    return None
  return {'device': f'{device.platform}:{device.id}', 'bytes': count, 'limit': limit}


def peak() -> dict[str, float]:
  """The most bytes at once so far: `host` of this process, `device` of the first one where it tells.

  That of the process is counted from `forget_peak` on, where the system can forget, else from its beginning;
  that of a device always from the beginning of the process.
  """
  found = {}
  if resource is not None:
    unit = 1 if sys.platform == 'darwin' else 1024
    found['host'] = float(unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
  device = jax.local_devices()[0]
  told = device.memory_stats() if device.platform != 'cpu' else None
  if told and 'peak_bytes_in_use' in told:
    found['device'] = float(told['peak_bytes_in_use'])
  return found


def forget_peak() -> None:
  """Has the peak of this process be counted from now on; only Linux can."""
  with contextlib.suppress(OSError):
    PEAK.write_text('5', encoding='ascii')


@functools.cache
def _device() -> tuple[Any, int]:
  return jax.local_devices()[0], _here()


@functools.cache
def _process() -> psutil.Process:
  return psutil.Process()


def _limits(files: Iterable[Path]) -> list[int]:
  """The limits of a container, as far as there are any; at least one number, which may be no limit."""
  found = [2**63]
  for file in files:
    try:
      text = file.read_text(encoding='utf-8').strip()
    except OSError:
      continue
    found += [int(text)] if text.isdecimal() else []
  return found


def check_state(state: Any, params: Any) -> None:
  """Raises `BadSetting` where a training's state, as shapes, needs more memory than there is.

  Args:
    state: everything that training keeps, such as parameters, averages and moments: a tree of shapes.
    params: the part of it that an optimizer moves.
  """
  needed, there = size(state), at_hand()
  if needed > there:
    count = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))
    raise BadSetting(
      f'The networks have {count:,} parameters, and what training keeps needs {_say(needed)}; the memory '
      f'at hand is {_say(there)}. Make the net smaller.'
    )


def check_program(needed: float) -> None:
  """Raises `BadSetting` where a compiled step needs more bytes than there are; NaN is no number of them."""
  there = at_hand()
  if needed > there:
    raise BadSetting(
      f'A step of this training needs {_say(needed)}; the memory at hand is {_say(there)}. '
      'Make the batch or the net smaller.'
    )


def size(tree: Any) -> int:
  """Bytes of a tree of arrays or shapes."""
  return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _say(count: float) -> str:
  return f'{count:,.0f} bytes ({count / 2**30:,.3g} GiB)'
