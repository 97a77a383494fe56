"""A grid from the command line: run what is missing, mirror it, build its board and show it."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ssl_bench.grid.expand import Grid
from ssl_bench.grid.run import Summary, run_grid
from ssl_bench.leaderboard import terminal
from ssl_bench.leaderboard.build import publish
from ssl_bench.records import record
from ssl_bench.records.trackers import Tracker, mirror_and_say
from ssl_bench.trial.run_folder import RunFolder


def run_whole(
  grid: Grid,
  runs: Path,
  workers: int | None,
  trackers: Sequence[Tracker],
  *,
  timing: bool,
  again: bool = False,
) -> int:
  """Returns 0 if all trials are done and all records good, else 1; 128 + the signal that stopped it."""
  for tracker in trackers:
    tracker.check()
  console = Console(highlight=False, soft_wrap=True)
  left_out: list[str] = []
  run_folder = RunFolder(runs / grid.name)
  summary = run_grid(grid, run_folder, workers, again=again)
  if summary.signal:
    console.print('Stopped; what was trained is saved. The same command goes on from there.')
    return 128 + summary.signal
  if run_folder.records.is_dir():
    if trackers:
      mirrored, unread = record.gather([run_folder.records], with_curves=True)
      mirror_and_say(trackers, mirrored, mirrored, run_folder.path)
      for sentence in unread:
        console.print(f'Not mirrored: {sentence}', markup=False)
    board = publish(
      [run_folder.records], run_folder.path / 'leaderboard', timing=timing, report=left_out.append
    )
    console.print(terminal(board))
    for sentence in left_out:
      console.print(f'Left out: {sentence}', markup=False)
    console.print(
      f'\n{told(summary)} The page: {run_folder.path / "leaderboard" / "index.html"}', markup=False
    )
  done = summary.ended['done'] + summary.before['done'] + summary.elsewhere['done']
  return 0 if done == summary.total and not left_out else 1


def told(summary: Summary) -> str:
  """What a run of a grid did, in one line."""
  ended = ', '.join(f'{count} {status}' for status, count in sorted(summary.ended.items()))
  bad = ', '.join(f'{n} {status}' for status, n in sorted(summary.before.items()) if status != 'done')
  before = f'{summary.before.total()} recorded before{f" ({bad})" if bad else ""}'
  others = ', '.join(f'{count} {status}' for status, count in sorted(summary.elsewhere.items()))
  return (
    f'{summary.total} trials: {before}, {ended or "none"} now{f", {others} elsewhere" if others else ""}.'
  )
