"""Mirrors the records of a run folder, and follows the trials that run there, without running any."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ssl_bench.grid.follow import following
from ssl_bench.records import record
from ssl_bench.records.trackers import Tracker, mirror_and_say
from ssl_bench.settings.signature import BadSetting
from ssl_bench.stop import Stop
from ssl_bench.trial.run_folder import RunFolder

EVERY = 0.5  # seconds between two looks for a signal


def sync(folder: Path, trackers: Sequence[Tracker], *, follow: bool = False) -> int:
  """Returns 0, or 1 where records cannot be read, which are named.

  Args:
    folder: a run folder.
    trackers: where to.
    follow: show trials that run, too, until a signal asks to stop.

  Raises:
    BadSetting: there is no such folder, or a tracker lacks a login.
  """
  run_folder = RunFolder(folder)
  if not folder.is_dir():
    raise BadSetting(f'There is no run folder {str(folder)!r}; `ssl-bench grid` and `train` make one.')
  for tracker in trackers:
    tracker.check()
  if follow:
    with Stop(grace=None) as stop, following(trackers, folder):
      while not stop():
        time.sleep(EVERY)
  return mirror_all(run_folder, trackers)


def mirror_all(run_folder: RunFolder, trackers: Sequence[Tracker]) -> int:
  """Mirrors what is not mirrored yet; returns 0, or 1 where records cannot be read, which are named."""
  if not trackers or not run_folder.records.is_dir():
    return 0
  found, unread = record.gather([run_folder.records], with_curves=True)
  mirror_and_say(trackers, found, found, run_folder.path)
  for sentence in unread:
    print(f'Not mirrored: {sentence}', file=sys.stderr)
  return 1 if unread else 0
