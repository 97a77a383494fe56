"""The command line: `ssl-bench train | evaluate | grid | leaderboard | submit | data | list | speed`.

Every command imports what it needs when it runs, so that help comes at once.
"""

import errno
import os
import shlex
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import typer

from ssl_bench import numerics
from ssl_bench.settings.signature import BadSetting, short, suggest

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
data_app = typer.Typer(no_args_is_help=True, help='Data sets: what is there, and how to get the rest.')
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
LONGEST_LINE = 1500
INTERRUPTED = 128 + signal.SIGINT
NoTiming = Annotated[bool, typer.Option('--no-timing', help='Leave out what a clock wrote.')]


def main() -> None:
  """The entry point: what a user got wrong is one sentence and exit code 2, a key that interrupts is 130."""
  numerics.pin()
  for stream in (sys.stdout, sys.stderr):
    if hasattr(stream, 'reconfigure'):
      stream.reconfigure(errors='replace')  # a terminal that lacks a sign shows another one
  try:
    code = _run()
    sys.stdout.flush()
  except OSError as error:
    code = _no_room(error)
  except KeyboardInterrupt:
    code = INTERRUPTED
  sys.exit(code)


def _run() -> int:
  """The exit code of the command; raises `OSError` where it is no file of a user's that fails."""
  try:
    return app(standalone_mode=False) or 0
  except SystemExit as end:
    if not isinstance(end.code, int | None):
      raise
    return end.code or 0
  except BadSetting as error:
    return _complain(str(error))
  except OSError as error:
    if not error.filename:
      raise
    return _complain(f'{error.filename}: {error.strerror}.')
  except RuntimeError as error:
    if 'Unable to initialize backend' not in str(error):
      raise
    platforms = os.environ.get('JAX_PLATFORMS', '')
    return _complain(f'There is no device for JAX_PLATFORMS={platforms}; unset it, or name one that is here.')
  except Exception as error:  # a command line that does not parse is an exception of typer's or of click's
    if type(error).__name__ == 'Abort':  # what click makes of a key that interrupts
      return INTERRUPTED
    if not hasattr(error, 'format_message'):
      raise
    text = error.format_message().replace('Value error, ', '')
    is_help = not text or 'Usage:' in text  # a command that stands alone asks for its help
    if is_help:
      print(text)
    return 0 if is_help else _complain(text)


def _no_room(error: OSError) -> int:
  """The exit code where standard output takes nothing, or a disk is full; raises other errors again."""
  try:
    print(flush=True)  # tells whether it was standard output
  except OSError:
    with suppress(OSError, ValueError):  # the end of the process does not try a third time
      os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):  # whoever read has enough
      return 1
    return _complain(f'Nothing can be written to standard output: {error.strerror}.')
  if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
    raise error
  return _complain(f'{error.strerror}.')


def _complain(text: str) -> int:
  """Says what is wrong in one line, cut where it repeats something very long."""
  line = ' '.join(text.splitlines())
  with suppress(OSError):
    print(f'ssl-bench: {line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}…"}', file=sys.stderr)
  return 2


@app.command()
def train(
  config: Path,
  overrides: Overrides = None,
  runs: Runs = Path('runs'),
  wandb: Mirror = 'offline',
  track: Track = None,
  again: Again = False,
) -> None:
  """Train, evaluate and record one trial: ssl-bench train configs/digits/fixmatch.yaml labels=20 seed=3."""
  _one(config, overrides, runs, wandb, track, again=again)


@app.command()
def evaluate(
  config: Path,
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

  config = configs.load(path, overrides or (), need_data=True)
  from ssl_bench.records.trackers import choose
  from ssl_bench.trial.command import run_single

  sys.exit(run_single(config, runs / 'train', choose(wandb, track), **how))


@app.command()
def grid(
  file: Path,
  overrides: Overrides = None,
  runs: Runs = Path('runs'),
  select: Select = None,
  workers: Workers = 0,
  wandb: Mirror = 'offline',
  track: Track = None,
  no_timing: NoTiming = False,
  again: AgainGrid = False,
) -> None:
  """Run the trials of a grid that are not recorded yet, and show its leaderboard."""
  _prepare(runs)
  from ssl_bench.grid.expand import expand

  found = expand(file, overrides or (), select=select or (), need_data=True)
  from ssl_bench.grid.command import run_whole
  from ssl_bench.records.trackers import choose

  sys.exit(run_whole(found, runs, workers or None, choose(wandb, track), timing=not no_timing, again=again))


@app.command()
def leaderboard(
  records: Annotated[Path, typer.Option(help='The folder of records.')] = BOARD,
  out: Annotated[Path, typer.Option(help='Where README.md, index.html and tables/*.csv go.')] = Path(
    'leaderboard'
  ),
  no_timing: NoTiming = False,
) -> None:
  """Regenerate the leaderboard's README and page from records; exit code 1 where a file was left out."""
  from ssl_bench.leaderboard.build import publish

  if not records.is_dir():
    raise BadSetting(
      f'There is no folder {str(records)!r}; name one with --records, such as runs/quickstart/records.'
    )
  left_out: list[str] = []
  publish([records], out, timing=not no_timing, report=left_out.append)
  print(f'{out / "README.md"}\n{out / "index.html"}')
  for sentence in left_out:
    print(f'Left out: {sentence}', file=sys.stderr)
  sys.exit(1 if left_out else 0)


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
  config: Path,
  overrides: Overrides = None,
  steps: Annotated[int, typer.Option(min=20, max=1_000_000, help='Steps of each measurement.')] = 200,
) -> None:
  """Measure training: the loop against its bare step, the step's parts, images/s, GFLOP/s, compile time."""
  from ssl_bench import config as configs

  found = configs.load(config, overrides or (), need_data=True)
  from ssl_bench.speed.measure import measure, show

  show(measure(found, steps))


@data_app.command(name='list')
def data_list() -> None:
  """All data sets: whether they are there, sizes, fingerprints, and how to get them."""
  from ssl_bench.cli.listing import show

  show(['datasets'])


@data_app.command()
def prepare(
  name: str,
  source: Annotated[
    Path | None,
    typer.Option('--from', help='A folder with the official files; without it they are downloaded.'),
  ] = None,
) -> None:
  """Prepare a data set under its TFDS name, from --from or by download, without TensorFlow."""
  from ssl_bench import data

  data.check_name(name)
  data.prepare(name, source=source, progress=lambda text: print(text, file=sys.stderr))
  row = next(r for r in data.available() if r.name == name)
  print(f'{name} {row.version}: {row.train:,} + {row.validation:,} + {row.test:,} images, {row.fingerprint}')


@data_app.command()
def check(name: str) -> None:
  """Read all of a data set and compute its fingerprint again: exit code 0 if it is right, 2 if not."""
  from ssl_bench import data

  found = data.check(name)
  print('\n'.join(found.lines))
  for text in found.wrong:
    _complain(text)
  sys.exit(2 if found.wrong else print(found.verdict))


def _prepare(runs: Path) -> None:
  """XLA's programs are kept on disk and found by later processes, worker processes included."""
  place = next(p for p in (runs.absolute(), *runs.absolute().parents) if p.exists())
  if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
    raise BadSetting(f'Nothing can be written to {runs}; name another folder with --runs.')
  os.environ.setdefault('JAX_COMPILATION_CACHE_DIR', str((runs / 'compiled').absolute()))
  os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0')
  os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES', '-1')
