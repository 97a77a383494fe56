"""One size and one number of channels for all images: what the user asked for, or what all have."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ssl_bench.settings.signature import BadSetting, short

RULES = ('crop', 'pad', 'stretch')
CHANNELS = {'gray': 1, 'rgb': 3}
LARGEST = 1024  # pixels of a side
PLENTY = 256  # a side from which on a user has to ask for the size
SAID = {
  'crop': 'scaled until it covers {size}, its middle kept',
  'pad': 'scaled until it fits in {size}, black around it',
  'stretch': 'stretched to {size}',
}


class Asked(NamedTuple):
  """What the user asked for, checked.

  `size` is (height, width), `common`, `median` or None; `channels` gray, rgb or None.
  """

  size: tuple[int, int] | str | None
  rule: str
  channels: str | None


class Seen(NamedTuple):
  """What the heads of all images say: how many have each (height, width) and each kind of color.

  `examples` names an image for each of them.
  """

  sizes: Counter[tuple[int, int]]
  colors: Counter[str]
  examples: Mapping[tuple[int, int] | str, str]


def ask(size: str | None, rule: str, channels: str | None) -> Asked:
  """Checks the options --size, --resize and --channels."""
  if rule not in RULES:
    raise BadSetting(f'--resize must be one of {", ".join(RULES)}, not {short(rule)}.')
  if channels is not None and channels not in CHANNELS:
    raise BadSetting(f'--channels must be one of {", ".join(CHANNELS)}, not {short(channels)}.')
  return Asked(_size(size), rule, channels)


def _size(text: str | None) -> tuple[int, int] | str | None:
  if text in (None, 'common', 'median'):
    return text
  match = re.fullmatch(r'(\d{1,4})(?:x(\d{1,4}))?', str(text))
  if not match:
    raise BadSetting(
      f'--size must be a side in pixels such as 64, HEIGHTxWIDTH such as 48x64, common or median, '
      f'not {short(text)}.'
    )
  height, width = int(match[1]), int(match[2] or match[1])
  if not (1 <= height <= LARGEST and 1 <= width <= LARGEST):
    raise BadSetting(f'--size must be 1 to {LARGEST} pixels a side, not {text}.')
  return height, width


def say(size: tuple[int, int]) -> str:
  return f'{size[0]}×{size[1]}'


def choose_size(asked: Asked, seen: Seen) -> tuple[int, int]:
  """(height, width) of the set; raises `BadSetting` where the images differ and nobody said what to do."""
  if isinstance(asked.size, tuple):
    return asked.size
  if asked.size is None and len(seen.sizes) > 1:
    small, large = min(seen.sizes, key=np.prod), max(seen.sizes, key=np.prod)
    raise BadSetting(
      f'the images have {len(seen.sizes):,} different sizes, from {say(small)} ({seen.examples[small]}) to '
      f'{say(large)} ({seen.examples[large]}); say which one they get, such as --size 64, or --size common.'
    )
  found = min(seen.sizes, key=lambda size: (-seen.sizes[size], size))
  if asked.size == 'median':
    every = np.repeat(np.array(list(seen.sizes)), list(seen.sizes.values()), 0)
    height, width = np.sort(every, 0)[len(every) // 2].tolist()
    found = height, width
  if max(found) > (LARGEST if asked.size else PLENTY):
    raise BadSetting(
      f'the images have {say(found)} pixels, such as {next(iter(seen.examples.values()))}; say which size '
      'they get, such as --size 64: networks here read an image whole, and a side of 32 to 96 is usual.'
    )
  return found


def choose_channels(asked: Asked, seen: Seen) -> int:
  """1 or 3; raises `BadSetting` where some images are gray, some in color, and nobody said what to do."""
  if asked.channels:
    return CHANNELS[asked.channels]
  if len(seen.colors) > 1:
    raise BadSetting(
      f'{seen.colors["gray"]:,} of the images are gray (such as {seen.examples["gray"]}) and '
      f'{seen.colors["rgb"]:,} in color (such as {seen.examples["rgb"]}); give --channels gray or '
      '--channels rgb.'
    )
  return CHANNELS[next(iter(seen.colors))]
