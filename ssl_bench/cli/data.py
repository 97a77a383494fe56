"""`ssl-bench data`: list, add, prepare, check and remove data sets."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ssl_bench.cli import adding
from ssl_bench.cli.exit import complain
from ssl_bench.settings.signature import BadSetting

data_app = typer.Typer(no_args_is_help=True, help='Data sets: what is there, and how to get the rest.')
data_app.command()(adding.add)
data_app.command()(adding.remove)


@data_app.command(name='list')
def data_list() -> None:
  """All data sets: whether they are there, sizes, fingerprints, and how to get them."""
  from ssl_bench.cli.listing import show

  show(['datasets'])


@data_app.command()
def prepare(
  name: str,
  source: Annotated[
    Path | None,
    typer.Option('--from', help='A folder with the official files; without it they are downloaded.'),
  ] = None,
  size: Annotated[
    str | None, typer.Option(help='Of tfds/NAME: a side, HEIGHTxWIDTH, common, median.')
  ] = None,
  resize: Annotated[str, typer.Option(help='Of tfds/NAME: crop, pad or stretch.')] = 'crop',
  channels: Annotated[str | None, typer.Option(help='Of tfds/NAME: gray or rgb.')] = None,
) -> None:
  """Prepare a data set under its TFDS name (any of TFDS as tfds/NAME), without TensorFlow."""
  from ssl_bench import data

  data.check_name(name)
  wish = adding.wish_of(size, resize, channels)
  data.prepare(name, source=source, progress=lambda text: print(text, file=sys.stderr), wish=wish)
  row = next(r for r in data.available() if r.name == name)
  print(f'{name} {row.version}: {row.train:,} + {row.validation:,} + {row.test:,} images, {row.fingerprint}')
  adding.start_tfds(name)


@data_app.command()
def check(
  name: str,
  page: Annotated[Path | None, typer.Option(help='Write pictures of the suspects to this HTML file.')] = None,
  record: Annotated[
    Path | None, typer.Option(help='Suspect labels by the features of this record, not by the inputs.')
  ] = None,
  quick: Annotated[
    bool, typer.Option('--quick', help='Look for no wrong labels, which takes longest.')
  ] = False,
  plugin: Annotated[list[str] | None, typer.Option(help='A plugin file to load; may be given again.')] = None,
) -> None:
  """Read all of a data set: exit code 0 if it is right, 2 if not; say what is suspect in it."""
  from ssl_bench import data, plugins

  plugins.load(plugin)
  if record and quick:
    raise BadSetting('--record is for wrong labels, for which --quick does not look; leave one of them out.')
  features = None
  if record:
    from ssl_bench.trial.features import features_of_parts

    features = features_of_parts(record, name)
  found = data.check(name, wrong_labels=not quick, features=features)
  print('\n'.join(found.lines))
  for text in found.wrong:
    complain(text)
  if page and found.data and found.findings:
    from ssl_bench.data.checking.page import page as pictures

    page.write_text(pictures(found.data, found.findings), encoding='utf-8')
    print(f'  pictures: {page}')
  sys.exit(2 if found.wrong else print(found.verdict))
