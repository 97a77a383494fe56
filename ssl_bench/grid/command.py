"""A grid from the command line: run what is missing, mirror it, build its board and show it."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ssl_bench.grid.engines import slurm
from ssl_bench.grid.engines.cluster import Cluster
from ssl_bench.grid.expand import Grid
from ssl_bench.grid.follow import following
from ssl_bench.grid.run import Summary, elsewhere_of, prepare, run_grid
from ssl_bench.grid.sync import mirror_all
from ssl_bench.leaderboard import terminal
from ssl_bench.leaderboard.build import publish
from ssl_bench.records.trackers import Tracker
from ssl_bench.trial.run_folder import RunFolder


def run_whole(
  grid: Grid,
  runs: Path,
  workers: int | None,
  trackers: Sequence[Tracker],
  *,
  timing: bool,
  again: bool = False,
  seconds: float | None = None,
) -> int:
  """Returns 0 if all trials are done and all records good, else 1; 128 + the signal that stopped it.

  After `seconds` it saves and returns 75.
  """
  for tracker in trackers:
    tracker.check()
  console = Console(highlight=False, soft_wrap=True)
  run_folder = RunFolder(runs / grid.name)
  with following(trackers, run_folder.path) as live:
    summary = run_grid(grid, run_folder, workers, again=again, seconds=seconds)
    live.hurry = bool(summary.exit_code)
  if summary.exit_code:
    console.print('Stopped; what was trained is saved. The same command goes on from there.')
    return summary.exit_code
  left_out = show(run_folder, trackers, console, timing=timing)
  console.print(f'\n{told(summary)} The page: {run_folder.path / "leaderboard" / "index.html"}', markup=False)
  done = summary.ended['done'] + summary.before['done'] + summary.elsewhere['done']
  return 0 if done == summary.total and not left_out else 1


def show(run_folder: RunFolder, trackers: Sequence[Tracker], console: Console, *, timing: bool) -> list[str]:
  """Builds the board of a run folder's records, mirrors both, prints it; what was left out of it."""
  left_out: list[str] = []
  if not run_folder.records.is_dir():
    return left_out
  board = publish(
    [run_folder.records], run_folder.path / 'leaderboard', timing=timing, report=left_out.append
  )
  mirror_all(run_folder, trackers)  # now, since the board may be mirrored as well
  console.print(terminal(board))
  for sentence in left_out:
    console.print(f'Left out: {sentence}', markup=False)
  return left_out


def submit(
  grid: Grid,
  runs: Path,
  cluster: Cluster,
  trackers: Sequence[Tracker],
  *,
  timing: bool,
  again: bool = False,
  wait: bool = False,
) -> int:
  """Submits workers to Slurm and returns, or waits for them and shows the board.

  Returns 0 where all went well: all is submitted, or with `wait` all trials are done; else 1.
  """
  for tracker in trackers:
    tracker.check()
  console, run_folder = Console(highlight=False, soft_wrap=True), RunFolder(runs / grid.name)
  prepared = prepare(grid, run_folder, again=again)
  if prepared.exit_code:
    return prepared.exit_code
  if not prepared.todo.tasks:
    mirror_all(run_folder, trackers)
    console.print(f'{prepared.total} trials: all are recorded; nothing is submitted.')
    return 0
  job = slurm.submit(prepared.path, run_folder, cluster, len(prepared.todo.tasks))
  console.print(
    f'{len(prepared.todo.trials):,} trials are submitted as job {job}. How far they are: '
    f'ssl-bench status {run_folder.path}',
    markup=False,
  )
  if not wait:
    return 0
  count = len(prepared.todo.trials)
  recorded = lambda: elsewhere_of(prepared.todo, run_folder, {})
  with following(trackers, run_folder.path):
    slurm.follow(job, console.print, lambda: count - len(recorded()))
  left_out, ended = show(run_folder, trackers, console, timing=timing), Counter(recorded().values())
  if left := count - ended.total():
    console.print(f'{left:,} trials are left, and no job; the same command submits them again.')
  return 0 if ended['done'] == count and not left_out else 1


def told(summary: Summary) -> str:
  """What a run of a grid did, in one line."""
  ended = ', '.join(f'{count} {status}' for status, count in sorted(summary.ended.items()))
  bad = ', '.join(f'{n} {status}' for status, n in sorted(summary.before.items()) if status != 'done')
  before = f'{summary.before.total()} recorded before{f" ({bad})" if bad else ""}'
  others = ', '.join(f'{count} {status}' for status, count in sorted(summary.elsewhere.items()))
  return (
    f'{summary.total} trials: {before}, {ended or "none"} now{f", {others} elsewhere" if others else ""}.'
  )
