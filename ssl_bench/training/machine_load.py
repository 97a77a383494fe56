"""The processor load of other processes, so that a time that was taken beside them can be flagged."""

import time

import psutil


class OtherLoad:
  """The processor time of other processes, counted from one call to the next."""

  def __init__(self) -> None:
    self._last = _read()

  def cores(self) -> float:
    """How many cores other processes kept busy on average since the last call, or since the beginning."""
    before, self._last = self._last, _read()
    wall, busy = (now - then for now, then in zip(self._last, before))
    return max(0.0, busy / max(wall, 1e-9))


def _read() -> tuple[float, float]:
  """Seconds by the clock, and those of all processors that were neither idle nor this process's."""
  times = psutil.cpu_times()
  idle = times.idle + getattr(times, 'iowait', 0.0)
  counted_in_user = getattr(times, 'guest', 0.0) + getattr(times, 'guest_nice', 0.0)
  return time.perf_counter(), sum(times) - counted_in_user - idle - time.process_time()
