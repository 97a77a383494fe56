"""`fake`, a tiny synthetic set of any shape, for tests only: one random pattern a class, plus noise."""

import math
import re
from typing import Any

import numpy as np

from ssl_bench.data.arrays import Dataset, fingerprint
from ssl_bench.data.text import PAD, tokenize
from ssl_bench.settings.signature import BadSetting, short

MOST = 224 * 224 * 3  # values of an image


def check_fake(name: str) -> re.Match:
  """Parses `fake`, `fake_16x16x3`, `fake_captions` or `fake_tokens`; raises `BadSetting` for another name."""
  size = '([1-9][0-9]{0,8})'
  match = re.fullmatch(rf'fake(?:_(captions|tokens))?(?:_{size}x{size}x{size})?', name)
  if not match:
    raise BadSetting(
      f'{short(name)} is no synthetic set; write fake, fake_captions, fake_tokens or, for another shape, '
      'fake_16x16x3.'
    )
  values = math.prod(int(side or 1) for side in match.groups()[1:])
  if values > MOST:
    raise BadSetting(f'{name!r}: an image would have {values:,} values; at most {MOST:,} are made.')
  return match


def fake_by_name(name: str) -> Dataset:
  """The synthetic set of a name: images, images with captions, or texts of up to 12 letters."""
  what, *sizes = check_fake(name).groups()
  usual = (12, 1, 1) if what == 'tokens' else (8, 8, 1)
  height, width, channels = (int(size or default) for size, default in zip(sizes, usual))
  data = fake((height, width, channels))
  return {'captions': with_captions, 'tokens': as_tokens}.get(what, lambda data: data)(data)


def as_tokens(data: Dataset) -> Dataset:
  """The set as texts: each gray level becomes a letter, and the texts have several lengths."""
  arrays: dict[str, Any] = {}
  for part in ('train', 'validation', 'test'):
    images, labels = getattr(data, f'{part}_images'), getattr(data, f'{part}_labels')
    inside = np.arange(images.shape[1]) < images.shape[1] - labels[:, None] % 4
    arrays[f'{part}_images'] = np.where(inside[:, :, None, None], 97 + images // 10, PAD).astype(np.uint8)
  return data._replace(name='fake_tokens', kind='tokens', fingerprint=fingerprint(arrays.items()), **arrays)


def with_captions(data: Dataset, length: int = 12) -> Dataset:
  """The set with three captions an image and two prompts a class; no prompt is a training caption."""
  texts = np.stack(
    [
      tokenize([f'{article} {label}' for article in ('a', 'one', 'my', 'the', 'any')], length)
      for label in 'zyxwvutsrq'
    ]
  )
  fields: dict[str, Any] = {
    'captions': texts[data.train_labels, :3],
    'test_captions': texts[data.test_labels, 1:4],
    'prompts': texts[:, 3:],
  }
  return data._replace(name=f'{data.name}_captions', fingerprint=fingerprint(fields.items()), **fields)


def fake(
  shape: tuple[int, int, int] = (8, 8, 1),
  classes: int = 10,
  sizes: tuple[int, int, int] = (240, 40, 80),
  unlabeled: int = 0,
) -> Dataset:
  """`sizes` = (train, validation, test) images of `shape`, always the same; `unlabeled` extra images."""
  rng = np.random.Generator(np.random.PCG64(0))
  patterns = rng.integers(0, 256, (classes, *shape))
  arrays: dict[str, Any] = {}
  for part, size in zip(('train', 'validation', 'test'), sizes):
    labels = np.arange(size, dtype=np.int32) % classes
    arrays[f'{part}_images'] = _noisy(rng, patterns[labels])
    arrays[f'{part}_labels'] = labels
    arrays[f'{part}_index'] = np.arange(size, dtype=np.int32)
  if unlabeled:
    arrays['unlabeled_images'] = _noisy(rng, patterns[np.arange(unlabeled) % classes])
  return Dataset(
    name='fake_' + 'x'.join(map(str, shape)),
    version='1.0.0',
    classes=classes,
    label_names=tuple(f'fake {label}' for label in range(classes)),
    fingerprint=fingerprint(arrays.items()),
    license='synthetic, for tests only',
    **arrays,
  )


def _noisy(rng: np.random.Generator, images: np.ndarray) -> np.ndarray:
  return np.clip(images + rng.integers(-96, 97, images.shape), 0, 255).astype(np.uint8)
