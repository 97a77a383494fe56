"""From what was given to a stored set: every step in order, whole or not at all."""

import errno
import os
import shutil
import warnings
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from ssl_bench.data import added
from ssl_bench.data.adding import sizes
from ssl_bench.data.adding.given import Given
from ssl_bench.data.adding.parts import Amount, Divided, divide
from ssl_bench.data.adding.pass_over import Progress, heads, read_all
from ssl_bench.data.adding.write import check_room, empty_images, write_set
from ssl_bench.data.decoded import read_decoded
from ssl_bench.data.meta import Added, Broken, Meta, read_meta
from ssl_bench.data.origins import FILE, as_utf_8, write_origins
from ssl_bench.data.stage import alone
from ssl_bench.settings.plural import count
from ssl_bench.settings.signature import BadSetting


class Wish(NamedTuple):
  """How the images become a set: size and channels, and how much of drawn parts."""

  asked: sizes.Asked
  validation: Amount | None = None
  test: Amount | None = None
  skip_broken: bool = False
  license: str = ''


class Stored(NamedTuple):
  """A set that is there now.

  `before` is the fingerprint of the set that had the name before, None where there was none; `new` is
  false where nothing was written, since the content is the same.
  """

  meta: Meta
  folder: Path
  before: str | None
  new: bool


def store(
  name: str,
  given: Given,
  wish: Wish,
  root: Path,
  progress: Progress,
  *,
  replace: bool = False,
  version: str | None = None,
) -> Stored:
  """Reads, converts, divides and stores the images of a set below the data folder.

  An interruption leaves nothing of it.  Raises `BadSetting` for images or labels that do not make a set, and
  where another set has the name, unless it is to be replaced.
  """
  with warnings.catch_warnings(), alone(name, root) as stage:
    warnings.filterwarnings('ignore', module='PIL')  # of odd metadata, which does not touch the pixels
    warnings.simplefilter('error', Image.DecompressionBombWarning)
    try:
      meta = _write(stage, given, wish, progress, version)
    except OSError as error:
      if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        raise
      raise BadSetting(
        f'{root} has no room for the images ({error.strerror}); choose a smaller --size, or set '
        'SSL_BENCH_DATA to another folder.'
      ) from None
    stored = _put(name, stage, meta, root, replace)
  read_decoded(name, root)  # checks all that was written, and notes that it passed
  return stored


def _write(stage: Path, given: Given, wish: Wish, progress: Progress, version: str | None) -> Meta:
  """The files of the set, in `stage/set`."""
  asked = wish.asked
  if isinstance(asked.size, tuple) and asked.channels:
    size, channels = asked.size, sizes.CHANNELS[asked.channels]
  else:
    seen = heads(given, progress)
    size, channels = sizes.choose_size(asked, seen), sizes.choose_channels(asked, seen)
  shape = (*size, channels)
  check_room(stage, len(given.items), shape)
  pixels = empty_images(stage / 'pixels.npy', len(given.items), shape)
  found = read_all(given, pixels, asked, progress, skip_broken=wish.skip_broken)
  divided = divide(
    [given.items[i] for i in found.good],
    [found.digests[i] for i in found.good],
    given.names,
    wish.validation,
    wish.test,
  )
  divided = _in_place(divided, np.array(found.good, np.int64), len(given.items))
  color = 'gray' if channels == 1 else 'RGB'
  rule = f'{color} of {sizes.say(size)} pixels'
  if found.resized:
    how = sizes.SAID[asked.rule].format(size=sizes.say(size))
    rule += f'; {count(found.resized, "image")} {how} (bilinear, antialiased)'
  notes = (*given.notes, *found.notes, *divided.notes)
  described = Added(
    source=as_utf_8(given.source), rule=rule, notes=tuple(map(as_utf_8, notes)), license=wish.license
  )
  progress(f'writing {len(found.good):,} images of {"×".join(map(str, shape))}')
  (stage / 'set').mkdir()
  meta = write_set(stage / 'set', pixels, divided, described, version)
  items = given.items
  origins = {part: [items[i].origin() for i in index] for part, index in divided.parts.items()}
  write_origins(stage / 'set', origins)
  (stage / 'pixels.npy').unlink()
  return meta


def _in_place(divided: Divided, good: np.ndarray, total: int) -> Divided:
  """The same parts by positions among all images instead of those that could be read."""
  labels = np.full(total, -1, np.int32)
  labels[good] = divided.labels
  return divided._replace(parts={part: good[index] for part, index in divided.parts.items()}, labels=labels)


def _put(name: str, stage: Path, meta: Meta, root: Path, replace: bool) -> Stored:
  """Renames the written set into place; nothing changes where the same content is there."""
  old, before = added.versions(name, root), None
  if old:
    before = _fingerprint(name, root)
    if before == meta.fingerprint and _described(name, root, meta):
      with suppress(OSError):  # the same images may lie elsewhere now
        (stage / 'set' / FILE).replace(old[-1] / FILE)
      return Stored(meta, old[-1], before, new=False)
    if not replace:
      raise BadSetting(
        f'there is a set {name!r} of other content (fingerprint {(before or "unknown")[:8]}, and these have '
        f'{meta.fingerprint[:8]}); choose another name, or give --replace.'
      )
  folder = added.home(name, root) / meta.version / added.PARTS_FOLDER
  folder.parent.mkdir(parents=True, exist_ok=True)
  if folder.exists():
    folder.rename(stage / 'same')
  (stage / 'set').rename(folder)
  drop(name, root, stage, [path for path in old if path != folder])
  return Stored(meta, folder, before, new=True)


def drop(name: str, root: Path, stage: Path, folders: list[Path]) -> None:
  """Removes stored sets: each disappears at once, its files after that."""
  for number, path in enumerate(folders):
    path.rename(stage / f'old{number}')
    shutil.rmtree(stage / f'old{number}', ignore_errors=True)
    for empty in (path.parent, added.home(name, root)):
      try:
        os.rmdir(empty)
      except OSError:
        break  # another version is there


def _fingerprint(name: str, root: Path) -> str | None:
  """That of the set that has the name, None where it is broken."""
  try:
    meta = read_meta(name, root)
  except Broken:
    return None
  return meta.fingerprint if meta else None


def _described(name: str, root: Path, meta: Meta) -> bool:
  """Whether the set that has the name has the same classes, so that it is the same."""
  there = read_meta(name, root)
  return there is not None and there.label_names == meta.label_names
