"""Goes over all images once: their heads, or their pixels, in threads and with a bounded memory."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from ssl_bench.data.adding import pixels
from ssl_bench.data.adding.given import Given, Raw
from ssl_bench.data.adding.sizes import Asked, Seen
from ssl_bench.settings.plural import count
from ssl_bench.settings.signature import BadSetting

CHUNK = 256
NAMED = 3  # broken images that a sentence names
Progress = Callable[[str], None]


class Pixels(NamedTuple):
  """What the images hold.

  `digests` has the SHA-256 of each image's content, `good` the positions of those that could be read,
  `resized` how many had another size, and `notes` sentences on what was converted and what was left out.
  """

  digests: list[bytes]
  good: list[int]
  resized: int
  notes: tuple[str, ...]


def in_threads(
  given: Given, work: Callable[[int, Raw], Any], progress: Progress, verb: str
) -> Iterator[tuple[int, Any]]:
  """(position, what `work` returns or the `Unreadable` that it raises) of every image."""

  def one(entry: tuple[int, Raw]) -> tuple[int, Any]:
    try:
      return entry[0], work(*entry)
    except pixels.Unreadable as error:
      return entry[0], error

  total, done, told = len(given.items), 0, 0
  with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
    source = given.read()
    while chunk := list(islice(source, CHUNK)):
      yield from pool.map(one, chunk)
      done += len(chunk)
      if done - told >= max(1000, total // 20) or done == total:
        progress(f'{verb} {done:,} of {total:,} images')
        told = done


def heads(given: Given, progress: Progress) -> Seen:
  """The sizes and colors of all images, by their heads; what cannot be read is passed over here."""
  sizes: Counter[tuple[int, int]] = Counter()
  colors: Counter[str] = Counter()
  examples: dict[Any, str] = {}
  first = None
  for position, found in in_threads(given, lambda _, raw: pixels.look(raw), progress, 'looked at'):
    where = given.items[position].where
    if isinstance(found, pixels.Unreadable):
      first = first or f'{where} {found}'
      continue
    color = 'gray' if found.gray else 'rgb'
    sizes[found.size] += 1
    colors[color] += 1
    examples.setdefault(found.size, where)
    examples.setdefault(color, where)
  if not sizes:
    raise BadSetting(f'none of the images can be read: {first}; give PNG or JPEG files.')
  return Seen(sizes, colors, examples)


def read_all(
  given: Given,
  out: np.ndarray,
  asked: Asked,
  progress: Progress,
  *,
  skip_broken: bool,
) -> Pixels:
  """Writes the image at each position of `given` to that row of `out`, uint8 [N, H, W, C].

  Raises `BadSetting`, when all have been read, for images that cannot be read, unless they are to be skipped.
  """
  size, channels = (int(out.shape[1]), int(out.shape[2])), int(out.shape[3])

  def work(position: int, raw: Raw) -> tuple[bytes, pixels.Look, int]:
    content = pixels.content(raw)
    array, found, brightest = pixels.convert(content, size, channels, asked.rule)
    out[position] = array
    return digest(content), found, brightest

  digests = [b''] * len(given.items)
  good: list[int] = []
  broken: list[str] = []
  said: Counter[str] = Counter()
  resized = recolored = brightest = 0
  for position, found in in_threads(given, work, progress, 'read'):
    where = given.items[position].where
    if isinstance(found, pixels.Unreadable):
      broken.append(f'{where} {found}')
      continue
    digests[position], head, high = found
    good.append(position)
    said.update(head.said)
    resized += head.size != size
    recolored += head.gray != (channels == 1)
    brightest = max(brightest, high)
  if broken and not skip_broken:
    them = 'it' if len(broken) == 1 else 'them'
    raise BadSetting(
      f'{_several(broken)}; mend or remove {them}, or leave out all such images with --skip-broken.'
    )
  notes = [f'{count(said[key], "image")} {text}' for key, text in pixels.SAID.items() if said[key]]
  if recolored:
    notes.append(f'{count(recolored, "image")} converted to {"gray (luma)" if channels == 1 else "RGB"}')
  if 0 < brightest < 1 << 14:
    notes.append(f'16-bit images are dark: their largest value is {brightest:,} of 65,535; scale them first')
  if broken:
    notes.append(f'skipped {count(len(broken), "broken image")}: {_several(broken)}')
  return Pixels(digests, sorted(good), resized, tuple(notes))


def _several(broken: list[str]) -> str:
  """The first few of several clauses, and how many more there are."""
  more = len(broken) - NAMED
  return ', '.join(broken[:NAMED]) + (f' and {more:,} more' if more > 0 else '')


def digest(content: bytes | np.ndarray) -> bytes:
  """SHA-256 of a file's bytes, or of an array's shape and bytes."""
  if isinstance(content, bytes):
    return hashlib.sha256(content).digest()
  found = hashlib.sha256(f'{content.shape}'.encode())
  found.update(np.ascontiguousarray(content).data)
  return found.digest()
