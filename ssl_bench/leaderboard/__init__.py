"""Records in, a leaderboard out: a pure function of records and published numbers."""

from ssl_bench.leaderboard.aggregate import aggregate
from ssl_bench.leaderboard.build import build, publish
from ssl_bench.leaderboard.frame import frame
from ssl_bench.leaderboard.published import read_published
from ssl_bench.leaderboard.render.terminal import terminal
from ssl_bench.leaderboard.rows import Board
from ssl_bench.leaderboard.transfer import transfer_frame, transfer_rows

__all__ = [
  'Board', 'aggregate', 'build', 'frame', 'publish', 'read_published', 'terminal', 'transfer_frame',
  'transfer_rows',
]  # fmt: skip
