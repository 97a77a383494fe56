"""A worker: a process that runs trials one after the other and says how far it is."""

import os
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ssl_bench.records.naming import variant
from ssl_bench.stop import Stop, die_with_parent

Names = Mapping[str, set[str]]  # method -> dotted names


def work(pipe: Connection, run_folder: str, grid: str, shared: bool, names: Names) -> None:
  """Takes lists of configs (plain data) from the pipe until it is told None.

  Says ('begin', label), ('step', steps since the last word), ('end', record) and, after each list, ('idle',).
  `names` are the settings that the grid varies, by method, which a label holds.
  """
  die_with_parent()
  with Stop() as stop:
    _serve(pipe, Path(run_folder), grid, shared, names, stop)


def _serve(pipe: Connection, folder: Path, grid: str, shared: bool, names: Names, stop: Stop) -> None:
  from ssl_bench.config import to_dict, validate
  from ssl_bench.settings.signature import BadSetting
  from ssl_bench.training.checkpoint import UnusableCheckpoint
  from ssl_bench.training.loop import Interrupted
  from ssl_bench.trial.run import run_trial
  from ssl_bench.trial.run_folder import RunFolder

  def tell(*message: Any) -> None:
    try:
      pipe.send(message)
    except OSError:
      os._exit(1)  # nobody listens any more

  tell('idle')
  while (trees := pipe.recv()) is not None:
    for config in map(validate, trees):
      tell('begin', label(to_dict(config), names))
      before = [0]

      def report(step: int, metrics: dict[str, Any], before: list[int] = before) -> None:
        tell('step', step - before[0])
        before[0] = step

      how: dict[str, Any] = {'grid': grid, 'shared': shared, 'report': report, 'should_stop': stop}
      try:
        found = run_trial(config, RunFolder(folder), **how)
      except Interrupted:
        return
      except (BadSetting, UnusableCheckpoint) as error:  # nothing is recorded
        found = {'id': None, 'status': 'failed', 'error': str(error), 'metrics': {}}
      accuracy = found['metrics'].get('accuracy')
      tell('end', {k: found[k] for k in ('id', 'status', 'error')} | {'accuracy': accuracy})
    tell('idle')


def label(config: Mapping[str, Any], names: Names) -> str:
  """A trial in a few words: method, labels, seeds, and those of its settings that the grid varies."""
  told = {name.removesuffix('.name'): value for name, value in variant(config, names).items()}
  return ', '.join(
    [
      config['method']['name'],
      f'{config["labels"]} labels',
      f'seeds {config["split_seed"]}/{config["seed"]}',
      *(f'{name} {value}' for name, value in told.items() if name != 'labels'),
    ]
  )
