"""`ssl-bench data add` and `data remove`: what a user gives, checked, becomes a stored set."""

import os
import re
from pathlib import Path
from typing import NamedTuple

from ssl_bench import plugins
from ssl_bench.data import added
from ssl_bench.data.adding import sizes
from ssl_bench.data.adding.columns import NOTHING, Named
from ssl_bench.data.adding.csv_labels import labeled_folder
from ssl_bench.data.adding.folders import class_folders, unlabeled_folder
from ssl_bench.data.adding.given import Given, check_readable, join, moved
from ssl_bench.data.adding.huggingface import huggingface_folder
from ssl_bench.data.adding.npz_file import npz_file
from ssl_bench.data.adding.parts import Amount, amount
from ssl_bench.data.adding.pass_over import Progress
from ssl_bench.data.adding.store import Stored, Wish, drop, store
from ssl_bench.data.adding.tables import SUFFIXES, table_files
from ssl_bench.data.sources import data_folder
from ssl_bench.data.stage import alone
from ssl_bench.settings.signature import BadSetting, short, suggest

Place = str | os.PathLike


class Source(NamedTuple):
  """Where the images lie: one of `images` (a folder, an .npz, .parquet or .arrow file) and `huggingface`.

  `labels` is a CSV file for a folder of images, `unlabeled` a folder of further images, `test` the same kind
  of source as `images`; `named` are columns of a table or a CSV file.
  """

  images: Path | None = None
  labels: Path | None = None
  unlabeled: Path | None = None
  huggingface: Path | None = None
  test: Path | None = None
  named: Named = NOTHING


def add(
  name: str,
  *,
  images: Place | None = None,
  labels: Place | None = None,
  unlabeled: Place | None = None,
  huggingface: Place | None = None,
  validation: str | None = None,
  test: str | None = None,
  size: str | None = None,
  resize: str = 'crop',
  channels: str | None = None,
  image_column: str | None = None,
  label_column: str | None = None,
  license: str = '',
  skip_broken: bool = False,
  replace: bool = False,
  data_dir: Place | None = None,
  progress: Progress = lambda text: None,
) -> Stored:
  """Adds a dataset of the user's own under a new name, below the data folder.

  Args:
    name: letters, digits, `_` and `-`; no name that is there already.
    images: a folder (by class, or flat with `labels`), or an .npz, .parquet or .arrow file.
    labels: a CSV file of file names and labels.
    unlabeled: a folder of further images without labels.
    huggingface: the folder of a Hugging Face dataset, in place of `images`.
    validation: how many images validate, a count or a share.
    test: how many images test, a count or a share, or a folder or file with them.
    size: a side, HEIGHTxWIDTH, common or median; by default the one that all images have.
    resize: crop, pad or stretch.
    channels: gray or rgb; by default what all images are.
    image_column, label_column: of a table or a CSV file, where the name is not a usual one.
    license: of the images.
    skip_broken: leave out images that cannot be read.
    replace: another set of that name goes.
    data_dir: by default `SSL_BENCH_DATA`, else TFDS' own folder.
    progress: is called with one line of text at a time.

  Raises:
    BadSetting: for whatever does not make a set, one sentence.
  """
  check_new(name)
  asked = sizes.ask(size, resize, channels)
  here, wanted = _test(test)
  wish = Wish(
    asked, amount(validation, '--validation') if validation else None, wanted, skip_broken, license.strip()
  )
  source = Source(
    _path(images),
    _path(labels),
    _path(unlabeled),
    _path(huggingface),
    here,
    Named(image_column, label_column),
  )
  return store(name, read_source(source), wish, data_folder(data_dir), progress, replace=replace)


def _path(place: Place | None) -> Path | None:
  return None if place is None else Path(place).expanduser()


def _test(text: str | None) -> tuple[Path | None, Amount | None]:
  """A test part as a place, or as an amount that is drawn."""
  if text is None:
    return None, None
  if re.fullmatch(r'-?[\d.]+', text):
    return None, amount(text, '--test')
  return Path(text).expanduser(), None


def check_new(name: str) -> None:
  """Raises `BadSetting` for a name that a new set cannot have."""
  if not added.NAME.fullmatch(name):
    raise BadSetting(
      f'{short(name)} cannot be the name of a set; write a letter, then letters, digits, _ or -, at most 64.'
    )
  if name in plugins.names('datasets'):
    origin = plugins.origin('datasets', name)
    whose = 'comes with the package' if origin == plugins.OURS else f'is of {origin}'
    raise BadSetting(f'{name!r} {whose}; choose another name.')
  if name.startswith('fake') or name.casefold() == added.TFDS.strip('/'):
    raise BadSetting(f'{name!r} is kept for other sets; choose another name.')


def read_source(source: Source) -> Given:
  """All images of a source and of those beside it; no pixel is read."""
  if (source.images is None) == (source.huggingface is None):
    if source.images is None and source.unlabeled is not None:
      return unlabeled_folder(source.unlabeled)
    raise BadSetting('give --images with a folder or a file, or --huggingface with a folder: one of the two.')
  if source.labels and (source.images is None or not source.images.is_dir()):
    raise BadSetting(
      '--labels belongs to --images with a folder; files of arrays and tables hold their labels.'
    )
  if source.huggingface:
    found = [huggingface_folder(source.huggingface, source.named)]
  else:
    assert source.images is not None
    found = [_images(source.images, source.labels, source.named)]
  if source.test:
    if any(item.part == 'test' for item in found[0].items):
      raise BadSetting(f'{found[0].source} has a test part already; leave out --test.')
    found.append(moved(_images(source.test, None, source.named), 'test'))
  if source.unlabeled:
    found.append(unlabeled_folder(source.unlabeled))
  return join(found)


def _images(place: Path, labels: Path | None, named: Named) -> Given:
  check_readable(place)
  if labels:
    return labeled_folder(place, labels, named)
  if place.is_dir():
    if any(named):
      raise BadSetting(f'--image-column and --label-column belong to a table, and {place} is a folder.')
    return class_folders(place)
  if place.suffix.casefold() == '.npz':
    return npz_file(place)
  if place.suffix.casefold() in SUFFIXES:
    return table_files([(place, '')], str(place), named)
  raise BadSetting(f'{place} is neither a folder nor an .npz, .parquet or .arrow file; give one of those.')


def remove(name: str, *, data_dir: Place | None = None) -> Path:
  """Removes an added set, or the decoded parts of a TFDS set; returns its folder, which is gone.

  What was found in it goes too.  Records on it stay.  Raises `BadSetting` for a name that is no added set's.
  """
  root = data_folder(data_dir)
  if name in plugins.names('datasets'):
    raise BadSetting(f'{name!r} was not added by a user; only added sets are removed.')
  if added.folder_of(name, root) is None:
    there = [one for one in added.names(root) if one not in plugins.names('datasets')]
    advice = suggest(name, there) if there else f'none was added below {root}.'
    raise BadSetting(f'There is no added set {short(name)}; {advice}')
  with alone(name, root, last=True) as stage:
    folders = added.versions(name, root)
    if not folders:
      raise BadSetting(f'{name} is removed already, by another command.')
    drop(name, root, stage, folders)
    for path in added.checks_of(name, root):
      path.unlink(missing_ok=True)
  return folders[-1]
