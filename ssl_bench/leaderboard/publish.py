"""From folders of records to a board on disk, set beside what is published and what is current."""

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ssl_bench import leaderboard
from ssl_bench.leaderboard.rows import Board
from ssl_bench.settings.find import shipped

PUBLISHED = shipped('leaderboard/published.csv')


def publish(
  folders: Iterable[Path],
  out: Path,
  *,
  timing: bool = True,
  report: Callable[[str], object] = warnings.warn,
) -> Board:
  """Reads every record in the folders and writes README.md and index.html to `out`.

  A file that is no record, or not the only one of its id, is left out; `report` is told a sentence for each.
  """
  from ssl_bench.records.record import gather

  records, bad = gather(folders)
  for sentence in bad:
    report(sentence)
  published = leaderboard.read_published(PUBLISHED) if PUBLISHED.is_file() else ()
  return leaderboard.build(records, published, out=out, timing=timing, today=today(records))


def today(records: Iterable[dict[str, Any]]) -> dict[str, Any]:
  """The versions of the protocol, of the methods that records name, and the fingerprints of data at hand."""
  from ssl_bench import data, methods
  from ssl_bench.records.record import PROTOCOL_VERSION

  named = {record['config']['method']['name'] for record in records}
  return {
    'protocol': PROTOCOL_VERSION,
    'methods': {name: methods.version(name) for name in named if name in methods.names()},
    'datasets': {row.name: row.fingerprint for row in data.available() if row.fingerprint},
  }
