"""The command line: train, evaluate, grid and its workers, reproduce, leaderboard, submit, data, list, init.

Every command imports what it needs when it runs, so that help comes at once.
"""

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ssl_bench import numerics
from ssl_bench.cli.data import data_app
from ssl_bench.cli.exit import exit_code
from ssl_bench.settings.signature import BadSetting, short, suggest

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(data_app, name='data')

BOARD = Path('leaderboard/records')

Overrides = Annotated[list[str] | None, typer.Argument(help='Settings as key=value; they win over the file.')]
Select = Annotated[
  list[str] | None,
  typer.Option(help="Only trials of which this holds, such as 'seed=0', 'method=fixmatch, labels=20|40'."),
]
Runs = Annotated[Path, typer.Option(help='Where everything that a run writes goes.')]
Workers = Annotated[
  int, typer.Option(min=0, max=1024, help='Processes; 0: one a core, or one for an accelerator.')
]
Wandb = Literal['offline', 'online', 'disabled']
Mirror = Annotated[Wandb, typer.Option(help='How to mirror to Weights & Biases.')]
Track = Annotated[
  list[str] | None,
  typer.Option(help='Another tracker to mirror to, as name(setting=value); may be given again.'),
]
Plugin = Annotated[list[str] | None, typer.Option(help='A plugin file to load; may be given again.')]
Again = Annotated[
  bool, typer.Option('--again', help='Run again what is recorded; the old record is kept in replaced/.')
]
AgainGrid = Annotated[
  bool, typer.Option('--again', help='Run again what other code recorded; the old is kept in replaced/.')
]
ConfigFile = Annotated[
  Path,
  typer.Argument(
    help='A file, or a name such as digits/fixmatch: of ./configs, else of the package; or a record.'
  ),
]
GridFile = Annotated[
  Path, typer.Argument(help='A file, or a name such as quickstart: of ./experiments, else of the package.')
]
NoTiming = Annotated[bool, typer.Option('--no-timing', help='Leave out what a clock wrote.')]


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
  again: Again = False,
) -> None:
  """Train, evaluate and record one trial: ssl-bench train digits/fixmatch labels=20 seed=3."""
  _one(config, overrides, runs, wandb, track, again=again)


@app.command()
def evaluate(
  config: ConfigFile,
  overrides: Overrides = None,
  runs: Runs = Path('runs'),
  wandb: Mirror = 'offline',
  track: Track = None,
) -> None:
  """Evaluate a trained trial again, with other evaluate.probes or label budgets; trains nothing."""
  _one(config, overrides, runs, wandb, track, only_evaluate=True)


def _one(
  path: Path, overrides: list[str] | None, runs: Path, wandb: Wandb, track: list[str] | None, **how: bool
) -> None:
  _prepare(runs)
  from ssl_bench import config as configs

  if path.suffix == '.json':
    from ssl_bench.records.record import config_of

    config = config_of(path, overrides or ())
  else:
    config = configs.load(path, overrides or (), need_data=True)
  from ssl_bench.records.trackers import choose
  from ssl_bench.trial.command import run_single

  sys.exit(run_single(config, runs / 'train', choose(wandb, track), **how))


@app.command()
def grid(
  file: GridFile,
  overrides: Overrides = None,
  runs: Runs = Path('runs'),
  select: Select = None,
  workers: Workers = 0,
  wandb: Mirror = 'offline',
  track: Track = None,
  no_timing: NoTiming = False,
  again: AgainGrid = False,
  dry_run: Annotated[
    bool, typer.Option('--dry-run', help='Say what would run and about how long; run nothing.')
  ] = False,
  time_limit: Annotated[
    str, typer.Option(help='Save and end after that time, such as 90m or 04:00:00; exit code 75.')
  ] = '',
  engine: Annotated[
    Literal['local', 'slurm'], typer.Option(help='Where workers run: on this machine, or as jobs of Slurm.')
  ] = 'local',
  cluster: Annotated[Path | None, typer.Option(help='What a job of Slurm gets, as YAML.')] = None,
  wait: Annotated[bool, typer.Option('--wait', help='Follow the jobs, then show the board.')] = False,
) -> None:
  """Run the trials of a grid that are not recorded yet, and show its leaderboard."""
  if not dry_run:
    _prepare(runs)
  from ssl_bench.grid.expand import expand

  found = expand(file, overrides or (), select=select or (), need_data=True)
  if dry_run:
    from ssl_bench.grid.dry_run import dry_run as tell
    from ssl_bench.trial.run_folder import RunFolder

    print(tell(found, RunFolder(runs / found.name), workers or None, [BOARD]))
    return
  from ssl_bench.grid.command import run_whole, submit
  from ssl_bench.records.trackers import choose

  if engine == 'slurm':
    if time_limit:
      raise BadSetting('--time-limit is for this machine; of a job of Slurm, the cluster file says time.')
    from ssl_bench.grid.engines.cluster import read

    how = {'timing': not no_timing, 'again': again, 'wait': wait}
    sys.exit(submit(found, runs, read(cluster), choose(wandb, track), **how))
  if cluster or wait:
    raise BadSetting('--cluster and --wait are for jobs; give --engine slurm with them.')
  from ssl_bench.grid.estimate import parse_duration

  limits: Any = {'again': again, 'seconds': parse_duration(time_limit) if time_limit else None}
  sys.exit(run_whole(found, runs, workers or None, choose(wandb, track), timing=not no_timing, **limits))


@app.command()
def work(
  folder: Annotated[Path, typer.Argument(help='The run folder of a grid, such as runs/digits.')],
  manifest: Annotated[Path, typer.Option(help='What to do: a file of its folder manifests.')],
  pull: Annotated[bool, typer.Option('--pull', help='Take any task that no other worker has.')] = False,
  index: Annotated[int | None, typer.Option(min=0, help='Take the tasks of this job alone.')] = None,
  of: Annotated[int, typer.Option(min=0, help='How many jobs there are; 0: one a task.')] = 0,
  shared: Annotated[bool, typer.Option('--shared', help='Other trials run on this machine.')] = False,
) -> None:
  """Run the tasks of a manifest until none is left; exit code 75 if a signal stops it: run it again."""
  if pull == (index is not None):
    raise BadSetting('Give either --pull, for any task that is left, or --index, for those of one job.')
  _prepare(folder.absolute().parent)
  from ssl_bench.stop import AGAIN, Stop

  with Stop(code=AGAIN) as stop:  # before what takes seconds to import
    from ssl_bench.grid.work_command import run_worker

    code = run_worker(folder, manifest, stop, index=index, of=of, shared=shared)
  sys.exit(code)


@app.command()
def status(
  folder: Annotated[Path, typer.Argument(help='The run folder of a grid, such as runs/digits.')],
  select: Select = None,
  watch: Annotated[
    bool, typer.Option('--watch', help='Say it again every few seconds, until a key.')
  ] = False,
) -> None:
  """How far a sweep is: what is recorded, running where and since when, and what failed or was lost."""
  from ssl_bench.grid.status import show as tell

  tell(folder, select or (), watch=watch)


@app.command()
def retry(
  folder: Annotated[Path, typer.Argument(help='The run folder of a grid, such as runs/digits.')],
  select: Select = None,
  workers: Workers = 0,
  wandb: Mirror = 'offline',
  track: Track = None,
  no_timing: NoTiming = False,
) -> None:
  """Run once more what failed, diverged or was lost; a diverged record is kept in replaced/."""
  _prepare(folder.absolute().parent)
  from ssl_bench.grid.command import run_whole
  from ssl_bench.grid.retry import grid_of_bad
  from ssl_bench.records.trackers import choose

  found = grid_of_bad(folder, select or ())
  trackers = choose(wandb, track)
  sys.exit(run_whole(found, folder.absolute().parent, workers or None, trackers, timing=not no_timing))


@app.command()
def prune(
  folder: Annotated[Path, typer.Argument(help='The run folder of a grid, such as runs/digits.')],
  yes: Annotated[bool, typer.Option('--yes', help='Remove them without asking.')] = False,
) -> None:
  """Remove checkpoints of recorded trials and of none; what a trial still needs stays, as all records do."""
  from ssl_bench.grid.prune import litter, remove

  found = litter(folder)
  print(f'{folder}: {found.told()}.')
  asked = found.paths and not yes
  if asked and not sys.stdin.isatty():
    raise BadSetting('Nothing is removed, since nobody can answer here; give --yes to remove them.')
  question = 'Remove them? Recorded trials cannot be evaluated again'
  if found.paths and (yes or typer.confirm(question)):
    remove(found)
    print('Removed.')


@app.command()
def show(
  name: Annotated[str, typer.Argument(help="A record's file, its id, or the beginning of it.")],
) -> None:
  """Open a record: its settings and numbers, where it was made, and the command that runs it again."""
  from ssl_bench.records.show import find
  from ssl_bench.records.show import show as tell

  sys.exit(tell(find(name)))


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
  _prepare(runs)
  found = read(table, seeds=seeds or None, rows=row or ())
  from ssl_bench.reproduce.command import reproduce as run_table

  sys.exit(run_table(found, runs, workers or None, to=to, anew=anew, again=again, recorded=recorded))


@app.command()
def leaderboard(
  records: Annotated[Path, typer.Option(help='The folder of records.')] = BOARD,
  out: Annotated[Path, typer.Option(help='Where README.md, index.html and tables/*.csv go.')] = Path(
    'leaderboard'
  ),
  select: Select = None,
  no_timing: NoTiming = False,
  plugin: Plugin = None,
) -> None:
  """Regenerate the leaderboard's README and page from records; exit code 1 where a file was left out."""
  from ssl_bench import plugins
  from ssl_bench.leaderboard.build import publish

  plugins.load(plugin)
  if not records.is_dir():
    raise BadSetting(f'There is no folder {str(records)!r}; {_other_records()}')
  if select and out.resolve() == records.parent.resolve():
    raise BadSetting(
      'A part of the records would take the place of the board; name another folder with --out.'
    )
  left_out: list[str] = []
  not_shown: list[str] = []
  told: Any = {'report': left_out.append, 'note': not_shown.append, 'select': select or ()}
  publish([records], out, timing=not no_timing, reproduced=records.parent / 'reproduced', **told)
  print(f'{out / "README.md"}\n{out / "index.html"}')
  for sentence in left_out:
    print(f'Left out: {sentence}', file=sys.stderr)
  for sentence in not_shown:
    print(f'Not shown: {sentence}', file=sys.stderr)
  sys.exit(1 if left_out else 0)


def _other_records() -> str:
  """What to write where the folder of records that was asked for is not there."""
  if made := sorted(str(folder) for folder in Path('runs').glob('*/records') if folder.is_dir()):
    return f'name one with --records, such as {made[0]}.'
  return 'name one with --records, such as runs/quickstart/records, which `ssl-bench grid quickstart` makes.'


@app.command()
def submit(
  source: Annotated[Path, typer.Argument(help='A record, or a folder of them, such as runs/digits.')],
  to: Annotated[Path, typer.Option(help='The folder of contributed records.')] = BOARD,
  ours: Annotated[
    bool,
    typer.Option('--ours', help='For maintainers: the project ran them; no mark of a submission.'),
  ] = False,
  plugin: Plugin = None,
) -> None:
  """Check records and copy them into the leaderboard's folder, marked as submitted; what is there stays."""
  from ssl_bench.records.submit import submit as copy

  copied, kept = copy(source, to, ours=ours, trusted=plugin or ())
  where = '' if to == BOARD else f' --records {shlex.quote(str(to))}'
  print(f'{copied} records copied to {to}, {kept} were there. Now run: ssl-bench leaderboard{where}')


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
) -> None:
  """Measure training: the loop against its bare step, the step's parts, images/s, GFLOP/s, compile time."""
  from ssl_bench import config as configs

  found = configs.load(config, overrides or (), need_data=True)
  from ssl_bench.speed.measure import measure, show

  show(measure(found, steps))


def _prepare(runs: Path) -> None:
  """XLA's programs are kept on disk and found by later processes, worker processes included."""
  place = next(p for p in (runs.absolute(), *runs.absolute().parents) if p.exists())
  if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
    raise BadSetting(f'Nothing can be written to {runs}; name another folder with --runs.')
  os.environ.setdefault('JAX_COMPILATION_CACHE_DIR', str((runs / 'compiled').absolute()))
  os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0')
  os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES', '-1')
