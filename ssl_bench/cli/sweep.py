"""The commands of a sweep: grid, work, status, retry, prune, sync."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from ssl_bench.cli.options import (
  BOARD,
  JOIN_SECONDS,
  AgainGrid,
  Artifacts,
  Coordinator,
  DryRun,
  GridFile,
  JoinSeconds,
  MetricsPort,
  Mirror,
  NoTiming,
  Overrides,
  Plugin,
  Process,
  Processes,
  Project,
  Runs,
  Select,
  Tags,
  TimeLimit,
  Track,
  Workers,
  keep_programs,
  trackers_of,
)
from ssl_bench.settings.signature import BadSetting


def grid(
  file: GridFile,
  overrides: Overrides = None,
  runs: Runs = Path('runs'),
  select: Select = None,
  workers: Workers = 0,
  wandb: Mirror = 'offline',
  track: Track = None,
  project: Project = None,
  tags: Tags = None,
  artifacts: Artifacts = None,
  metrics_port: MetricsPort = 0,
  no_timing: NoTiming = False,
  again: AgainGrid = False,
  dry_run: DryRun = False,
  time_limit: TimeLimit = '',
  engine: Annotated[
    Literal['local', 'slurm', 'ray', 'kubernetes'],
    typer.Option(help='Where workers run: on this machine, as jobs of Slurm, on Ray, as a Job to apply.'),
  ] = 'local',
  cluster: Annotated[Path | None, typer.Option(help='What a worker elsewhere gets, as YAML.')] = None,
  wait: Annotated[
    bool, typer.Option('--wait', help='Follow the jobs of Slurm, then show the board; Ray does so anyway.')
  ] = False,
) -> None:
  """Run the trials of a grid that are not recorded yet, and show its leaderboard."""
  if not dry_run:
    keep_programs(runs)
  from ssl_bench.grid.expand import expand

  found = expand(file, overrides or (), select=select or (), need_data=True)
  if dry_run:
    from ssl_bench.grid.dry_run import dry_run as tell
    from ssl_bench.trial.run_folder import RunFolder

    print(tell(found, RunFolder(runs / found.name), workers or None, [BOARD]))
    return
  from ssl_bench.grid.command import run_whole
  from ssl_bench.grid.engines.choose import choose as choose_engine
  from ssl_bench.settings.duration import parse_duration

  seconds = parse_duration(time_limit) if time_limit else None
  where = choose_engine(engine, cluster, workers=workers or None, seconds=seconds, wait=wait)
  trackers = trackers_of(wandb, track, project, tags, artifacts, metrics_port)
  sys.exit(run_whole(found, runs, where, trackers, timing=not no_timing, again=again))


def work(
  folder: Annotated[Path, typer.Argument(help='The run folder of a grid, such as runs/digits.')],
  manifest: Annotated[Path, typer.Option(help='What to do: a file of its folder manifests.')],
  pull: Annotated[bool, typer.Option('--pull', help='Take any task that no other worker has.')] = False,
  index: Annotated[int | None, typer.Option(min=0, help='Take the tasks of this job alone.')] = None,
  of: Annotated[int, typer.Option(min=0, help='How many jobs there are; 0: one a task.')] = 0,
  shared: Annotated[bool, typer.Option('--shared', help='Other trials run on this machine.')] = False,
  gpus: Annotated[int, typer.Option(min=0, help='GPUs that it was given; it ends where JAX sees none.')] = 0,
  coordinator: Coordinator = None,
  processes: Processes = None,
  process: Process = None,
  join_seconds: JoinSeconds = JOIN_SECONDS,
  metrics_port: MetricsPort = 0,
) -> None:
  """Run the tasks of a manifest until none is left; exit code 75 if a signal stops it: run it again."""
  if pull == (index is not None):
    raise BadSetting('Give either --pull, for any task that is left, or --index, for those of one job.')
  keep_programs(folder.absolute().parent)
  from ssl_bench.stop import AGAIN, Stop

  with Stop(code=AGAIN) as stop:  # before what takes seconds to import
    from ssl_bench.gang.join import joined, place
    from ssl_bench.grid.work_command import run_worker

    trackers = trackers_of('disabled', None, None, None, None, metrics_port)
    for tracker in trackers:
      tracker.check()
    with joined(place(coordinator, processes, process), join_seconds):
      code = run_worker(folder, manifest, stop, trackers, index=index, of=of, shared=shared, gpus=gpus)
  sys.exit(code)


def status(
  folder: Annotated[Path, typer.Argument(help='The run folder of a grid, such as runs/digits.')],
  select: Select = None,
  watch: Annotated[
    bool, typer.Option('--watch', help='Say it again every few seconds, until Ctrl-C.')
  ] = False,
) -> None:
  """How far a sweep is: what is recorded, running where and since when, and what failed or was lost."""
  from ssl_bench.grid.watch import show as tell

  tell(folder, select or (), watch=watch)


def retry(
  folder: Annotated[Path, typer.Argument(help='The run folder of a grid, such as runs/digits.')],
  select: Select = None,
  workers: Workers = 0,
  wandb: Mirror = 'offline',
  track: Track = None,
  project: Project = None,
  tags: Tags = None,
  artifacts: Artifacts = None,
  metrics_port: MetricsPort = 0,
  no_timing: NoTiming = False,
) -> None:
  """Run once more what failed, diverged or was lost; a diverged record is kept in replaced/."""
  keep_programs(folder.absolute().parent)
  from ssl_bench.grid.command import run_whole
  from ssl_bench.grid.engines.local import Local
  from ssl_bench.grid.retry import grid_of_bad

  found = grid_of_bad(folder, select or ())
  trackers = trackers_of(wandb, track, project, tags, artifacts, metrics_port)
  sys.exit(run_whole(found, folder.absolute().parent, Local(workers or None), trackers, timing=not no_timing))


def prune(
  folder: Annotated[Path, typer.Argument(help='The run folder of a grid, such as runs/digits.')],
  yes: Annotated[bool, typer.Option('--yes', help='Remove them without asking.')] = False,
) -> None:
  """Remove checkpoints that no trial needs: of recorded ones, of given up ones, of none; all records stay."""
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


def sync(
  folder: Annotated[Path, typer.Argument(help='A run folder, such as runs/digits or runs/train.')],
  wandb: Mirror = 'offline',
  track: Track = None,
  project: Project = None,
  tags: Tags = None,
  artifacts: Artifacts = None,
  follow: Annotated[
    bool, typer.Option('--follow', help='Show trials that run as well, until Ctrl-C.')
  ] = False,
  plugin: Plugin = None,
) -> None:
  """Mirror what is recorded and not mirrored yet to W&B and other trackers; trains nothing."""
  from ssl_bench import plugins
  from ssl_bench.grid.sync import sync as mirror

  plugins.load(plugin)
  sys.exit(mirror(folder, trackers_of(wandb, track, project, tags, artifacts), follow=follow))
