"""A grid from the command line: run what is missing, mirror it, build its board and show it."""

from pathlib import Path

from rich.console import Console

from ssl_bench.grid.expand import Grid
from ssl_bench.grid.room import Room
from ssl_bench.grid.run import Summary, run_grid
from ssl_bench.leaderboard import terminal
from ssl_bench.leaderboard.publish import publish
from ssl_bench.records import record
from ssl_bench.records.track import Mode, check_login, mirror_and_say


def run_whole(
  grid: Grid, runs: Path, workers: int | None, wandb: Mode, *, timing: bool, again: bool = False
) -> int:
  """Returns 0 if all trials are done, 1 if some failed or diverged, 128 + the signal that stopped it."""
  check_login(wandb)
  console = Console(highlight=False, soft_wrap=True)
  room = Room(runs / grid.name)
  summary = run_grid(grid, room, workers, again=again)
  if summary.signal:
    console.print('Stopped; what was trained is saved. The same command goes on from there.')
    return 128 + summary.signal
  if room.records.is_dir():
    if wandb != 'disabled':
      mirrored = record.read_all([room.records])
      mirror_and_say(mirrored, mirrored, room.path, wandb)
    board = publish([room.records], room.path / 'leaderboard', timing=timing)
    console.print(terminal(board))
    console.print(f'\n{told(summary)} The page: {room.path / "leaderboard" / "index.html"}', markup=False)
  return 0 if summary.ended['done'] + summary.before['done'] == summary.total else 1


def told(summary: Summary) -> str:
  """What a run of a grid did, in one line."""
  ended = ', '.join(f'{count} {status}' for status, count in sorted(summary.ended.items()))
  bad = ', '.join(f'{n} {status}' for status, n in sorted(summary.before.items()) if status != 'done')
  before = f'{summary.before.total()} recorded before{f" ({bad})" if bad else ""}'
  return f'{summary.total} trials: {before}, {ended or "none"} now.'
