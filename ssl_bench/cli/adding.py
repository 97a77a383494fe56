"""`ssl-bench data add` and `ssl-bench data remove`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
  from ssl_bench.data.adding.store import Stored, Wish
  from ssl_bench.data.meta import Meta


def add(
  name: Annotated[str, typer.Argument(help='The name of the new set: letters, digits, _ and -.')],
  images: Annotated[
    Path | None,
    typer.Option(
      help='A folder with one folder a class (train/, test/, validation/, unlabeled/ above them or not), a '
      'flat folder with --labels, or an .npz, .parquet or .arrow file.'
    ),
  ] = None,
  labels: Annotated[
    Path | None, typer.Option(help='A CSV file with a row for each image: file,label and maybe split.')
  ] = None,
  unlabeled: Annotated[Path | None, typer.Option(help='A folder of further images without labels.')] = None,
  huggingface: Annotated[
    Path | None, typer.Option(help='The folder of a Hugging Face dataset, in place of --images.')
  ] = None,
  validation: Annotated[
    str | None, typer.Option(help='Images that validate, a count or a share; by default 0.1.')
  ] = None,
  test: Annotated[
    str | None,
    typer.Option(help='Images that test, a count or a share (by default 0.2), or a folder or file of them.'),
  ] = None,
  size: Annotated[str | None, typer.Option(help='A side in pixels, HEIGHTxWIDTH, common or median.')] = None,
  resize: Annotated[str, typer.Option(help='How they get that size: crop, pad or stretch.')] = 'crop',
  channels: Annotated[str | None, typer.Option(help='gray or rgb; by default as the images are.')] = None,
  image_column: Annotated[str | None, typer.Option(help="A table's column of images or files.")] = None,
  label_column: Annotated[str | None, typer.Option(help="A table's column of labels, or none.")] = None,
  license: Annotated[str, typer.Option(help='The license of the images.')] = '',
  skip_broken: Annotated[
    bool, typer.Option('--skip-broken', help='Leave out images that cannot be read.')
  ] = False,
  replace: Annotated[
    bool, typer.Option('--replace', help='Put it in place of another set of that name.')
  ] = False,
  configs: Annotated[bool, typer.Option(help='Write configs and a grid to begin with, here.')] = True,
) -> None:
  """Add a dataset of your own: ssl-bench data add flowers --images photos --size 64."""
  from ssl_bench.data.adding.add import add as add_set

  done = add_set(
    name,
    images=images,
    labels=labels,
    unlabeled=unlabeled,
    huggingface=huggingface,
    validation=validation,
    test=test,
    size=size,
    resize=resize,
    channels=channels,
    image_column=image_column,
    label_column=label_column,
    license=license,
    skip_broken=skip_broken,
    replace=replace,
    progress=lambda text: print(text, file=sys.stderr),
  )
  print('\n'.join(describe(name, done)))
  if configs:
    start(name, done.meta)
  print(f'Look at it first: ssl-bench data check {name}')


def start(name: str, meta: 'Meta') -> None:
  """Writes configs and a grid for a set into the working folder, and says what to run."""
  from ssl_bench.cli.starters import write_starters
  from ssl_bench.data.added import place_of

  written, kept = write_starters(name, meta, Path())
  for path in written:
    print(f'wrote {path}')
  for path in kept:
    print(f'left {path} as it is')
  place = place_of(name)
  print(f'Now: ssl-bench grid {place}, or ssl-bench train {place}/simclr')


def start_tfds(name: str) -> None:
  """As `start`, for a TFDS set that was prepared by its name; nothing for the others."""
  from ssl_bench.data.added import is_tfds
  from ssl_bench.data.meta import read_meta
  from ssl_bench.data.sources import data_folder

  meta = read_meta(name, data_folder()) if is_tfds(name) else None
  if meta:
    start(name, meta)


def describe(name: str, done: 'Stored') -> list[str]:
  """Lines on a set that was added: its parts, its classes, the rule, what was converted, what changed."""
  meta, sizes = done.meta, done.meta.sizes
  parts = f'{sizes.train:,} to train, {sizes.validation:,} to validate, {sizes.test:,} to test'
  parts += f', {sizes.unlabeled:,} unlabeled' if sizes.unlabeled else ''
  names = ', '.join(meta.label_names[:8]) + (', …' if meta.classes > 8 else '')
  assert meta.added is not None
  lines = [
    f'{name}/{meta.version}: {"×".join(map(str, meta.shape))}, {parts}',
    f'{meta.classes} classes: {names}',
    f'images: {meta.added.rule}',
    *meta.added.notes,
    f'fingerprint {meta.fingerprint}, in {done.folder}',
  ]
  if not done.new:
    return [*lines, f'{name} was there with the same content; nothing was changed.']
  if done.before:
    lines.append(
      f'It took the place of the set with the fingerprint {done.before[:8]}: records on that one stay as '
      'they are, and a trial on the new images is another trial.'
    )
  return lines


def wish_of(size: str | None, resize: str, channels: str | None) -> 'Wish | None':
  """What `data prepare` was told of the images, None where nothing was."""
  from ssl_bench.data.adding.sizes import ask
  from ssl_bench.data.adding.store import Wish

  asked = ask(size, resize, channels)
  return None if asked == ask(None, 'crop', None) else Wish(asked)


def remove(
  name: Annotated[str, typer.Argument(help='The name of a set that was added.')],
) -> None:
  """Remove a set that was added; records on it stay."""
  from ssl_bench.data.added import place_of
  from ssl_bench.data.adding.add import remove as remove_set

  folder, place = remove_set(name), place_of(name)
  print(
    f'removed {folder}; records on {name} stay, and so do configs/{place} and experiments/{place}.yaml, '
    'which may have been edited.'
  )
