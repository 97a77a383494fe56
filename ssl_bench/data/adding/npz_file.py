"""Images and labels in an .npz file, read without holding all of them in memory."""

import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ssl_bench.data.adding.columns import label_of
from ssl_bench.data.adding.given import PART_NAMES, Given, Item, Raw, check_readable
from ssl_bench.settings.signature import BadSetting, short

ROWS = 256  # images that are read at once
IMAGES = ('x', 'image', 'images', 'data')
LABELS = ('y', 'label', 'labels', 'target', 'targets')
NAMES = ('label_names', 'class_names', 'classes', 'names')
LAYOUT = 'give x_train, y_train, x_test and y_test, or images and labels, and unlabeled if there are such'


class Member(NamedTuple):
  """One array of the file, which is not read yet."""

  file: Path
  name: str
  shape: tuple[int, ...]
  dtype: np.dtype
  fortran: bool

  def where(self) -> str:
    return f'{self.name} of {self.file}'

  def rows(self) -> Iterator[np.ndarray]:
    """The array, `ROWS` rows at a time."""
    with zipfile.ZipFile(self.file) as zipped, zipped.open(f'{self.name}.npy') as stream:
      if self.fortran:
        yield np.lib.format.read_array(stream, allow_pickle=False)
        return
      _header(stream)
      size = int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize
      for start in range(0, self.shape[0], ROWS):
        here = min(ROWS, self.shape[0] - start)
        block = stream.read(here * size)
        if len(block) != here * size:
          raise BadSetting(f'{self.where()} is cut short; write the file again.')
        yield np.frombuffer(block, self.dtype).reshape(here, *self.shape[1:])


def npz_file(file: Path) -> Given:
  """The images of an .npz file: parts by the names of its arrays, and -1 for what nobody labeled."""
  members = _members(file)
  names = _names(members)
  found, ignored = _by_part(file, members)
  items: list[Item] = []
  images: list[tuple[Member, Scale]] = []
  for part, (image, label) in found.items():
    shape = _check_images(image)
    given = _labels(label, names) if label else [None] * image.shape[0]
    if len(given) != image.shape[0]:
      raise BadSetting(
        f'{label.where() if label else ""} has {len(given):,} labels, and {image.name} '
        f'{image.shape[0]:,} images; give one for each.'
      )
    items += [Item(f'image {i} of {image.where()}', part, one) for i, one in enumerate(given)]
    images.append((image, scale_of(image, shape)))

  def read() -> Iterator[tuple[int, Raw]]:
    position = 0
    for member, scale in images:
      for rows in _safe(member):
        for row in scale.apply(rows):
          yield position, row
          position += 1

  notes = (
    [f'ignored the {"array" if len(ignored) == 1 else "arrays"} {", ".join(ignored)}'] if ignored else []
  )
  notes += dict.fromkeys(said for _, scale in images for said in scale.said)
  return Given(items, read, str(file), names=names, notes=tuple(notes))


def _safe(member: Member) -> Iterator[np.ndarray]:
  """The rows of an array; what is wrong with the file is one sentence."""
  try:
    yield from member.rows()
  except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError) as error:
    if isinstance(error, BadSetting):
      raise
    raise BadSetting(
      f'{member.where()} cannot be read ({short(str(error))}); write the file again.'
    ) from None


def _members(file: Path) -> dict[str, Member]:
  check_readable(file)
  found = {}
  try:
    with zipfile.ZipFile(file) as zipped:
      for name in zipped.namelist():
        if name.endswith('.npy'):
          with zipped.open(name) as stream:
            shape, fortran, dtype = _header(stream)
          found[name[:-4]] = Member(file, name[:-4], shape, dtype, fortran)
  except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError) as error:
    raise BadSetting(
      f'{file} is no whole .npz file ({short(str(error))}); write it with numpy.savez.'
    ) from None
  if not found:
    raise BadSetting(f'{file} holds no array; {LAYOUT}.')
  for member in found.values():
    if member.dtype.hasobject and member.name.casefold() not in NAMES:
      raise BadSetting(f'{member.where()} holds Python objects; save it as plain numbers of one shape.')
  return found


def _header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
  version = np.lib.format.read_magic(stream)
  read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
  return read(stream)


def _by_part(
  file: Path, members: dict[str, Member]
) -> tuple[dict[str, tuple[Member, Member | None]], list[str]]:
  """The images and the labels of each part, and the names of arrays that are neither."""
  images: dict[str, Member] = {}
  labels: dict[str, Member] = {}
  ignored = []
  for name, member in members.items():
    words = [word for word in re.split(r'[_\W]+', name.casefold()) if word]
    parts = {PART_NAMES[word] for word in words if word in PART_NAMES}
    kinds = [word for word in words if word not in PART_NAMES]
    part = parts.pop() if len(parts) == 1 else 'train'
    target = images if kinds[:1] in ([], *([word] for word in IMAGES)) else labels
    if name.casefold() in NAMES:
      continue
    if parts or len(kinds) > 1 or (kinds and kinds[0] not in (*IMAGES, *LABELS)):
      ignored.append(name)
    elif part in target:
      raise BadSetting(f'{file} has {target[part].name} and {name} for one part; leave one of them out.')
    else:
      target[part] = member
  if 'train' not in images and set(images) != {'unlabeled'}:
    raise BadSetting(f'{file} holds {", ".join(members)} and no images to train on; {LAYOUT}.')
  for part, member in images.items():
    if part in ('validation', 'test') and part not in labels:
      raise BadSetting(f'{file} has {member.name} and no labels for it; {LAYOUT}.')
  for part, member in labels.items():
    if part not in images:
      raise BadSetting(f'{file} has {member.name} and no images for it; {LAYOUT}.')
  return {part: (member, labels.get(part)) for part, member in images.items()}, ignored


def _names(members: dict[str, Member]) -> tuple[str, ...]:
  for name, member in members.items():
    if name.casefold() in NAMES and member.dtype.kind in 'US' and len(member.shape) == 1:
      words = np.concatenate(list(_safe(member))) if member.shape[0] else np.array([], str)
      return tuple(word.decode() if isinstance(word, bytes) else str(word) for word in words.tolist())
  return ()


def _labels(member: Member, names: tuple[str, ...]) -> list[str | None]:
  values = np.concatenate([np.empty((0, *member.shape[1:]), member.dtype), *_safe(member)])
  if values.ndim == 2 and values.shape[1] == 1:
    values = values[:, 0]
  if values.ndim != 1:
    raise BadSetting(f'{member.where()} is of shape {list(values.shape)}; give one label for each image.')
  texts = [value.decode() if isinstance(value, bytes) else value for value in values.tolist()]
  return [label_of(value, f'label {i} of {member.where()}', names) for i, value in enumerate(texts)]


def _check_images(member: Member) -> tuple[int, ...]:
  """The shape of the images; raises `BadSetting` for a shape that holds none."""
  shape = member.shape
  good = len(shape) in (3, 4) and all(shape[:3])
  if not good or not (len(shape) == 3 or shape[3] in (1, 3, 4) or shape[1] in (1, 3, 4)):
    raise BadSetting(
      f'{member.where()} is of shape {list(shape)}; give images [N, height, width] or '
      '[N, height, width, 1, 3 or 4].'
    )
  return shape


class Scale(NamedTuple):
  """How the values of an array become uint8 in the order height, width, channels."""

  first: bool  # whether the channels come first
  rule: str  # none, unit, round, upper or bits
  said: tuple[str, ...]

  def apply(self, rows: np.ndarray) -> np.ndarray:
    if self.first:
      rows = np.moveaxis(rows, 1, -1)
    if self.rule == 'unit':
      rows = np.rint(rows.astype(np.float64) * 255)
    elif self.rule == 'round':
      rows = np.rint(rows)
    elif self.rule == 'upper':
      rows = rows >> 8
    elif self.rule == 'bits':
      rows = rows.astype(np.uint8) * 255
    return rows.astype(np.uint8)


def scale_of(member: Member, shape: tuple[int, ...]) -> Scale:
  """The rule for an array's values, from all of them where its type does not say it."""
  first = len(shape) == 4 and shape[3] not in (1, 3, 4)
  said = [f'{member.name} has its channels first; they were moved last'] if first else []
  kind, where = member.dtype.kind, member.where()
  if member.dtype == np.uint8:
    return Scale(first, 'none', tuple(said))
  if kind == 'b':
    return Scale(first, 'bits', (*said, f'{member.name}: false and true became 0 and 255'))
  if kind not in 'iuf':
    raise BadSetting(f'{where} holds {member.dtype}; give numbers, uint8 best of all.')
  low, high = _range(member)
  if not np.isfinite([low, high]).all():
    raise BadSetting(f'{where} holds values that are not finite (NaN or infinity); remove those images.')
  if low < 0:
    raise BadSetting(f'{where} holds values from {low:g} to {high:g}; scale them to 0 to 255, or to 0 to 1.')
  if kind == 'f' and high <= 1:
    return Scale(
      first, 'unit', (*said, f'{member.name}: values from 0 to 1 were multiplied by 255 and rounded')
    )
  if high <= 255:
    return Scale(first, 'round', (*said, f'{member.name}: {member.dtype} from 0 to 255 became uint8'))
  if member.dtype == np.uint16:
    return Scale(first, 'upper', (*said, f'{member.name}: the upper 8 of its 16 bits were kept'))
  raise BadSetting(f'{where} holds values from {low:g} to {high:g}; scale them to 0 to 255, or to 0 to 1.')


def _range(member: Member) -> tuple[float, float]:
  """(smallest, largest) value; NaN where there is one."""
  ends = [(rows.min(), rows.max()) for rows in _safe(member)]
  return float(np.min([low for low, _ in ends])), float(np.max([high for _, high in ends]))
