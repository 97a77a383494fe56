"""Any image classification set of TFDS by its name, such as `tfds/beans`, without TensorFlow.

A set that lies prepared in the data folder, in any format that TFDS writes images in, is read there.  Its
splits train, validation and test are the parts; a part that it lacks is drawn as for any added set.
"""

import io
import struct
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from ssl_bench.data import added
from ssl_bench.data.adding.given import Given, Item, Raw, part_of
from ssl_bench.data.adding.pass_over import Progress
from ssl_bench.data.adding.sizes import ask
from ssl_bench.data.adding.store import Stored, Wish, store
from ssl_bench.data.adding.tfds_files import NeedsTensorFlow, without_tensorflow
from ssl_bench.data.reach import check_reachable
from ssl_bench.data.sources import SOURCES
from ssl_bench.settings.signature import BadSetting, short, suggest

FORMATS = ('array_record', 'tfrecord')
USUAL = Wish(ask(None, 'crop', None))


def how(name: str) -> str:
  """The command that prepares a set."""
  return f'ssl-bench data prepare {name}'


def find_prepared(name: str, root: Path) -> Path | None:
  """The folder of the newest version of a set that TFDS has prepared below `root`; imports nothing."""
  added.check_tfds(name)
  home = root.joinpath(*name.removeprefix(added.TFDS).split('/'))
  found = [file.parent for file in home.glob('*/dataset_info.json')]
  return max(found, key=_version_key) if found else None


def _version_key(folder: Path) -> list[int]:
  return [int(part) if part.isdigit() else -1 for part in folder.name.split('.')]


def check_prepared(name: str, root: Path) -> None:
  """Raises `BadSetting`, with the command that gets it, where a set is not there; imports nothing."""
  check_not_ours(name)
  if find_prepared(name, root) is None:
    raise BadSetting(f'{name} is not in {root}; get it with: {how(name)} --size 64.')


def check_not_ours(name: str) -> None:
  """Raises `BadSetting` where this package has the set itself, with parts of its own."""
  if (plain := name.removeprefix(added.TFDS)) in SOURCES:
    raise BadSetting(f'{plain} is a set of this package; write {plain} instead of {name}.')


def ensure(name: str, root: Path, progress: Progress) -> Path:
  """The folder of a set's decoded parts, decoded now where TFDS' records are there."""
  added.check_tfds(name)
  if folder := added.folder_of(name, root):
    return folder
  check_prepared(name, root)
  return decode(name, root, USUAL, progress).folder


def prepare(name: str, root: Path, source: Path | None, wish: Wish | None, progress: Progress) -> Path:
  """Builds a set where it is not there, and decodes it; returns the folder of its decoded parts.

  With a `wish` it is decoded again, since its size may be another.
  """
  added.check_tfds(name)
  check_not_ours(name)
  there = added.folder_of(name, root)
  if there and wish is None:
    progress(f'{name} is prepared already, in {root}')
    return there
  if find_prepared(name, root) is None:
    build(name, root, source, progress)
  return decode(name, root, wish or USUAL, progress, replace=True).folder


def decode(name: str, root: Path, wish: Wish, progress: Progress, *, replace: bool = False) -> Stored:
  """Stores the parts of a set that TFDS has prepared."""
  folder = find_prepared(name, root)
  if folder is None:
    raise BadSetting(f'{name} is not in {root}; get it with: {how(name)}.')
  progress(f'decoding {name}')
  try:
    given, license = read(name, folder)
    wish = wish if wish.license else wish._replace(license=license)
    return store(name, given, wish, root, progress, replace=replace, version=folder.name)
  except BadSetting as error:
    if '--size' in str(error) or '--channels' in str(error):
      raise BadSetting(f'{name}: {error} (of {how(name)})') from None
    raise


def build(name: str, root: Path, source: Path | None, progress: Progress) -> None:
  """TFDS' records of a set, built by its own builder from downloads, or from the files of a folder."""
  import tensorflow_datasets as tfds

  check_not_ours(name)
  builder = make_builder(name, root)
  progress(f'building {name} {builder.version}')
  if source is None:
    check_reachable(builder.url_infos or (), f'{how(name)} --from FOLDER')
  config = tfds.download.DownloadConfig(try_download_gcs=False, manual_dir=str(source) if source else None)
  tfds.disable_progress_bar()
  beside = (
    f'put the files of {short(str([i.filename for i in (builder.url_infos or {}).values()]))} in a folder'
  )
  advice = f'{beside} and give --from, or prepare it where TensorFlow is, with file_format="array_record"'
  try:
    with without_tensorflow(), redirect_stdout(io.StringIO()):
      builder.download_and_prepare(download_config=config, file_format='array_record')
  except NeedsTensorFlow as error:
    raise BadSetting(
      f'the builder of {name} calls {error}, which only TensorFlow has; prepare it where TensorFlow is, with '
      f'file_format="array_record", into {root}.'
    ) from None
  except ImportError as error:
    raise BadSetting(
      f'the builder of {name} needs {error.name or error}; install that and try again.'
    ) from None
  except tfds.download.download_manager.NonMatchingChecksumError as error:
    raise BadSetting(f'a file of {name} has a wrong checksum ({_first_line(error)}); get it again.') from None
  except Exception as error:  # builders and downloads raise many kinds
    if isinstance(error, OSError) and error.filename:
      raise
    raise BadSetting(f'{name} could not be built ({short(_first_line(error))}); {advice}.') from error


def make_builder(name: str, root: Path) -> Any:
  """The builder of a set; raises `BadSetting`, with the nearest name, where TFDS has none."""
  import tensorflow_datasets as tfds

  plain, _, config = name.removeprefix(added.TFDS).partition('/')
  try:
    return tfds.builder(f'{plain}/{config}' if config else plain, data_dir=str(root))
  except tfds.core.registered.DatasetNotFoundError:
    known = [f'{added.TFDS}{one}' for one in tfds.list_builders(with_community_datasets=False)]
    raise BadSetting(f'TFDS has no set {short(name)}; {suggest(name, known)}') from None
  except ValueError as error:
    raise BadSetting(f'TFDS cannot make {name}: {_first_line(error)}.') from None


def _first_line(error: Exception) -> str:
  return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip('.')


def read(name: str, folder: Path) -> tuple[Given, str]:
  """The images of a prepared set, and its license; raises `BadSetting` where it is no classification set."""
  import tensorflow_datasets as tfds

  try:
    builder = tfds.builder_from_directory(str(folder))
    info = builder.info
    features = dict(info.features.items())
  except Exception as error:
    raise BadSetting(f'{folder} cannot be read ({short(_first_line(error))}); prepare it again.') from error
  image = _one(name, features, tfds.features.Image, 'image')
  label = _one(name, features, tfds.features.ClassLabel, 'label')
  raw = {image: tfds.decode.SkipDecoding()}
  known = {split: part for split in info.splits if (part := part_of(split))}
  if 'train' not in known.values():
    raise BadSetting(
      f'{name} has the splits {", ".join(info.splits)} and no train; add its files with data add.'
    )
  items: list[Item] = []
  files: list[tuple[Path, int]] = []
  for split, part in known.items():
    for path, number in zip(info.splits[split].filepaths, info.splits[split].shard_lengths):
      files.append((Path(path), number))
      items += [Item(f'record {i} of {path}', part, None) for i in range(number)]
  names = tuple(features[label].names)
  labels = [
    int(info.features.deserialize_example_np(record, decoders=raw)[label]) for record in _records(files)
  ]
  items = [
    item._replace(label=names[number] if number >= 0 and item.part != 'unlabeled' else None)
    for item, number in zip(items, labels, strict=True)
  ]

  def read_all() -> Iterator[tuple[int, Raw]]:
    for position, record in enumerate(_records(files)):
      content = info.features.deserialize_example_np(record, decoders=raw)[image]
      yield position, content if isinstance(content, bytes) else bytes(content)

  left = [split for split in info.splits if split not in known]
  notes = (f'left out the splits {", ".join(left)}',) if left else ()
  license = info.redistribution_info.license if info.redistribution_info else ''
  return Given(items, read_all, f'TFDS {name} {folder.name}', names, notes), str(license or '')


def _one(name: str, features: dict[str, Any], kind: type, usual: str) -> str:
  """The one feature of a kind, or the one that has the usual name."""
  found = [key for key, feature in features.items() if isinstance(feature, kind)]
  if usual in found or len(found) == 1:
    return usual if usual in found else found[0]
  raise BadSetting(
    f'{name} is no set for image classification: it has {len(found)} features that could be the {usual} '
    f'({short(", ".join(features))}).'
  )


def _records(files: Sequence[tuple[Path, int]]) -> Iterator[bytes]:
  for path, number in files:
    if 'tfrecord' in path.name:
      yield from _of_tfrecord(path, number)
    elif 'array_record' in path.name:
      yield from _of_array_record(path)
    else:
      raise BadSetting(
        f'{path} is in none of the formats {", ".join(FORMATS)}; prepare the set in one of them.'
      )


def _of_array_record(path: Path) -> Iterator[bytes]:
  from array_record.python.array_record_module import ArrayRecordReader

  try:
    reader = ArrayRecordReader(str(path))
    for i in range(reader.num_records()):
      yield reader.read([i])[0]
    reader.close()
  except (RuntimeError, ValueError, IndexError) as error:
    raise BadSetting(f'{path} cannot be read ({short(_first_line(error))}); prepare the set again.') from None


def _of_tfrecord(path: Path, number: int) -> Iterator[bytes]:
  """Frames of a length (8 bytes, little-endian), its checksum (4), the record, and its checksum (4)."""
  try:
    with path.open('rb') as file:
      for _ in range(number):
        length, _ = struct.unpack('<QI', file.read(12))
        record = file.read(length)
        if len(file.read(4)) < 4:
          raise EOFError
        yield record
  except (struct.error, EOFError, MemoryError, OverflowError):
    raise BadSetting(f'{path} is cut short; prepare the set again.') from None
