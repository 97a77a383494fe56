"""Prepares a set: builds TFDS' records and decoded arrays from official files, whole or not at all."""

import io
import os
import shutil
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from ssl_bench.data import files, planetoid, spoken_digit
from ssl_bench.data.added import is_tfds
from ssl_bench.data.adding import tfds_sets
from ssl_bench.data.adding.store import Wish
from ssl_bench.data.builders import make_builder
from ssl_bench.data.decode import Progress, decode
from ssl_bench.data.decoded import read_decoded
from ssl_bench.data.meta import read_meta
from ssl_bench.data.reach import check_reachable
from ssl_bench.data.sources import (
  check_prepared,
  comes_with,
  data_folder,
  decoded_folder,
  how_to_get,
  is_made,
  prepared_folder,
  source_of,
)
from ssl_bench.data.stage import alone
from ssl_bench.settings.signature import BadSetting

# Kinds whose sets are read from their own files, by a module with `download` and `write`.
OWN = {'graph': planetoid, 'audio': spoken_digit}


def prepare(
  name: str,
  *,
  source: str | os.PathLike | None = None,
  data_dir: str | os.PathLike | None = None,
  progress: Progress | None = None,
  wish: Wish | None = None,
) -> Path | None:
  """Prepares `name` below the data folder and returns the folder of its decoded arrays.

  `source` is a folder of the official files, of sounds also their zip file; without it they are downloaded.
  `progress` is called with one line of text at a time.  A set that is prepared already is checked and left as
  it is; an interrupted preparation leaves no half-made files.  A bundled set needs no preparation (returns
  None).  `wish` says which size and channels the images of any TFDS set (`tfds/beans`) get.  Raises
  `BadSetting` for an unknown name, a missing folder or file, a file that is not the official one, a host
  that cannot be reached, and a prepared set that is broken.
  """
  say = progress or (lambda text: None)
  if source is not None:
    files.check_folder(Path(source).expanduser(), name)
  if is_tfds(name):
    place = None if source is None else Path(source).expanduser()
    return tfds_sets.prepare(name, data_folder(data_dir), place, wish, say)
  if wish is not None:
    raise BadSetting(f'{name} keeps its official size; --size, --resize and --channels are for tfds/NAME.')
  if is_made(name):
    say(f'{name} comes with {comes_with(name)}; there is nothing to prepare')
    return None
  root = data_folder(data_dir)
  meta = read_meta(name, root)  # raises for a broken set before anything is built
  if own := OWN.get(source_of(name).kind):
    return _prepare_own(own, name, root, source, meta is not None, say)
  if _is_prepared(name, root):
    unread = '' if source is None else f'; nothing was taken from {source}'
    say(f'{name} is prepared already, in {root}{unread}')
  else:
    expected = files.official_files(name)
    local = None
    if source is None:
      check_reachable((official.url for official in expected.values()), how_to_get(name))
    else:
      say(f'checking the files in {source}')
      local = files.locate(name, Path(source).expanduser(), expected)
    with alone(name, root) as stage:
      if not _is_prepared(name, root):
        _build(name, root, stage, expected, local, say)
  folder = ensure_decoded(name, root, say)
  read_decoded(name, root)  # checks all that was written, and notes that it passed
  return folder


def _prepare_own(own: Any, name: str, root: Path, source: Any, ready: bool, say: Progress) -> Path:
  folder = decoded_folder(name, root)
  if ready:
    say(
      f'{name} is prepared already, in {root}{"" if source is None else f"; nothing was taken from {source}"}'
    )
  else:
    with alone(name, root) as stage:
      given = stage / 'files' if source is None else Path(source).expanduser()
      if source is None:
        say(f'downloading {name}')
        given.mkdir()
        own.download(name, given)
      made = stage / 'made'
      made.mkdir()
      own.write(name, given, made)
      folder.parent.mkdir(parents=True, exist_ok=True)
      made.rename(folder)
  read_decoded(name, root)  # checks all that was written, and notes that it passed
  return folder


def _is_prepared(name: str, root: Path) -> bool:
  folder = prepared_folder(name, root)
  if folder.is_dir() and not (folder / 'dataset_info.json').is_file():
    raise BadSetting(f'{folder} is there but holds no dataset_info.json; move it away and prepare again.')
  return folder.is_dir()


def ensure_decoded(name: str, root: Path, progress: Progress = lambda text: None) -> Path:
  """The folder of the decoded arrays, which are decoded now if only TFDS' records are there."""
  if is_tfds(name):
    return tfds_sets.ensure(name, root, progress)
  folder = decoded_folder(name, root)
  if folder.is_dir():
    return folder
  check_prepared(name, root)
  with alone(name, root) as stage:
    if not folder.is_dir():
      progress(f'decoding {name}')
      _decode(name, root, stage, progress)
      folder.parent.mkdir(parents=True, exist_ok=True)
      stage.rename(folder)
  return folder


def _decode(name: str, root: Path, stage: Path, progress: Progress) -> None:
  """Calls `decode`, and turns an error of its readers into a `BadSetting`."""
  try:
    decode(name, root, stage, progress)
  except (BadSetting, MemoryError):
    raise
  except Exception as error:  # TFDS raises many kinds
    if isinstance(error, OSError) and error.filename:
      raise
    why = f'{prepared_folder(name, root)} cannot be decoded ({type(error).__name__}: {error})'
    raise BadSetting(f'{why}; mend that, or remove that folder and run: {how_to_get(name)}.') from error


def _build(
  name: str,
  root: Path,
  stage: Path,
  expected: Mapping[str, files.Official],
  local: Mapping[str, Path] | None,
  say: Progress,
) -> None:
  """TFDS' records of `name`: written below `stage`, then renamed into place."""
  import tensorflow_datasets as tfds

  how = how_to_get(name)
  downloads = (root if local is None else stage) / 'downloads'
  config = tfds.download.DownloadConfig(try_download_gcs=False, force_checksums_validation=True)
  builder = make_builder(name, stage, expected, local)
  tfds.disable_progress_bar()
  say(f'{"downloading and building" if local is None else "building"} {name} {builder.version}')
  try:
    with redirect_stdout(io.StringIO()):  # TFDS announces itself
      builder.download_and_prepare(
        download_dir=str(downloads), download_config=config, file_format='array_record'
      )
  except tfds.download.download_manager.NonMatchingChecksumError as error:
    raise BadSetting(f'a download of {name} has a wrong checksum; try again, or {how}.') from error
  except (OSError, tfds.download.DownloadError) as error:
    raise BadSetting(f'{name} could not be built in {root} ({error}); mend that and try again.') from error
  finally:
    for half in (downloads / name).glob('*.tmp.*'):
      shutil.rmtree(half, ignore_errors=True)
  final = prepared_folder(name, root)
  final.parent.mkdir(parents=True, exist_ok=True)
  prepared_folder(name, stage).rename(final)
