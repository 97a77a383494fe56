"""Every dataset by its name: load one, or list what is here."""

import os
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ssl_bench import plugins
from ssl_bench.data import added
from ssl_bench.data.adding import tfds_sets
from ssl_bench.data.arrays import Dataset
from ssl_bench.data.custom import make_custom
from ssl_bench.data.decoded import read_decoded
from ssl_bench.data.extras import FACTS, NotInstalled, folder_of
from ssl_bench.data.fake import check_fake, fake_by_name
from ssl_bench.data.meta import PARTS, Broken, Meta, read_meta
from ssl_bench.data.preparation import ensure_decoded
from ssl_bench.data.sources import (
  BUNDLED,
  SOURCES,
  Source,
  check_prepared,
  data_folder,
  decoded_folder,
  how_to_get,
  is_made,
  prepared_folder,
)
from ssl_bench.settings.signature import BadSetting


def load(name: str, *, data_dir: str | os.PathLike | None = None) -> Dataset:
  """The dataset `name`: bundled, prepared, added, a plugin's, or `fake` (`fake_16x16x3`) in tests.

  `data_dir` defaults to `SSL_BENCH_DATA`, else TFDS' own default.  Raises `BadSetting` for an unknown
  name, and at once with the command that gets it for a set that is not there.
  """
  if is_made(name):
    return _made(plugins.get('datasets', name), name)
  if name.startswith('fake'):
    return make(name)
  check_name(name, data_dir=data_dir)
  root = data_folder(data_dir)
  ensure_decoded(name, root)
  return read_decoded(name, root)


def check_name(name: str, *, data_dir: str | os.PathLike | None = None) -> None:
  """Raises `BadSetting`, with the nearest right name, where there is no dataset `name`."""
  if name in plugins.names('datasets'):
    return
  if name.startswith('fake'):
    check_fake(name)
  elif added.is_tfds(name):
    added.check_tfds(name)
  else:
    decoded_folder(name, data_folder(data_dir))


def check_here(name: str, *, data_dir: str | os.PathLike | None = None) -> None:
  """Raises `BadSetting`, with the command that gets it, where the set `name` is not there; reads no image.

  So it does where the set is there and its meta.json is broken.
  """
  check_name(name, data_dir=data_dir)
  if name in FACTS:
    folder_of(name)
  root = data_folder(data_dir)
  if name in SOURCES:
    if read_meta(name, root) is None:
      check_prepared(name, root)
  elif is_stored(name, root):
    read_meta(name, root)
  elif added.is_tfds(name):
    tfds_sets.check_prepared(name, root)


def is_stored(name: str, root: Path) -> bool:
  """Whether a set's decoded arrays lie below `root`: one of this package's sources, or an added one."""
  if is_made(name) or name.startswith('fake'):
    return False
  return decoded_folder(name, root).is_dir() if name in SOURCES else added.folder_of(name, root) is not None


class Row(NamedTuple):
  """One line of the list of datasets.

  `bytes` is what lies on disk, `how` the command that gets the set; `broken` says why a set that is there
  cannot be used, and `mend` what to do about it.
  """

  name: str
  version: str
  ready: bool
  train: int
  validation: int
  test: int
  unlabeled: int
  shape: tuple[int, ...]
  classes: int
  bytes: int
  fingerprint: str | None
  license: str
  how: str
  broken: str | None = None
  mend: str | None = None


def available(
  data_dir: str | os.PathLike | None = None, *, outside: bool = False, among: Collection[str] | None = None
) -> list[Row]:
  """All datasets, or those `among` some names: the bundled first, the added last; reads no image on disk.

  A set that is broken is a row that says so, and no harm to the others.  With `outside`, those of plugins
  follow, which have to be made to be described.
  """
  root = data_folder(data_dir)

  def of(names: Iterable[str]) -> list[str]:
    return [name for name in names if among is None or name in among]

  rows = [*map(_made_row, of(BUNDLED)), *(_row(name, SOURCES[name], root) for name in of(SOURCES))]
  rows += [_added_row(name, root) for name in of(added_names(root))]
  return [*rows, *(map(_outside_row, of(plugins.outside_names('datasets'))) if outside else ())]


def added_names(root: Path) -> list[str]:
  """The sets that a user added below `root`, and the TFDS sets that were prepared by their name."""
  known = plugins.names('datasets')
  return [name for name in added.names(root) if name not in known]


@cache
def _made(factory: Callable[[], Dataset], name: str) -> Dataset:
  """A set that a function makes, made once."""
  return factory() if name in BUNDLED else make_custom(factory, name, plugins.origin('datasets', name))


def make(name: str) -> Dataset:
  """A bundled or synthetic set, or a plugin's, made anew."""
  return _made.__wrapped__(plugins.get('datasets', name), name) if is_made(name) else fake_by_name(name)


def _outside_row(name: str) -> Row:
  """A plugin's set; where it cannot be made, the row says why."""
  origin = plugins.origin('datasets', name)
  try:
    return _made_row(name)._replace(how=origin)
  except BadSetting as error:
    return Row(name, '?', False, 0, 0, 0, 0, (), 0, 0, None, '', origin, 'it cannot be made', str(error))


def _made_row(name: str) -> Row:
  try:
    data = load(name)
  except NotInstalled as error:
    facts, how = FACTS[name], str(error)
    sizes = facts.train, facts.validation, facts.test
    return Row(name, facts.version, False, *sizes, 0, facts.shape, facts.classes, 0, None, facts.license, how)
  return Row(
    name=data.name,
    version=data.version,
    ready=True,
    train=len(data.train_labels),
    validation=len(data.validation_labels),
    test=len(data.test_labels),
    unlabeled=0,
    shape=data.shape,
    classes=data.classes,
    bytes=0,
    fingerprint=data.fingerprint,
    license=data.license,
    how='comes with the installation',
  )


def _row(name: str, source: Source, root: Path) -> Row:
  meta, why, mend = _meta_or_fault(name, root)
  sizes = meta.sizes.model_dump() if meta else {part: getattr(source, part) for part in (*PARTS, 'unlabeled')}
  return Row(
    name=name,
    version=source.version,
    ready=meta is not None,
    shape=source.shape,
    classes=source.classes,
    bytes=_bytes(prepared_folder(name, root)) + _bytes(decoded_folder(name, root)),
    fingerprint=meta.fingerprint if meta else None,
    license=source.license,
    how=how_to_get(name),
    broken=why,
    mend=mend,
    **sizes,
  )


def _added_row(name: str, root: Path) -> Row:
  meta, why, mend = _meta_or_fault(name, root)
  folder = decoded_folder(name, root)
  how = 'added by ssl-bench data add'
  if meta is None:
    return Row(name, folder.parent.name, False, 0, 0, 0, 0, (), 0, _bytes(folder), None, '', how, why, mend)
  return Row(
    name=name,
    version=meta.version,
    ready=True,
    shape=meta.shape,
    classes=meta.classes,
    bytes=_bytes(folder),
    fingerprint=meta.fingerprint,
    license=meta.license_of(name),
    how=how,
    **meta.sizes.model_dump(),
  )


def _meta_or_fault(name: str, root: Path) -> tuple[Meta | None, str | None, str | None]:
  """A set's meta.json, and, where it cannot be used, why and what to do about it."""
  try:
    return read_meta(name, root), None, None
  except Broken as error:
    return None, error.why, str(error)
  except OSError as error:
    return None, f'{error.strerror}', f'{error.filename}: {error.strerror}.'


def _bytes(folder: Path) -> int:
  """What lies in a folder; 0 for what cannot be read or has just gone."""
  total = 0
  with suppress(OSError):
    for file in folder.rglob('*'):
      with suppress(OSError):
        total += file.stat().st_size if file.is_file() else 0
  return total
