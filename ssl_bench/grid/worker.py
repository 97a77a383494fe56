"""A worker: a process that runs trials one after the other and says how far it is."""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ssl_bench.leaderboard.trials import flatten
from ssl_bench.stop import Stop


def work(pipe: Connection, room: str, grid: str, shared: bool, varied: Sequence[str] = ()) -> None:
  """Takes lists of configs (plain data) from the pipe until it is told None.

  Says ('begin', label), ('step', steps since the last word), ('end', record) and, after each list, ('idle',).
  `varied` names the settings that the grid varies, which a label holds.
  """
  _die_with_parent()
  with Stop() as stop:
    _serve(pipe, Path(room), grid, shared, varied, stop)


def _serve(
  pipe: Connection, folder: Path, grid: str, shared: bool, varied: Sequence[str], stop: Stop
) -> None:
  from ssl_bench.config import to_dict, validate
  from ssl_bench.grid.room import Room
  from ssl_bench.grid.trial import run_trial
  from ssl_bench.train.checkpoint import UnusableCheckpoint
  from ssl_bench.train.fit import Interrupted

  def tell(*message: Any) -> None:
    try:
      pipe.send(message)
    except OSError:
      os._exit(1)  # nobody listens any more

  tell('idle')
  while (trees := pipe.recv()) is not None:
    for config in map(validate, trees):
      tell('begin', label(to_dict(config), varied))
      before = [0]

      def report(step: int, metrics: dict[str, Any], before: list[int] = before) -> None:
        tell('step', step - before[0])
        before[0] = step

      how: dict[str, Any] = {'grid': grid, 'shared': shared, 'report': report, 'should_stop': stop}
      try:
        found = run_trial(config, Room(folder), **how)
      except Interrupted:
        return
      except UnusableCheckpoint as error:
        found = {'id': None, 'status': 'failed', 'error': str(error), 'metrics': {}}
      accuracy = found['metrics'].get('accuracy')
      tell('end', {k: found[k] for k in ('id', 'status', 'error')} | {'accuracy': accuracy})
    tell('idle')


def label(tree: dict[str, Any], varied: Sequence[str] = ()) -> str:
  """A trial in a few words: method, labels, seeds, and the settings named by `varied`."""
  settings = flatten(tree)
  more = [f'{name.removesuffix(".name")} {settings[name]}' for name in varied if name in settings]
  return ', '.join(
    [
      tree['method']['name'],
      f'{tree["labels"]} labels',
      f'seeds {tree["split_seed"]}/{tree["seed"]}',
      *more,
    ]
  )


def _die_with_parent() -> None:
  """On Linux a worker is killed with its parent, so that a second run never meets an orphan."""
  if sys.platform == 'linux':
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
