"""The command line: train, evaluate, grid and its workers, reproduce, leaderboard, report, drift, data, list.

Every command imports what it needs when it runs, so that help comes at once.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ssl_bench import gang, numerics
from ssl_bench.cli import board, sweep
from ssl_bench.cli.data import data_app
from ssl_bench.cli.drift import drift
from ssl_bench.cli.exit import exit_code
from ssl_bench.cli.options import (
  JOIN_SECONDS,
  Again,
  AgainGrid,
  Artifacts,
  ConfigFile,
  Coordinator,
  JoinSeconds,
  MetricsPort,
  Mirror,
  Overrides,
  Plugin,
  Process,
  Processes,
  Project,
  Runs,
  Tags,
  Track,
  Workers,
  keep_programs,
  trackers_of,
)
from ssl_bench.cli.report import report
from ssl_bench.cli.tune import tune
from ssl_bench.settings.signature import BadSetting, short, suggest

if TYPE_CHECKING:
  from ssl_bench.records.trackers import Chosen

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(data_app, name='data')


def main() -> None:
  """The entry point: what a user got wrong is one sentence and exit code 2, a key that interrupts is 130."""
  numerics.pin()
  for stream in (sys.stdout, sys.stderr):
    if hasattr(stream, 'reconfigure'):
      stream.reconfigure(errors='replace')  # a terminal that lacks a sign shows another one
  sys.exit(exit_code(app))


def _show_version(asked: bool) -> None:
  """Prints the version of the package and ends the command."""
  if asked:
    from ssl_bench import __version__

    print(f'ssl-bench {__version__}')
    raise typer.Exit


@app.callback()
def options(
  version: Annotated[
    bool, typer.Option('--version', is_eager=True, callback=_show_version, help='Show the version and stop.')
  ] = False,
) -> None:
  """Semi-supervised and self-supervised learning under one protocol."""


@app.command()
def train(
  config: ConfigFile,
  overrides: Overrides = None,
  runs: Runs = Path('runs'),
  wandb: Mirror = 'offline',
  track: Track = None,
  project: Project = None,
  tags: Tags = None,
  artifacts: Artifacts = None,
  metrics_port: MetricsPort = 0,
  again: Again = False,
  coordinator: Coordinator = None,
  processes: Processes = None,
  process: Process = None,
  join_seconds: JoinSeconds = JOIN_SECONDS,
) -> None:
  """Train, evaluate and record one trial: ssl-bench train digits/fixmatch labels=20 seed=3."""
  keep_programs(runs)
  from ssl_bench.gang.join import joined, place

  with joined(place(coordinator, processes, process), join_seconds):
    shown = lambda: trackers_of(wandb, track, project, tags, artifacts, metrics_port)
    _one(config, overrides, runs, shown, again=again)


@app.command()
def evaluate(
  config: ConfigFile,
  overrides: Overrides = None,
  runs: Runs = Path('runs'),
  wandb: Mirror = 'offline',
  track: Track = None,
  project: Project = None,
  tags: Tags = None,
  artifacts: Artifacts = None,
) -> None:
  """Evaluate a trained trial again, with other evaluate.probes or label budgets; trains nothing.

  A record whose predictions are beside it gets the measures of predictions that it lacks.
  """
  if config.suffix == '.json' and not overrides:
    from ssl_bench.trial import kept

    if kept.names_predictions(config):
      sys.exit(kept.show(config))
  shown = lambda: trackers_of(wandb, track, project, tags, artifacts)
  _one(config, overrides, runs, shown, only_evaluate=True)


def _one(
  path: Path, overrides: list[str] | None, runs: Path, shown: 'Callable[[], list[Chosen]]', **how: bool
) -> None:
  keep_programs(runs)
  from ssl_bench import config as configs

  def read() -> configs.Config:
    if path.suffix == '.json':
      from ssl_bench.records.record import config_of

      return config_of(path, overrides or ())
    return configs.load(path, overrides or (), need_data=True)

  config = gang.on_all(read)
  from ssl_bench.grid.follow import following
  from ssl_bench.trial.command import run_single

  folder, trackers = runs / 'train', shown()  # now, since the config may name a plugin that holds one
  live = lambda: following(trackers, folder)
  sys.exit(run_single(config, folder, trackers, live=live, **how))


for _command in (
  sweep.grid,
  tune,
  sweep.work,
  sweep.status,
  sweep.retry,
  sweep.prune,
  sweep.sync,
  drift,
  report,
):
  app.command()(_command)


@app.command()
def show(
  record: Annotated[str, typer.Argument(help="A record's file, its id, or the beginning of it.")],
) -> None:
  """Open a record: its settings and numbers, where it was made, and the command that runs it again."""
  from ssl_bench.trial.show import find
  from ssl_bench.trial.show import show as tell

  sys.exit(tell(find(record)))


@app.command()
def reproduce(
  table: Annotated[str, typer.Argument(help='A published table, such as planetoid, or list.')] = 'list',
  runs: Runs = Path('runs'),
  row: Annotated[list[str] | None, typer.Option(help='Only this row; may be given again.')] = None,
  seeds: Annotated[int, typer.Option(min=0, help='Runs of each cell; 0: as the table says.')] = 0,
  workers: Workers = 0,
  to: Annotated[Path | None, typer.Option(help='A folder in which the table is kept too.')] = None,
  anew: Annotated[bool, typer.Option('--anew', help='Run what is kept with the project as well.')] = False,
  again: AgainGrid = False,
  recorded: Annotated[bool, typer.Option('--recorded', help='Run nothing; show what is recorded.')] = False,
) -> None:
  """Run what is missing of a published table, and set it beside what was published."""
  from ssl_bench.reproduce.table import names, read

  if table == 'list':
    print('\n'.join(names()))
    return
  if to and row:
    raise BadSetting('--to keeps the whole table; leave out --row, which only says what to run.')
  keep_programs(runs)
  found = read(table, seeds=seeds or None, rows=row or ())
  from ssl_bench.reproduce.command import reproduce as run_table

  sys.exit(run_table(found, runs, workers or None, to=to, anew=anew, again=again, recorded=recorded))


app.command()(board.leaderboard)
app.command()(board.submit)


@app.command()
def init(folder: Annotated[Path, typer.Argument(help='Where configs and experiments go.')]) -> None:
  """Copy the shipped configs, experiments and tables into a folder, to edit there; overwrites nothing."""
  from ssl_bench.cli.init import copy_shipped

  print('\n'.join(copy_shipped(folder)))


@app.command(name='list')
def list_(
  what: Annotated[str, typer.Argument(help='One of the lists, such as methods.')] = '',
  plugin: Plugin = None,
) -> None:
  """What there is, with settings, defaults and ranges."""
  from ssl_bench import plugins
  from ssl_bench.cli.listing import KINDS, show

  if what and what not in KINDS:
    raise BadSetting(f'There is no list of {short(what)}; {suggest(what, KINDS)}')
  plugins.load(plugin)
  show([what] if what else list(KINDS))


@app.command()
def speed(
  config: ConfigFile,
  overrides: Overrides = None,
  steps: Annotated[int, typer.Option(min=20, max=1_000_000, help='Steps of each measurement.')] = 200,
  seeds: Annotated[
    list[int] | None,
    typer.Option(min=2, max=64, help='Time that many seeds in one program instead.'),
  ] = None,
) -> None:
  """Measure training: the loop against its bare step, the step's parts, images/s, GFLOP/s, compile time.

  Of a record in its run folder, measure the latency of the trained network instead, 1 and 64 images a call.
  """
  from ssl_bench import config as configs

  if config.suffix == '.json':
    from ssl_bench.api import load_trained
    from ssl_bench.speed.latency import show_latency

    if overrides or seeds:
      raise BadSetting('The latency of a record has no settings; leave all but the record out.')
    show_latency(config, load_trained(config))
    return
  found = configs.load(config, overrides or (), need_data=True)
  if seeds:
    from ssl_bench.speed.seeds import measure_seeds, show_seeds

    show_seeds(measure_seeds(found, steps, seeds))
    return
  from ssl_bench.speed.measure import measure, show

  show(measure(found, steps))
