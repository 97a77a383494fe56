"""Records in, a leaderboard out: a pure function of records and published numbers."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ssl_bench.leaderboard.aggregate import aggregate
from ssl_bench.leaderboard.published import Published, read_published
from ssl_bench.leaderboard.rows import Board
from ssl_bench.leaderboard.terminal import terminal
from ssl_bench.leaderboard.trials import Record
from ssl_bench.records.disk import write_whole

__all__ = ['Board', 'aggregate', 'build', 'read_published', 'terminal']


def build(
  records: Iterable[Record],
  published: Sequence[Published] = (),
  *,
  out: Path,
  timing: bool = True,
  today: Mapping[str, Any] | None = None,
) -> Board:
  """Writes `out`/README.md and `out`/index.html, each whole or not at all; returns the board of both.

  The same records, in any order, and the same published rows give the same bytes.  `timing=False` leaves
  out what a clock wrote.  `today` is {'protocol': 1, 'methods': {'fixmatch': 1}, 'datasets': {'digits': '…'}}
  (versions, and the fingerprint of each dataset): records of other versions are
  shown as stale and not ranked.
  """
  from ssl_bench.leaderboard.page import page
  from ssl_bench.leaderboard.readme import readme

  board = aggregate(records, published, timing=timing, today=today)
  texts = {'README.md': readme(board), 'index.html': page(board)}
  for name, text in texts.items():
    write_whole(out / name, text)
  return board
