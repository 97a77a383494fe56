"""Which columns of a table hold the image, its label and its part, and what their cells mean."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ssl_bench.data.adding.given import PART_NAMES, part_of
from ssl_bench.settings.signature import BadSetting, short, suggest

IMAGES = ('image', 'img', 'file_name', 'filename', 'file', 'path', 'image_path', 'filepath', 'image_id', 'id')
LABELS = ('label', 'labels', 'class', 'target', 'category', 'fine_label', 'y')
SPLITS = ('split', 'part', 'partition', 'set', 'subset')


class Named(NamedTuple):
  """The columns that a user named; None: the one with a usual name."""

  image: str | None = None
  label: str | None = None


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
