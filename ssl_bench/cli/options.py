"""Options and arguments that several commands have, and what each does with its run folder first."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ssl_bench.settings.signature import BadSetting

if TYPE_CHECKING:
  from ssl_bench.records.trackers import Chosen

BOARD = Path('leaderboard/records')

Overrides = Annotated[list[str] | None, typer.Argument(help='Settings as key=value; they win over the file.')]
Select = Annotated[
  list[str] | None,
  typer.Option(help="Only trials of which this holds, such as 'seed=0', 'method=fixmatch, labels=20|40'."),
]
Runs = Annotated[Path, typer.Option(help='Where everything that a run writes goes.')]
Workers = Annotated[
  int, typer.Option(min=0, max=1024, help='Processes; 0: one a core, or one for each accelerator.')
]
DryRun = Annotated[
  bool, typer.Option('--dry-run', help='Say what would run and about how long; run nothing.')
]
TimeLimit = Annotated[
  str, typer.Option(help='Save and end after that time, such as 90m or 04:00:00; exit code 75.')
]
Wandb = Literal['offline', 'online', 'disabled']
Mirror = Annotated[Wandb, typer.Option(help='How to mirror to Weights & Biases.')]
Track = Annotated[
  list[str] | None,
  typer.Option(help='Another tracker to mirror to, as name(setting=value); may be given again.'),
]
Project = Annotated[
  str | None, typer.Option(help='Project of W&B, experiment of MLflow; else WANDB_PROJECT and its like.')
]
Tags = Annotated[str | None, typer.Option(help='Tags of all runs of trackers: one, or several by commas.')]
Artifacts = Annotated[
  str | None,
  typer.Option(help='What trackers upload as files: checkpoint, board, or both by a comma.'),
]
MetricsPort = Annotated[
  int, typer.Option(min=0, max=65535, help='Port at which Prometheus finds numbers while it runs; 0: none.')
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
Coordinator = Annotated[
  str | None,
  typer.Option(
    envvar='SSL_BENCH_COORDINATOR',
    help='Train each trial on several processes: HOST:PORT where process 0 listens, or slurm under srun.',
  ),
]
Processes = Annotated[
  int | None, typer.Option(min=1, envvar='SSL_BENCH_PROCESSES', help='How many processes those are.')
]
Process = Annotated[
  int | None, typer.Option(min=0, envvar='SSL_BENCH_PROCESS', help='Which of them this one is, from 0.')
]
JoinSeconds = Annotated[
  int, typer.Option(min=1, max=86_400, help='How long processes wait for each other at the start.')
]
JOIN_SECONDS = 300
NoTiming = Annotated[bool, typer.Option('--no-timing', help='Leave out what a clock wrote.')]


def trackers_of(
  wandb: Wandb,
  track: list[str] | None,
  project: str | None,
  tags: str | None,
  artifacts: str | None,
  metrics_port: int = 0,
) -> 'list[Chosen]':
  """The trackers that a command line asks for."""
  from ssl_bench.records.trackers import choose

  listed = lambda text: [word.strip() for word in (text or '').split(',') if word.strip()]
  further = [*(track or ()), *([f'prometheus(port={metrics_port})'] if metrics_port else [])]
  return choose(wandb, further, project=project, tags=listed(tags), artifacts=listed(artifacts))


def keep_programs(runs: Path) -> None:
  """XLA's programs are kept on disk and found by later processes, worker processes included."""
  place = next(p for p in (runs.absolute(), *runs.absolute().parents) if p.exists())
  if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
    raise BadSetting(f'Nothing can be written to {runs}; name another folder with --runs.')
  os.environ.setdefault('JAX_COMPILATION_CACHE_DIR', str((runs / 'compiled').absolute()))
  os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0')
  os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES', '-1')
