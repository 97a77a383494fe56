"""`fake`, a tiny synthetic set of any shape, for tests only: one random pattern a class, plus noise."""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy

from ssl_bench.data.arrays import Dataset, fingerprint
from ssl_bench.data.meta import PARTS
from ssl_bench.data.text import PAD, tokenize
from ssl_bench.settings.signature import BadSetting, short

MOST = 224 * 224 * 3  # values of an image


def check_fake(name: str) -> re.Match:
  """Parses `fake`, `fake_16x16x3`, `fake_captions` and so on; raises `BadSetting` for another name."""
  size = '([1-9][0-9]{0,8})'
  match = re.fullmatch(
    rf'fake(?:_(captions|tokens|graph|series|table|audio))?(?:_{size}x{size}x{size})?', name
  )
  if not match:
    raise BadSetting(
      f'{short(name)} is no synthetic set; write fake, fake_captions, fake_tokens, fake_graph, fake_series, '
      'fake_table, fake_audio or, for another shape, fake_16x16x3.'
    )
  values = math.prod(int(side or 1) for side in match.groups()[1:])
  if values > MOST:
    raise BadSetting(f'{name!r}: an image would have {values:,} values; at most {MOST:,} are made.')
  return match


def fake_by_name(name: str) -> Dataset:
  """The synthetic set of a name: images, captioned images, texts of up to 12 letters, nodes, series, rows,
  sounds of several tones."""
  what, *sizes = check_fake(name).groups()
  usual = {'tokens': (12, 1, 1), 'series': (16, 2, 1), 'table': (10, 1, 1)}.get(str(what), (8, 8, 1))
  height, width, channels = (int(size or default) for size, default in zip(sizes, usual))
  data = fake((height, width, channels))
  made = {
    'captions': with_captions,
    'tokens': as_tokens,
    'graph': as_graph,
    'series': as_series,
    'table': as_table,
    'audio': as_audio,
  }
  return made.get(what, lambda data: data)(data)


def as_tokens(data: Dataset) -> Dataset:
  """The set as texts: each gray level becomes a letter, and the texts have several lengths."""
  arrays: dict[str, Any] = {}
  for part in PARTS:
    images, labels = getattr(data, f'{part}_images'), getattr(data, f'{part}_labels')
    inside = np.arange(images.shape[1]) < images.shape[1] - labels[:, None] % 4
    arrays[f'{part}_images'] = np.where(inside[:, :, None, None], 97 + images // 10, PAD).astype(np.uint8)
  return data._replace(name='fake_tokens', kind='tokens', fingerprint=fingerprint(arrays.items()), **arrays)


def as_graph(data: Dataset, degree: int = 4, share: float = 0.8) -> Dataset:
  """The set as the nodes of one graph: a node's features are a few of its image's bright pixels.

  Each node has edges to `degree` others, with probability `share` of its own class.
  """
  from ssl_bench.kinds.graph import make_graph  # imports jax

  rng = np.random.Generator(np.random.PCG64(1))
  sizes = {part: len(getattr(data, f'{part}_labels')) for part in PARTS}
  images = np.concatenate([getattr(data, f'{part}_images').reshape(n, -1) for part, n in sizes.items()])
  labels = np.concatenate([getattr(data, f'{part}_labels') for part in sizes])
  ends = []
  for node, label in enumerate(labels):
    own = rng.random(degree) < share
    ends += [(node, rng.choice(np.flatnonzero(labels == label) if same else len(labels))) for same in own]
  edges = np.unique(np.sort(ends, 1), axis=0)
  seen = (images > 160) & (rng.random(images.shape) < 0.2)
  bright = scipy.sparse.csr_array(np.where(seen, images / 255, 0))
  edges = edges[edges[:, 0] != edges[:, 1]].astype(np.int32)
  graph = make_graph(edges, bright.indptr, bright.indices, bright.data, width=images.shape[1])
  stops = np.cumsum([0, *sizes.values()])
  positions = {part: np.arange(*stops[i : i + 2], dtype=np.int32) for i, part in enumerate(sizes)}
  arrays: dict[str, Any] = {f'{part}_images': at for part, at in positions.items()}
  arrays |= {f'{part}_index': at for part, at in positions.items()}
  arrays['unlabeled_images'] = np.arange(sizes['train'], len(labels), dtype=np.int32)
  found = fingerprint([*arrays.items(), ('edges', edges), ('values', graph.values)])
  return data._replace(name='fake_graph', kind='graph', fingerprint=found, graph=graph, **arrays)


def as_series(data: Dataset) -> Dataset:
  """The set as series [H, W C]: each row of an image is a point in time."""
  arrays = _parts(data, lambda images: images.reshape(*images.shape[:2], -1) / 127.5 - 1)
  return data._replace(name='fake_series', kind='series', fingerprint=fingerprint(arrays.items()), **arrays)


def as_table(data: Dataset) -> Dataset:
  """The set as rows of a table: each pixel a number, but of the last three which is brightest, a category."""

  def rows(images: np.ndarray) -> np.ndarray:
    flat = images.reshape(len(images), -1).astype(np.float64)
    return np.concatenate([flat[:, :-3] / 127.5 - 1, np.eye(3)[flat[:, -3:].argmax(1)]], 1)

  arrays = _parts(data, rows)
  found = fingerprint(arrays.items())
  columns = (1,) * (arrays['train_images'].shape[1] - 3) + (3,)
  return data._replace(name='fake_table', kind='table', fingerprint=found, columns=columns, **arrays)


def as_audio(data: Dataset, block: int = 128) -> Dataset:
  """The set as sounds [H block]: each row of an image is a block of time, each pixel how loud a tone is.

  The speakers are Ann and Bob, whose tones are higher; they take turns.
  """

  def sounds(images: np.ndarray) -> np.ndarray:
    loud = images.reshape(*images.shape[:2], -1) / 255.0
    tones = 300 * 1.4 ** np.arange(loud.shape[-1])
    high = np.where(np.arange(len(images)) % 20 < 10, 1, 1.1)[:, None, None]
    angle = 2 * np.pi * np.arange(images.shape[1] * block)[:, None] * (tones * high % 4000) / 8000
    wave = (np.repeat(loud, block, 1) * np.sin(angle)).mean(-1)
    return np.rint(20_000 * wave)

  arrays = _parts(data, sounds, np.int16)
  speakers: dict[str, Any] = {
    f'{part}_groups': np.arange(len(getattr(data, f'{part}_labels')), dtype=np.int32) // 10 % 2
    for part in PARTS
  }
  found = fingerprint([*arrays.items(), *speakers.items()])
  return data._replace(
    name='fake_audio', kind='audio', fingerprint=found, group_names=('ann', 'bob'), **arrays, **speakers
  )


def _parts(
  data: Dataset, change: Callable[[np.ndarray], np.ndarray], stored: type = np.float32
) -> dict[str, Any]:
  """The images of each part, changed."""
  names = [f'{part}_images' for part in PARTS]
  return {name: change(getattr(data, name)).astype(stored) for name in names}


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
  for part, size in zip(PARTS, sizes):
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
