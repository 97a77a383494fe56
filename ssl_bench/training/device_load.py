"""How busy the devices of a training are, where the platform tells."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from typing import Any

import jax
import psutil

QUERY = ('nvidia-smi', '--query-gpu=index,utilization.gpu', '--format=csv,noheader,nounits')
VISIBLE = 'CUDA_VISIBLE_DEVICES'
FRESH = 5.0  # seconds for which GPUs are not asked again
Report = Callable[[int, dict[str, Any]], None]


def gpus(*more: str) -> dict[str, float]:
  """Index of a GPU of this machine -> share of the last moment in which it ran any kernel, in [0, 1].

  NVIDIA's driver tells (NVML, `nvmlUtilization_t`: over the last sixth of a second to a second); empty where
  there is none.  `more` are further words for `nvidia-smi`.
  """
  if not shutil.which(QUERY[0]):
    return {}
  try:
    out = subprocess.run((*QUERY, *more), capture_output=True, encoding='utf-8', timeout=FRESH).stdout
    rows = [line.split(',') for line in out.splitlines()]
    return {index.strip(): float(busy) / 100 for index, busy in rows}
  except (OSError, ValueError, subprocess.TimeoutExpired):
    return {}


class DeviceLoad:
  """The utilization of the devices from the first log of a training to the last one.

  On the CPU it is the share of all processors' time in which they were not idle, whoever used them.  Of
  NVIDIA's GPUs it is the mean of `gpus` at logs, at most one in five seconds, over those that the process may
  use.  Of other devices nothing is known.
  """

  def __init__(self) -> None:
    self._times: list[tuple[float, float]] = []  # idle, all
    self._seen: list[float] = []
    self._asked = -FRESH

  def telling(self, report: Report) -> Report:
    """A `report` that notes the utilization at each log, then passes on what it is given."""

    def told(step: int, values: dict[str, Any]) -> None:
      if step:
        self.note()
      report(step, values)

    return told

  def note(self) -> None:
    """Notes it now."""
    platform = jax.default_backend()
    if platform == 'cpu':
      self._times = [*self._times[:1], _times()]
    elif platform in ('gpu', 'cuda') and time.monotonic() - self._asked >= FRESH:
      own = os.environ.get(VISIBLE)
      found = gpus(*([f'--id={own}'] if own else []))
      self._seen += [sum(found.values()) / len(found)] if found else []
      self._asked = time.monotonic()

  def share(self) -> float | None:
    """The utilization in [0, 1]; None where it was not seen twice on a CPU, or no driver told."""
    if self._seen:
      return sum(self._seen) / len(self._seen)
    if len(self._times) < 2:
      return None
    (idle, whole), (later_idle, later_whole) = self._times
    return 1 - (later_idle - idle) / (later_whole - whole) if later_whole > whole else None


def _times() -> tuple[float, float]:
  """Seconds in which processors were idle, and all of their seconds."""
  times = psutil.cpu_times()
  counted_in_user = getattr(times, 'guest', 0.0) + getattr(times, 'guest_nice', 0.0)
  return times.idle + getattr(times, 'iowait', 0.0), sum(times) - counted_in_user
