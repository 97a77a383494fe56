"""A grid from the command line: run what is missing, mirror it, build its board and show it."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ssl_bench.grid.engines.engine import Engine
from ssl_bench.grid.expand import Grid
from ssl_bench.grid.follow import following
from ssl_bench.grid.run import Summary, run_grid
from ssl_bench.grid.sync import mirror_all
from ssl_bench.leaderboard import terminal
from ssl_bench.leaderboard.build import publish
from ssl_bench.records.trackers import Tracker
from ssl_bench.settings import plural
from ssl_bench.trial.run_folder import RunFolder


def run_whole(
  grid: Grid,
  runs: Path,
  engine: Engine,
  trackers: Sequence[Tracker],
  *,
  timing: bool,
  again: bool = False,
) -> int:
  """Returns 0 if all trials are done and all records good, else 1; 128 + the signal that stopped it.

  75 where the engine's time is up; 0 where its workers go on without this process.
  """
  for tracker in trackers:
    tracker.check()
  console = Console(highlight=False, soft_wrap=True)
  run_folder = RunFolder(runs / grid.name)
  with following(trackers, run_folder.path) as live:
    summary = run_grid(grid, run_folder, engine, again=again)
    live.hurry = bool(summary.exit_code) or summary.goes_on
  if summary.exit_code:
    console.print('Stopped; what was trained is saved. The same command goes on from there.')
    return summary.exit_code
  if summary.goes_on:
    mirror_all(run_folder, trackers)  # what is recorded so far
    return 0
  left_out = show(run_folder, trackers, console, timing=timing)
  console.print(f'\n{told(summary)} The page: {run_folder.path / "leaderboard" / "index.html"}', markup=False)
  done = summary.ended['done'] + summary.before['done'] + summary.elsewhere['done']
  return 0 if done == summary.total and not left_out else 1


def show(run_folder: RunFolder, trackers: Sequence[Tracker], console: Console, *, timing: bool) -> list[str]:
  """Builds the board of a run folder's records, mirrors both, prints it; what was left out of it."""
  left_out: list[str] = []
  not_shown: list[str] = []
  if not run_folder.records.is_dir():
    return left_out
  board = publish(
    [run_folder.records],
    run_folder.path / 'leaderboard',
    timing=timing,
    report=left_out.append,
    note=not_shown.append,
  )
  mirror_all(run_folder, trackers)  # now, since the board may be mirrored as well
  console.print(terminal(board))
  for sentence in left_out:
    console.print(f'Left out: {sentence}', markup=False)
  for sentence in not_shown:
    console.print(f'Not shown: {sentence}', markup=False)
  return left_out


def told(summary: Summary) -> str:
  """What a run of a grid did, in one line."""
  ended = ', '.join(f'{count} {status}' for status, count in sorted(summary.ended.items()))
  bad = ', '.join(f'{n} {status}' for status, n in sorted(summary.before.items()) if status != 'done')
  before = f'{summary.before.total()} recorded before{f" ({bad})" if bad else ""}'
  others = ', '.join(f'{count} {status}' for status, count in sorted(summary.elsewhere.items()))
  trials = plural.count(summary.total, 'trial')
  return f'{trials}: {before}, {ended or "none"} now{f", {others} elsewhere" if others else ""}.'
