"""The command that tunes settings."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ssl_bench.cli.options import BOARD, AgainGrid, DryRun, Overrides, Runs, TimeLimit, Workers, keep_programs


def tune(
  file: Annotated[
    Path,
    typer.Argument(help='A file, or a name such as digits_tuning: of ./experiments, or of the package.'),
  ],
  overrides: Overrides = None,
  method: Annotated[list[str] | None, typer.Option(help='Only this method; may be given again.')] = None,
  runs: Runs = Path('runs'),
  workers: Workers = 0,
  again: AgainGrid = False,
  dry_run: DryRun = False,
  time_limit: TimeLimit = '',
) -> None:
  """Tune settings by validation accuracy, with one budget of training steps for every method."""
  if not dry_run:
    keep_programs(runs)
  from ssl_bench.tune.file import read

  found = read(file, overrides or (), methods=method or ())
  if dry_run:
    from ssl_bench.trial.run_folder import RunFolder
    from ssl_bench.tune.dry_run import dry_run as tell

    print(tell(found, RunFolder(runs / found.form.name), workers or None, [BOARD]))
    return
  from ssl_bench.settings.duration import parse_duration
  from ssl_bench.tune.command import tune as run

  seconds = parse_duration(time_limit) if time_limit else None
  sys.exit(run(found, runs, workers or None, again=again, seconds=seconds))
