"""A worker: a process that runs trials one after the other and says how far it is."""

import ctypes
import os
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any


def work(pipe: Connection, room: str, grid: str, shared: bool) -> None:
  """Takes lists of configs (plain data) from the pipe until it is told None.

  Says ('begin', label), ('step', steps since the last word), ('end', record) and, after each list, ('idle',).
  """
  _die_with_parent()
  stopping = _listen()
  from ssl_bench.config import to_dict, validate
  from ssl_bench.grid.room import Room
  from ssl_bench.grid.trial import run_trial
  from ssl_bench.train.fit import Interrupted

  def tell(*message: Any) -> None:
    try:
      pipe.send(message)
    except OSError:
      os._exit(1)  # nobody listens any more

  tell('idle')
  while (trees := pipe.recv()) is not None:
    for config in map(validate, trees):
      tell('begin', label(to_dict(config)))
      before = [0]

      def report(step: int, metrics: dict[str, Any], before: list[int] = before) -> None:
        tell('step', step - before[0])
        before[0] = step

      try:
        found = run_trial(
          config,
          Room(Path(room)),
          grid=grid,
          shared=shared,
          report=report,
          should_stop=lambda: bool(stopping),
        )
      except Interrupted:
        sys.exit(0)
      accuracy = found['metrics'].get('accuracy')
      tell('end', {k: found[k] for k in ('id', 'status', 'error')} | {'accuracy': accuracy})
    tell('idle')


def label(tree: dict[str, Any]) -> str:
  """A trial in a few words."""
  return f'{tree["method"]["name"]}, {tree["labels"]} labels, seeds {tree["split_seed"]}/{tree["seed"]}'


def _listen() -> list[int]:
  """A list that holds the signal once the worker is asked to stop; Ctrl-C is for the parent to pass on."""
  asked: list[int] = []
  signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
  signal.signal(signal.SIGINT, signal.SIG_IGN)
  return asked


def _die_with_parent() -> None:
  """On Linux a worker is killed with its parent, so that a second run never meets an orphan."""
  if sys.platform == 'linux':
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
