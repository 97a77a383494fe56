"""A folder of images and a CSV file of their labels."""

import csv
import io
from pathlib import Path

from ssl_bench.data.adding.columns import (
  IMAGES,
  LABELS,
  NOTHING,
  SPLITS,
  Named,
  find_column,
  label_of,
  need_column,
  split_of,
  whole_numbers,
)
from ssl_bench.data.adding.folders import check_is_folder, files_below, from_files
from ssl_bench.data.adding.given import Given, Item, check_readable
from ssl_bench.settings.plural import count
from ssl_bench.settings.signature import BadSetting, short


def labeled_folder(folder: Path, file: Path, named: Named = NOTHING) -> Given:
  """The images of a folder with the labels of a CSV file: a row for each, with its file and its label.

  A file is named by its path from the folder, with or without its suffix.  A column of parts may follow.  An
  empty label is one that nobody gave.
  """
  check_is_folder(folder)
  images, others = files_below(folder)
  if not images:
    raise BadSetting(f'{folder} holds no image; name the folder with the images of {file}.')
  head, rows = read_rows(file)
  image = find_column(str(file), head, named.image, IMAGES)
  label = find_column(str(file), head, named.label, LABELS)
  split = find_column(str(file), head, None, SPLITS)
  known = {path.relative_to(folder).as_posix(): path for path in images}
  stems = _stems(known)
  names = [cell for cell in head if cell.removeprefix('./') in known or cell in stems]
  if names and None in (image, label):
    raise BadSetting(
      f'{file} seems to have no header line, since its first line names the image {short(names[0])}; write '
      'one above it, such as file,label.'
    )
  columns = [
    head.index(need_column(str(file), head, image, '--image-column')),
    head.index(need_column(str(file), head, label, '--label-column')),
  ]
  found: dict[Path, Item] = {}
  for number, row in rows:
    row_of = f'{file}, line {number}'
    where = f'{row_of},'
    if len(row) != len(head):
      raise BadSetting(f'{where} has {count(len(row), "cell")}, and the first line {len(head)}; mend it.')
    name, told = (row[column].strip() for column in columns)
    path = known.get(name.removeprefix('./')) or stems.get(name)
    if path is None:
      raise BadSetting(
        f'{where} names {short(name)}, which is no image in {folder}; add it, or remove the row.'
      )
    if path in found:
      raise BadSetting(f'{where} names {short(name)} a second time; leave one row for each image.')
    part = split_of(row[head.index(split)], where) if split else 'train'
    found[path] = Item(str(path), part, label_of(told, where), row_of)
  if left := [path for path in images if path not in found]:
    raise BadSetting(
      f'{file} has no row for {count(len(left), "image")} of {folder}, such as {left[0].name}; add one, with '
      'an empty label where nobody labeled the image.'
    )
  notes = (f'ignored {count(others, "file")} with no suffix of an image',) if others else ()
  return from_files(whole_numbers(list(found.values())), list(found), f'{folder} with {file}', notes=notes)


def _stems(known: dict[str, Path]) -> dict[str, Path]:
  """Images by their path without the suffix, where that means one of them only."""
  stems: dict[str, list[Path]] = {}
  for name, path in known.items():
    stems.setdefault(name.rpartition('.')[0], []).append(path)
  return {stem: paths[0] for stem, paths in stems.items() if len(paths) == 1}


def read_rows(file: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
  """The names of the columns, and (line, cells) of each row; blank lines are left out."""
  check_readable(file)
  if file.is_dir():
    raise BadSetting(f'{file} is a folder; give --labels a CSV file of file names and labels.')
  try:
    text = file.read_bytes().decode('utf-8-sig')
  except UnicodeDecodeError:
    raise BadSetting(f'{file} is no text in UTF-8; save it as CSV in UTF-8.') from None
  sample = text[:4096].partition('\n')[0]
  delimiter = max(',;\t', key=sample.count)
  reader = csv.reader(io.StringIO(text), delimiter=delimiter)
  try:
    lines = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
  except csv.Error as error:
    raise BadSetting(f'{file}, line {reader.line_num}, is no CSV ({error}); mend it.') from None
  if len(lines) < 2:
    raise BadSetting(f'{file} has no row below a first line such as file,label; add one for each image.')
  head = [cell.strip() for cell in lines[0][1]]
  if len(set(head)) < len(head) or len(head) < 2:
    raise BadSetting(
      f'{file} begins with {short(",".join(head))}; name its columns there, such as file,label.'
    )
  return head, lines[1:]
