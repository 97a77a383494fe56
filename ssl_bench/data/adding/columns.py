"""Which columns of a table hold the image, its label and its part, and what their cells mean."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ssl_bench.data.adding.given import PART_NAMES, Item, part_of
from ssl_bench.settings.signature import BadSetting, short, suggest

IMAGES = ('image', 'img', 'file_name', 'filename', 'file', 'path', 'image_path', 'filepath', 'image_id', 'id')
LABELS = ('label', 'labels', 'class', 'target', 'category', 'fine_label', 'y')
SPLITS = ('split', 'part', 'partition', 'set', 'subset')


class Named(NamedTuple):
  """The columns that a user named; None: the one with a usual name."""

  image: str | None = None
  label: str | None = None


NUMBER = re.compile(r'[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?', re.IGNORECASE)
NOTHING = Named()
NO_COLUMN = 'none'  # for --label-column: nobody labeled the images


def find_column(where: str, columns: Sequence[str], asked: str | None, usual: Sequence[str]) -> str | None:
  """The column that was asked for, else the first of the usual names; None where there is neither."""
  if asked is not None:
    if asked not in columns:
      raise BadSetting(f'{where} has no column {short(asked)}; {suggest(asked, columns)}')
    return asked
  plain = {str(column).strip().casefold(): column for column in reversed(columns)}
  return next((plain[name] for name in usual if name in plain), None)


def need_column(where: str, columns: Sequence[str], found: str | None, option: str) -> str:
  """The found column; raises `BadSetting`, with the option that names it, where there is none."""
  if found is None:
    raise BadSetting(f'{where} has the columns {short(", ".join(columns))}; say which one with {option}.')
  return found


def label_of(value: Any, where: str, names: Sequence[str] = ()) -> str | None:
  """The class of a cell, or None where nobody labeled: nothing, a blank, or -1.

  A number is a position in `names`, where there are names.
  """
  if value is None or value == '' or (isinstance(value, float) and math.isnan(value)):
    return None
  if isinstance(value, bool):
    value = int(value)
  if isinstance(value, float):
    if not value.is_integer():
      raise BadSetting(f'{where} has the label {value}; a label is a whole number or a name.')
    value = int(value)
  if isinstance(value, int):
    if value == -1:
      return None
    if names and not 0 <= value < len(names):
      raise BadSetting(f'{where} has the label {value}, and there are {len(names)} classes, from 0.')
    return names[value] if names else str(value)
  if not isinstance(value, str):
    raise BadSetting(f'{where} has the label {short(value)}; a label is one whole number or one name.')
  text = value.strip()
  return None if text in ('', '-1') else text


def whole_numbers(items: Sequence[Item]) -> Sequence[Item]:
  """Items whose labels are numbers with a point, such as 3.0, with the whole numbers that these are.

  Where one label is no number, all are names and stay as they are.  Raises `BadSetting` for a fraction.
  """
  labels = {item.label for item in items if item.label is not None}
  pointed = {label for label in labels if '.' in label}
  if not pointed or not all(map(NUMBER.fullmatch, labels)):
    return items
  for item in items:
    if item.label in pointed and not float(item.label).is_integer():
      where = item.row or item.where
      raise BadSetting(f'{where} has the label {item.label}; a label is a whole number or a name.')
  whole = {label: label_of(float(label), label) for label in pointed}
  return [
    item if item.label is None else item._replace(label=whole.get(item.label, item.label)) for item in items
  ]


def split_of(value: Any, where: str) -> str:
  """The part that a cell of the column of parts names."""
  part = part_of(value) if isinstance(value, str) else None
  if part is None:
    raise BadSetting(f'{where} has the part {short(value)}; write one of {", ".join(PART_NAMES)}.')
  return part


def class_names(features: Mapping[str, Any], column: str | None) -> tuple[str, ...]:
  """The names of a Hugging Face `ClassLabel`, or () where the column is none."""
  feature = features.get(column) if column else None
  if isinstance(feature, Mapping) and feature.get('_type') == 'ClassLabel':
    return tuple(map(str, feature.get('names') or ()))
  return ()
