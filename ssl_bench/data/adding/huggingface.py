"""A Hugging Face dataset in a folder: Parquet shards, what `save_to_disk` wrote, or an image folder."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ssl_bench.data.adding.columns import (
  LABELS,
  NOTHING,
  Named,
  find_column,
  label_of,
  need_column,
  whole_numbers,
)
from ssl_bench.data.adding.csv_labels import read_rows
from ssl_bench.data.adding.folders import check_is_folder, class_folders, files_below, folders_in, from_files
from ssl_bench.data.adding.given import Given, Item, check_readable, part_of
from ssl_bench.data.adding.tables import table_files
from ssl_bench.settings.signature import BadSetting, short

SHARD = re.compile(r'([A-Za-z_]+?)(?:[-_.]?\d+-of-\d+.*|[-_.]\d+)?\.parquet')
METADATA = ('metadata.csv', 'metadata.jsonl')
LAYOUTS = (
  'data/train-00000-of-00001.parquet, a folder of `save_to_disk` (dataset_dict.json or state.json), or '
  'folders of images with metadata.csv'
)


def huggingface_folder(folder: Path, named: Named = NOTHING) -> Given:
  """The images of a dataset's folder, in whichever of the three layouts it is; needs no `datasets`."""
  check_is_folder(folder)
  if (folder / 'dataset_dict.json').is_file() or (folder / 'state.json').is_file():
    return _saved(folder, named)
  if shards := sorted(folder.rglob('*.parquet')):
    return _shards(folder, shards, named)
  if found := [path for name in METADATA for path in sorted(folder.rglob(name))]:
    return _image_folder(folder, found, named)
  if folders_in(folder):
    return class_folders(folder)
  raise BadSetting(f'{folder} holds no Hugging Face dataset; it should have {LAYOUTS}.')


def _read_json(file: Path) -> Mapping[str, Any]:
  check_readable(file)
  try:
    tree = json.loads(file.read_bytes())
  except (ValueError, RecursionError):
    tree = None
  if not isinstance(tree, Mapping):
    raise BadSetting(f'{file} should hold settings in JSON; save the dataset again.')
  return tree


def _part(word: str, where: Path) -> str:
  part = part_of(word)
  if part is None:
    raise BadSetting(f'{where} is of a split {word!r}; name it train, validation, test or unlabeled.')
  return part


def _saved(folder: Path, named: Named) -> Given:
  """What `save_to_disk` wrote of a DatasetDict, or of one Dataset, which is then divided."""
  places = [(folder, 'train')]
  if (folder / 'dataset_dict.json').is_file():
    splits = _read_json(folder / 'dataset_dict.json').get('splits')
    if not isinstance(splits, Sequence) or not splits:
      raise BadSetting(f'{folder / "dataset_dict.json"} names no splits; save the dataset again.')
    places = [(folder / str(split), _part(str(split), folder)) for split in splits]
  files: list[tuple[Path, str]] = []
  features: dict[str, Any] = {}
  for place, part in places:
    listed = _read_json(place / 'state.json').get('_data_files') or ()
    names = [entry['filename'] for entry in listed if isinstance(entry, Mapping) and 'filename' in entry]
    if not names:
      raise BadSetting(f'{place / "state.json"} names no files; save the dataset again.')
    files += [(place / name, part) for name in names]
    if (place / 'dataset_info.json').is_file():
      features |= _read_json(place / 'dataset_info.json').get('features') or {}
  return table_files(files, str(folder), named, features)


def _shards(folder: Path, shards: Sequence[Path], named: Named) -> Given:
  """Parquet files whose name, or whose folder, begins with the split."""
  homes = sorted({_configuration(folder, path) for path in shards})
  if len(homes) > 1:
    listed = ', '.join(str(home.relative_to(folder)) for home in homes[:4])
    raise BadSetting(f'{folder} holds several datasets ({listed}); give --huggingface one of them.')
  files = []
  for path in shards:
    match = SHARD.fullmatch(path.name)
    part = (part_of(match[1]) if match else None) or part_of(path.parent.name)
    if part is None and len(shards) > 1:
      raise BadSetting(
        f'{path} is of no split that its name tells; begin it with train-, validation- or test-.'
      )
    files.append((path, part or ''))
  return table_files(files, str(folder), named)


def _configuration(folder: Path, path: Path) -> Path:
  """The folder of one dataset: that of its shards, or the one above, where folders are splits."""
  home = path.parent
  return home.parent if home != folder and part_of(home.name) else home


def _image_folder(folder: Path, found: Sequence[Path], named: Named) -> Given:
  """Images with metadata.csv or metadata.jsonl beside them, by splits or in one folder."""
  items: list[Item] = []
  paths: list[Path] = []
  for file in found:
    part = part_of(file.parent.name) if file.parent != folder else 'train'
    if part is None:
      part = _part(file.parent.relative_to(folder).parts[0], file)
    images = set(files_below(file.parent).images)
    seen: set[Path] = set()
    for number, row in _rows(file):
      where = f'row {number} of {file}'
      label = find_column(where, list(row), named.label, LABELS)
      label = need_column(where, list(row), label, '--label-column')
      path = file.parent / str(row.get('file_name'))
      if row.get('file_name') in (None, '') or path not in images:
        raise BadSetting(
          f'{where} names {short(row.get("file_name"))}, which is no image there; mend the row.'
        )
      if path in seen:
        raise BadSetting(f'{where} names {path.name} a second time; leave one row for each image.')
      seen.add(path)
      items.append(Item(str(path), part, label_of(row[label], where), where))
      paths.append(path)
    if left := sorted(images - seen):
      raise BadSetting(f'{file} has no row for {left[0]}; add one, with an empty label where there is none.')
  return from_files(whole_numbers(items), paths, str(folder))


def _rows(file: Path) -> list[tuple[int, Mapping[str, Any]]]:
  """(number, cells by column) of each row of a metadata file."""
  if file.suffix == '.csv':
    head, lines = read_rows(file)
    if wrong := next((number for number, cells in lines if len(cells) != len(head)), None):
      raise BadSetting(f'{file}, line {wrong}, has not as many cells as the first line; mend it.')
    return [(number, dict(zip(head, cells))) for number, cells in lines]
  check_readable(file)
  try:
    rows = [json.loads(line) for line in file.read_text(encoding='utf-8-sig').splitlines() if line.strip()]
  except (ValueError, RecursionError):
    rows = [None]
  if not all(isinstance(row, Mapping) for row in rows):
    raise BadSetting(f'{file} should hold an object {{"file_name": …, "label": …}} on each line; mend it.')
  return list(enumerate(rows))
