"""Which process made a claim, and whether it lives, as far as this machine can tell."""

import functools
import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

UNKNOWN = 'unknown'


def is_dead(owner: dict[str, Any]) -> bool:
  """Whether an owner is a process of this machine that has ended; of others nobody knows."""
  if not owner or owner.get('machine') != this_machine():
    return False
  started = _started(owner['pid'])
  return started != UNKNOWN and started != owner['process']


def this_process() -> dict[str, Any]:
  """This process, so that another one of this machine can tell whether it lives."""
  pid = os.getpid()
  return {'host': platform.node(), 'machine': this_machine(), 'pid': pid, 'process': _started(pid)}


@functools.cache
def this_machine() -> str:
  """This machine since it was started, and the space in which its process numbers count."""
  found: Sequence[str] = [platform.node()]
  with suppress(OSError):
    boot = Path('/proc/sys/kernel/random/boot_id').read_text(encoding='ascii').strip()
    found = [*found, boot, os.readlink('/proc/self/ns/pid')]
  return ' '.join(found)


def _started(pid: int) -> str | None:
  """A mark of the living process of a number, which a later process with that number lacks; None without one.

  `UNKNOWN` where the system does not show another user's process, or shows none.
  """
  try:
    words = Path(f'/proc/{pid}/stat').read_text(encoding='utf-8', errors='replace').rpartition(')')[2].split()
    return None if words[0] in 'ZX' else words[19]  # a zombie; ticks from the machine's start to its own
  except OSError:
    return UNKNOWN if psutil.pid_exists(pid) else None
