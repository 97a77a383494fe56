"""The commands of the board: leaderboard, submit."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ssl_bench.cli.options import BOARD, NoTiming, Plugin, Select
from ssl_bench.settings.signature import BadSetting


def leaderboard(
  records: Annotated[Path, typer.Option(help='The folder of records.')] = BOARD,
  out: Annotated[Path, typer.Option(help='Where README.md, index.html and tables/*.csv go.')] = Path(
    'leaderboard'
  ),
  select: Select = None,
  no_timing: NoTiming = False,
  plugin: Plugin = None,
  form: Annotated[
    Literal['csv', 'json', 'latex', 'markdown'] | None,
    typer.Option('--format', help='Print the rankings in this form, and write no page.'),
  ] = None,
  figures: Annotated[
    Literal['svg', 'pdf'] | None,
    typer.Option(help='Write each figure to the folder figures of --out, and no page.'),
  ] = None,
  price: Annotated[
    float | None,
    typer.Option(min=1e-9, max=1e9, help='Of one device-hour, in your currency: adds money per point.'),
  ] = None,
  target: Annotated[
    float | None,
    typer.Option(min=1, max=100, help='Accuracy in percent to count labels to; else what supervised has.'),
  ] = None,
) -> None:
  """Regenerate the leaderboard's README and page from records; exit code 1 where a file was left out."""
  from ssl_bench import plugins
  from ssl_bench.leaderboard.build import publish, read

  plugins.load(plugin)
  if not records.is_dir():
    raise BadSetting(f'There is no folder {str(records)!r}; {_other_records()}')
  if select and not (form or figures) and out.resolve() == records.parent.resolve():
    raise BadSetting(
      'A part of the records would take the place of the board; name another folder with --out.'
    )
  left_out: list[str] = []
  not_shown: list[str] = []
  told: Any = {'report': left_out.append, 'note': not_shown.append}
  if select:
    from ssl_bench.grid.select import chosen

    told['choose'] = lambda configs: chosen(configs, select)
  told |= {'timing': not no_timing, 'reproduced': records.parent / 'reproduced', 'price': price}
  told |= {'target': target and target / 100}
  if form or figures:
    from ssl_bench.leaderboard.export import export, write_figures

    board, sources = read([records], **told)
    if form:
      print(export(board, form, sources.curves), end='')
    if figures:
      written = write_figures(board, out / 'figures', figures)
      print('\n'.join(map(str, written)), file=sys.stderr if form else sys.stdout)
  else:
    publish([records], out, **told)
    print(f'{out / "README.md"}\n{out / "index.html"}')
  for sentence in left_out:
    print(f'Left out: {sentence}', file=sys.stderr)
  for sentence in not_shown:
    print(f'Not shown: {sentence}', file=sys.stderr)
  sys.exit(1 if left_out else 0)


def _other_records() -> str:
  """What to write where the folder of records that was asked for is not there."""
  if made := sorted(str(folder) for folder in Path('runs').glob('*/records') if folder.is_dir()):
    return f'name one with --records, such as {made[0]}.'
  return 'name one with --records, such as runs/quickstart/records, which `ssl-bench grid quickstart` makes.'


def submit(
  source: Annotated[Path, typer.Argument(help='A record, or a folder of them, such as runs/digits.')],
  to: Annotated[Path, typer.Option(help='The folder of contributed records.')] = BOARD,
  ours: Annotated[
    bool,
    typer.Option('--ours', help='For maintainers: the project ran them; no mark of a submission.'),
  ] = False,
  plugin: Plugin = None,
) -> None:
  """Check records and copy them into the leaderboard's folder, marked as submitted; what is there stays."""
  from ssl_bench.records.submit import submit as copy

  done = copy(source, to, ours=ours, trusted=plugin or ())
  where = '' if to == BOARD else f' --records {shlex.quote(str(to))}'
  gained = f'{done.extended} gained measures, ' if done.extended else ''
  print(
    f'{done.copied} records copied to {to}, {gained}{done.there} were there. '
    f'Now run: ssl-bench leaderboard{where}'
  )
