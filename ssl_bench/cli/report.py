"""`ssl-bench report`: a record, two records or a run folder as pages to look at."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ssl_bench.settings.signature import BadSetting

if TYPE_CHECKING:
  from ssl_bench.report.maps import MapBy


def report(
  record: Annotated[
    str, typer.Argument(help="A record's file, its id, or the beginning of it; or a run folder.")
  ],
  other: Annotated[str | None, typer.Argument(help='A second record, shown beside the first.')] = None,
  out: Annotated[
    Path | None, typer.Option(help='The page, FILE.html; else ID.html in the working folder.')
  ] = None,
  map_by: Annotated[
    Literal['pca', 'tsne', 'none'],
    typer.Option('--map', help='How the map of features is made, for which checkpoints are loaded.'),
  ] = 'pca',
) -> None:
  """Write a page about a record, about two beside each other, or about each record of a run folder."""
  by = None if map_by == 'none' else map_by
  folder = next((name for name in (record, other) if name and Path(name).is_dir()), None)
  if folder:
    if other or out:
      raise BadSetting(
        f'The reports of a run folder go to {folder}/reports; leave out the second record and --out.'
      )
    _of_folder(Path(folder), by)
  if out and (out.suffix.lower() not in ('.html', '.htm') or out.is_dir()):
    raise BadSetting(f'--out names a page, such as report.html, not {out}.')
  from ssl_bench.records.disk import write_whole
  from ssl_bench.report.page import report as page_of
  from ssl_bench.trial.show import find

  paths = [find(name) for name in (record, other) if name]
  if len(paths) == 2 and paths[0].resolve() == paths[1].resolve():
    raise BadSetting('The two records are one; name another one, or leave the second out.')
  place = out or Path(f'{"-".join(path.stem for path in paths)}.html')
  write_whole(place, page_of(*paths, map_by=by))
  print(f'Report: {place}')


def _of_folder(runs: Path, map_by: 'MapBy | None') -> None:
  """Writes the reports of a run folder, names records that are no good, and ends the command."""
  from ssl_bench.report.folder import write_reports

  found = write_reports(runs, map_by=map_by, report=lambda path: print(path, flush=True))
  for sentence in found.bad:
    print(f'Left out: {sentence}', file=sys.stderr)
  print(f'Reports: {found.reports}, with the index {found.page}')
  sys.exit(1 if found.bad else 0)
