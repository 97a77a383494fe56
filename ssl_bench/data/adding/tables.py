"""Images in the rows of Parquet and Arrow files, as bytes, as Hugging Face's struct, or as paths of files."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ssl_bench.data.adding.columns import (
  IMAGES,
  LABELS,
  NO_COLUMN,
  NOTHING,
  SPLITS,
  Named,
  class_names,
  find_column,
  label_of,
  need_column,
  split_of,
  whole_numbers,
)
from ssl_bench.data.adding.given import Given, Item, Raw, check_readable
from ssl_bench.settings.signature import BadSetting, short

ROWS = 256  # that are read at once
SUFFIXES = ('.parquet', '.arrow')


class Table(NamedTuple):
  """One file of rows, whose images lie in one column."""

  file: Path
  part: str  # '' where a column of parts says it
  image: str
  label: str | None
  split: str | None
  names: tuple[str, ...]


def table_files(
  files: Sequence[tuple[Path, str]],
  source: str,
  named: Named = NOTHING,
  features: Mapping[str, Any] | None = None,
) -> Given:
  """The rows of (file, part) in order; a column of parts wins over the part of a file that has none ('').

  `features` are those of a Hugging Face dataset, which the files also hold themselves where `datasets` wrote
  them: the names of classes are read from there.
  """
  tables = [_table(file, part, features, named) for file, part in files]
  items = [item for table in tables for item in _items(table)]
  if not items:
    raise BadSetting(f'{source} holds no row; give a file with images.')

  def read() -> Iterator[tuple[int, Raw]]:
    position = 0
    for table in tables:
      for value in _cells(table.file, table.image):
        yield position, _raw(value, table.file, items[position].where)
        position += 1

  names = next((table.names for table in tables if table.names), ())
  return Given(items if names else whole_numbers(items), read, source, names=names)


def _table(
  file: Path,
  part: str,
  features: Mapping[str, Any] | None,
  named: Named,
) -> Table:
  schema = _open(file, lambda opened: opened[0])
  features = {**_features(schema), **(features or {})}
  columns, where = list(schema.names), str(file)
  pictures = [name for name in columns if _may_hold_images(schema.field(name).type)]
  marked = [name for name in pictures if _kind(features, name) == 'Image']
  usual = [name.casefold() for name in (*marked, *IMAGES, *(pictures if len(pictures) == 1 else ()))]
  image = find_column(where, columns, named.image, usual)
  image = need_column(where, columns, image, '--image-column')
  if image not in pictures:
    raise BadSetting(
      f'{file} has {schema.field(image).type} in its column {image!r}; images are bytes of PNG or JPEG '
      "files, Hugging Face's {bytes, path}, or paths of files."
    )
  classes = [name for name in columns if _kind(features, name) == 'ClassLabel']
  usual = [name.casefold() for name in (*(classes if len(classes) == 1 else ()), *LABELS)]
  label = None if named.label == NO_COLUMN else find_column(where, columns, named.label, usual)
  if label is None and named.label is None and len(columns) > 1:
    rest = [name for name in columns if name != image]
    raise BadSetting(
      f'{file} has no column of labels with a usual name; say which of {short(", ".join(rest))} it is with '
      f'--label-column, or --label-column {NO_COLUMN} where nobody labeled the images.'
    )
  split = find_column(where, columns, None, SPLITS) if not part else None
  return Table(file, part, image, label, split, class_names(features, label))


def _kind(features: Mapping[str, Any], column: str) -> Any:
  feature = features.get(column)
  return feature.get('_type') if isinstance(feature, Mapping) else None


def _features(schema: Any) -> Mapping[str, Any]:
  """The features that `datasets` wrote into a file's schema."""
  with suppress(ValueError, KeyError, TypeError, AttributeError):
    return json.loads((schema.metadata or {})[b'huggingface'])['info']['features'] or {}
  return {}


def _may_hold_images(kind: Any) -> bool:
  import pyarrow.types as types

  if types.is_struct(kind):
    return kind.get_field_index('bytes') >= 0 and _may_hold_images(kind.field('bytes').type)
  return (
    types.is_binary(kind)
    or types.is_large_binary(kind)
    or types.is_string(kind)
    or types.is_large_string(kind)
  )


def _items(table: Table) -> Iterator[Item]:
  names = [name for name in (table.label, table.split) if name]
  cells = zip(*(_cells(table.file, name) for name in names)) if names else ((),) * _length(table.file)
  for row, values in enumerate(cells):
    where = f'row {row} of {table.file}'
    found = dict(zip(names, values))
    part = split_of(found[table.split], where) if table.split else table.part or 'train'
    label = label_of(found[table.label], where, table.names) if table.label and part != 'unlabeled' else None
    yield Item(where, part, label)


def _raw(value: Any, file: Path, where: str) -> Raw:
  """The bytes of a cell, or the file that it names, as a path from the folder of the table."""
  path = None
  if isinstance(value, Mapping):
    value, path = value.get('bytes'), value.get('path')
  if value is None:
    value = path
  if value is None:
    return b''
  return value if isinstance(value, bytes) else file.parent / value


def _length(file: Path) -> int:
  return _open(file, lambda opened: sum(len(batch) for batch in opened[1]([])))


def _cells(file: Path, column: str) -> Iterator[Any]:
  """The values of a column, one after the other."""
  import pyarrow as pa

  try:
    with _opened(file) as (_, batches):
      for batch in batches([column]):
        for start in range(0, len(batch), ROWS):
          yield from batch.column(column).slice(start, ROWS).to_pylist()
  except (pa.ArrowException, OSError, ValueError) as error:
    if isinstance(error, BadSetting):
      raise
    raise BadSetting(f'{file} cannot be read ({short(_first_line(error))}); write the file again.') from None


def _open(file: Path, use: Any) -> Any:
  import pyarrow as pa

  check_readable(file)
  try:
    with _opened(file) as opened:
      return use(opened)
  except (pa.ArrowException, OSError, ValueError) as error:
    kind = 'Arrow' if file.suffix == '.arrow' else 'Parquet'
    raise BadSetting(
      f'{file} is no whole {kind} file ({short(_first_line(error))}); write the file again.'
    ) from None


def _first_line(error: Exception) -> str:
  return (str(error).splitlines() or [type(error).__name__])[0]


class _opened:
  """A file's schema, and a function from columns to its batches; closed at the end."""

  def __init__(self, file: Path):
    self.file = file

  def __enter__(self) -> tuple[Any, Any]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    if self.file.suffix != '.arrow':
      self.opened: Any = parquet.ParquetFile(self.file)
      table = self.opened
      return table.schema_arrow, lambda columns: table.iter_batches(ROWS, columns=columns)
    self.opened = pa.memory_map(str(self.file))
    reader = self._reader()
    return reader.schema, lambda columns: (batch.select(columns) for batch in self._batches(reader))

  def _reader(self) -> Any:
    """Of a stream, as `datasets` writes it, or of a file in Arrow's random-access format."""
    import pyarrow as pa

    try:
      return pa.ipc.open_stream(self.opened)
    except pa.ArrowInvalid:
      return pa.ipc.open_file(self.opened)

  @staticmethod
  def _batches(reader: Any) -> Iterator[Any]:
    if hasattr(reader, 'num_record_batches'):
      yield from (reader.get_batch(i) for i in range(reader.num_record_batches))
    else:
      yield from reader

  def __exit__(self, *_: object) -> None:
    self.opened.close()
