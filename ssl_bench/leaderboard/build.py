"""From records to a board on disk, set beside what is published and what is current."""

import gc
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ssl_bench import measures
from ssl_bench.config import PROTOCOL_VERSION
from ssl_bench.leaderboard.aggregate import aggregate
from ssl_bench.leaderboard.page.sources import Sources
from ssl_bench.leaderboard.published import Published, read_published
from ssl_bench.leaderboard.read import Record
from ssl_bench.leaderboard.reproduced import Reproduced, read_tables
from ssl_bench.leaderboard.rows import Board
from ssl_bench.records.disk import write_whole
from ssl_bench.settings.find import shipped

PUBLISHED = shipped('leaderboard/published.csv')
TABLES = 'tables'  # the folder of CSV files


def build(
  records: Iterable[Record],
  published: Sequence[Published] = (),
  *,
  out: Path,
  timing: bool = True,
  today: Mapping[str, Any] | None = None,
  reproduced: Sequence[Reproduced] = (),
  files: Mapping[str, str] | None = None,
  curves: Callable[[str], Mapping[str, Any] | None] | None = None,
  price: float | None = None,
  target: float | None = None,
) -> Board:
  """Writes README.md, its picture, index.html and tables/*.csv to `out`, each whole; returns their board.

  The same records, in any order, and the same published rows give the same bytes.  `timing=False` leaves
  out what a clock wrote.  `today` is {'protocol': 1, 'methods': {'fixmatch': 1}, 'datasets': {'digits': '…'}}
  (versions, and the fingerprint of each dataset): records of other versions are shown as stale, not ranked.
  A CSV file of `out`/tables that is none of this board is removed.  `files` gives the path of a record by its
  id, and `curves` its learning curves; without `curves` they are those that the records hold themselves.
  `price` and `target` are those of `aggregate`.
  """
  records = list(records)
  board = aggregate(records, published, timing=timing, today=today, price=price, target=target)
  board = board._replace(reproduced=tuple(reproduced))
  write(board, out, files=files, curves=curves or {one['id']: one for one in records}.get)
  return board


def write(board: Board, out: Path, **sources: Any) -> None:
  """Writes the files of a board, as `build` does; `sources` are `files` and `curves` of `build`."""
  from ssl_bench.leaderboard.named import named, to_json
  from ssl_bench.leaderboard.page.document import page
  from ssl_bench.leaderboard.render.csv_files import csv_files
  from ssl_bench.leaderboard.render.readme import PICTURE, picture, readme
  from ssl_bench.leaderboard.signs import signs

  found = signs(board, sources['curves'])
  html = page(board, figures=to_json(named(board)), signs=found, **sources)
  texts = {'README.md': readme(board, found), 'index.html': html, **csv_files(board, found)}
  if (drawn := picture(board)) is not None:
    texts[PICTURE] = drawn
  for name, text in texts.items():
    write_whole(out / name, text)
  for path in (out / TABLES).glob('*.csv'):
    if f'{TABLES}/{path.name}' not in texts:
      path.unlink()


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
  """Ten thousand records are millions of objects, none of them garbage; the search is a fifth of the time."""
  was_on = gc.isenabled()
  gc.disable()
  try:
    yield
  finally:
    if was_on:
      gc.enable()


def publish(folders: Iterable[Path], out: Path, **asked: Any) -> Board:
  """Reads every record in the folders, as `read` does with what is `asked`, and writes the board to `out`."""
  board, sources = read(folders, **asked)
  with _no_garbage_collection():
    write(board, out, files=sources.files(), curves=sources.curves)
  return board


@_no_garbage_collection()
def read(
  folders: Iterable[Path],
  *,
  timing: bool = True,
  report: Callable[[str], object] = warnings.warn,
  note: Callable[[str], object] = lambda sentence: None,
  reproduced: Path | None = None,
  choose: Callable[[list[Any]], list[int]] | None = None,
  price: float | None = None,
  target: float | None = None,
) -> tuple[Board, Sources]:
  """The board of every record in the folders, and where the records lie; nothing is written.

  A file that is no record, or not the only one of its id, is left out; `report` is told a sentence for each.
  Records of split seeds that are for tuning are left out, too.  `note` is told of those, and of measures of
  plugins that are recorded and not loaded.  `reproduced` is a folder of
  published tables that were run here.  `choose` is given all configs, and gives the places of those to show.
  `price` and `target` are those of `aggregate`.
  """
  from ssl_bench.records.record import TUNING, gather

  folders = list(folders)
  found, bad = gather(folders)
  records = [one for one in found if one['config'].get('split_seed') not in TUNING]
  if count := len(found) - len(records):
    are = 'record is' if count == 1 else 'records are'
    note(f'{count:,} {are} of split seeds {TUNING[0]} to {TUNING[-1]}, by which settings are chosen.')
  if choose:
    records = [records[place] for place in choose([one['config'] for one in records])]
  for sentence in bad:
    report(sentence)
  unread = sorted({name for one in records if one['config'].get('plugins') for name in measures.unread(one)})
  if unread:
    note(
      f'{", ".join(unread)}, which no measure here reads; give --plugin and the file that holds the measure.'
    )
  published = read_published(PUBLISHED) if PUBLISHED.is_file() else ()
  tables = read_tables(reproduced) if reproduced else ()
  asked: Any = {'timing': timing, 'today': today(records), 'price': price, 'target': target}
  board = aggregate(records, published, **asked)
  return board._replace(reproduced=tuple(tables)), Sources(folders, records)


def today(records: Iterable[dict[str, Any]]) -> dict[str, Any]:
  """The versions of the protocol, and of what records name: methods, and the data of it that is at hand."""
  from ssl_bench import data, plugins

  configs = [record['config'] for record in records]
  named = {config['method']['name'] for config in configs}
  sets = data.available(among={config['dataset'] for config in configs})
  return {
    'protocol': PROTOCOL_VERSION,
    'methods': {name: version for name in named if (version := plugins.known_version('methods', name))},
    'datasets': {row.name: row.fingerprint for row in sets if row.fingerprint},
  }
