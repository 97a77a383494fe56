"""A tiny synthetic set of any shape, for tests only: one random pattern a class, plus noise."""

import re
from typing import Any

import numpy as np

from ssl_bench.data.arrays import Dataset, fingerprint
from ssl_bench.data.text import tokenize
from ssl_bench.signature import BadSetting


def check_fake(name: str) -> re.Match:
  """The parts of `fake` (8×8×1), `fake_16x16x3` or `fake_captions`; raises `BadSetting` for another name."""
  match = re.fullmatch(r'fake(?:_(captions))?(?:_(\d+)x(\d+)x(\d+))?', name)
  if not match:
    raise BadSetting(
      f'{name!r} is no synthetic set; write fake or, for another shape, fake_16x16x3; or fake_captions.'
    )
  return match


def fake_by_name(name: str) -> Dataset:
  """The synthetic set of that name, with captions where the name says so."""
  what, *sizes = check_fake(name).groups()
  height, width, channels = (int(size or default) for size, default in zip(sizes, (8, 8, 1)))
  data = fake((height, width, channels))
  return with_captions(data) if what == 'captions' else data


def with_captions(data: Dataset, length: int = 12) -> Dataset:
  """Three captions an image and two prompts a class, all of them other texts."""
  texts = np.stack(
    [
      tokenize([f'{way} {label}' for way in ('a', 'one', 'my', 'the', 'any')], length)
      for label in 'zyxwvutsrq'
    ]
  )
  given: dict[str, Any] = {
    'captions': texts[data.train_labels, :3],
    'test_captions': texts[data.test_labels, 1:4],
    'prompts': texts[:, 3:],
  }
  return data._replace(name=f'{data.name}_captions', fingerprint=fingerprint(given.items()), **given)


def fake(
  shape: tuple[int, int, int] = (8, 8, 1),
  classes: int = 10,
  sizes: tuple[int, int, int] = (240, 40, 80),
  unlabeled: int = 0,
) -> Dataset:
  """`sizes` = (train, validation, test) images of `shape`, always the same ones; `unlabeled` extra images."""
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
