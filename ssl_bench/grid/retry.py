"""What did not end well is put aside and run once more, by what its run folder says of it."""

from collections.abc import Iterable
from pathlib import Path

from ssl_bench import data
from ssl_bench.config import Config, validate
from ssl_bench.grid.expand import Grid
from ssl_bench.grid.status import not_well
from ssl_bench.planning.identity import identify
from ssl_bench.settings.signature import BadSetting
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.training import name_of


def grid_of_bad(folder: Path, terms: Iterable[str] = ()) -> Grid:
  """The trials of a run folder that failed, diverged, were refused or lost, as a grid.

  The record of a diverged one and its checkpoints are put aside, since it would diverge again where it goes
  on; the others are run again as they are.

  Args:
    folder: such as runs/digits.
    terms: which of them, as `--select` names them; all without one.

  Raises `BadSetting` where all is well, or where another process is training one of them.
  """
  run_folder = RunFolder(folder)
  configs: list[Config] = []
  for word, tree in not_well(folder, terms):
    config = validate(tree)
    dataset = data.load(config.dataset)
    if word == 'diverged':
      run_folder.put_aside(identify(config, dataset.fingerprint), [name_of(config, dataset)])
    configs.append(config)
  if not configs:
    raise BadSetting(f'{folder} has no trial that failed, diverged or was lost; nothing is run again.')
  return Grid(folder.absolute().name, tuple(configs))
