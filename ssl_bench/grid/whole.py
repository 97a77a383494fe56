"""A grid from the command line: run what is missing, mirror it, build its board and show it."""

from pathlib import Path

from rich.console import Console

from ssl_bench.grid.expand import Grid
from ssl_bench.grid.room import Room
from ssl_bench.grid.run import Summary, run_grid
from ssl_bench.leaderboard import terminal
from ssl_bench.leaderboard.publish import publish
from ssl_bench.records import record
from ssl_bench.records.track import Mode, mirror


def run_whole(grid: Grid, runs: Path, workers: int | None, wandb: Mode, *, timing: bool) -> int:
  """Returns the exit code: 0 all trials ended, 1 some failed or a record is no good, 128 + a signal."""
  console = Console(highlight=False, soft_wrap=True)
  left_out: list[str] = []
  room = Room(runs / grid.name)
  summary = run_grid(grid, room, workers)
  if summary.signal:
    console.print('Stopped; what was trained is saved. The same command goes on from there.')
    return 128 + summary.signal
  if room.records.is_dir():
    if wandb != 'disabled':
      mirror(record.gather([room.records]).records, room.path, mode=wandb)
    board = publish([room.records], room.path / 'leaderboard', timing=timing, report=left_out.append)
    console.print(terminal(board))
    for sentence in left_out:
      console.print(f'Left out: {sentence}', markup=False)
    console.print(f'\n{told(summary)} The page: {room.path / "leaderboard" / "index.html"}', markup=False)
  return 1 if summary.ended['failed'] + summary.ended['lost'] or left_out else 0


def told(summary: Summary) -> str:
  """What a run of a grid did, in one line."""
  ended = ', '.join(f'{count} {status}' for status, count in sorted(summary.ended.items()))
  return f'{summary.total} trials: {summary.before} recorded before, {ended or "none"} now.'
