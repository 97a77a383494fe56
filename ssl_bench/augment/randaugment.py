"""RandAugment as in Google's FixMatch and in TorchSSL: a few operations drawn at random, at random strength.

Each of the fourteen operations is computed as one blend, one table per channel and one gather, where the
operations that were not drawn put the identity.  So the cost does not grow with the list.
"""

from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np

from ssl_bench.augment import affine, tone
from ssl_bench.augment.cutout import FILLS
from ssl_bench.augment.ops import COLOR, Operation, below
from ssl_bench.settings.signature import BadSetting, Range

OPERATIONS = (
  'autocontrast',
  'brightness',
  'color',
  'contrast',
  'equalize',
  'identity',
  'posterize',
  'rotate',
  'sharpness',
  'shear_x',
  'shear_y',
  'solarize',
  'translate_x',
  'translate_y',
)
IDENTITY = OPERATIONS.index('identity')
SIDE = 32  # pixels: the side of the images for which Google gives shifts in pixels


def randaugment(
  *,
  n: Annotated[int, Range(1, 20)] = 2,
  magnitude: Annotated[int, Range(2, 10)] = 10,
  variant: Literal['google', 'torchssl'] = 'google',
  translate: Annotated[float | None, Range(0, 1)] = None,
  color: Annotated[bool, COLOR] = True,
) -> Operation:
  """`n` operations drawn with replacement from fourteen (Cubuk et al. 2020, as changed by FixMatch).

  google: each is applied with probability 1/2, at a whole level drawn from 1 .. magnitude - 1 (of 10).  A
  pixel from outside the image turns gray at the end, unless an operation that ignores transparency
  (autocontrast, equalize, posterize, solarize) came after the move.  Published with n = 2, followed by
  cutout(16).
  torchssl (and USB): each is always applied, at a strength uniform over its whole range; enhancements only
  darken, fade or soften; pixels from outside are black.  The magnitude has no effect, so it must stay 10.
  Published with n = 3, followed by cutout([0, 0.5], fill=torchssl).

  `translate` is the largest shift as a fraction of the side; null takes the variant's own: 10 pixels of 32
  (google, at level 10, in whole pixels) or 0.3 (torchssl).  With color false, color is not drawn.
  Source: google-research/fixmatch libml/augment.py; TorchSSL datasets/augmentation/randaugment.py.
  """
  if variant == 'torchssl' and magnitude != 10:
    raise BadSetting('randaugment: variant torchssl always draws from its whole range; leave magnitude out.')
  drawn = np.array([i for i, name in enumerate(OPERATIONS) if color or name != 'color'])
  draw = draw_google if variant == 'google' else draw_torchssl

  def operation(key: jax.Array, image: jax.Array) -> jax.Array:
    height, width, _ = image.shape
    furthest = {'google': 10 / SIDE, 'torchssl': 0.3}[variant] if translate is None else translate
    ops, strengths = draw(key, n, jnp.asarray(drawn), magnitude, (furthest * width, furthest * height))
    planes, opaque = transform(jnp.moveaxis(image, 2, 0), ops, strengths)
    if variant == 'google':
      planes = jnp.where(opaque, planes, FILLS['gray'][0]).astype(jnp.uint8)
    return jnp.moveaxis(planes, 0, 2)

  return operation


def draw_google(
  key: jax.Array, n: int, drawn: jax.Array, magnitude: int, shift: tuple[float, float]
) -> tuple[jax.Array, jax.Array]:
  """(operations, strengths) [n]; an operation that is not applied becomes identity."""
  u = jax.random.uniform(key, (4, n))
  ops = jnp.where(u[0] < 0.5, drawn[below(u[1], len(drawn))], IDENTITY)
  level = 1 + below(u[2], magnitude - 1)
  value = jnp.asarray(google_strengths(shift))[ops, level]
  return ops, jnp.where(jnp.asarray(_SIGNED)[ops] & (u[3] < 0.5), -value, value)


def draw_torchssl(
  key: jax.Array, n: int, drawn: jax.Array, magnitude: int, shift: tuple[float, float]
) -> tuple[jax.Array, jax.Array]:
  """(operations, strengths) [n]."""
  u = jax.random.uniform(key, (2, n))
  ops = drawn[below(u[0], len(drawn))]
  low, high = jnp.asarray(torchssl_strengths(shift))[ops].T
  return ops, low + (high - low) * u[1]


_SIGNED = np.array(
  [name in ('rotate', 'shear_x', 'shear_y', 'translate_x', 'translate_y') for name in OPERATIONS]
)


def google_strengths(shift: tuple[float, float]) -> np.ndarray:
  """float32 [14, 11]: each operation's strength at levels 0 to 10; `shift` is level 10 in pixels (x, y)."""
  of = {
    **dict.fromkeys(('brightness', 'color', 'contrast', 'sharpness'), lambda level: 1.8 * level / 10 + 0.1),
    **dict.fromkeys(('shear_x', 'shear_y'), lambda level: 0.3 * level / 10),
    'posterize': lambda level: 4 - 4 * level // 10,
    'rotate': lambda level: 30 * level // 10,
    'solarize': lambda level: 256 - 256 * level // 10,
    'translate_x': lambda level: round(shift[0] * level / 10),
    'translate_y': lambda level: round(shift[1] * level / 10),
  }
  return np.array([[of.get(name, float)(level) for level in range(11)] for name in OPERATIONS], np.float32)


def torchssl_strengths(shift: tuple[float, float]) -> np.ndarray:
  """float32 [14, 2]: the ends of each operation's range; `shift` is the largest in pixels (x, y)."""
  of = {
    **dict.fromkeys(('brightness', 'color', 'contrast', 'sharpness'), (0.05, 0.95)),
    **dict.fromkeys(('shear_x', 'shear_y'), (-0.3, 0.3)),
    'posterize': (4, 8),
    'rotate': (-30, 30),
    'solarize': (0, 256),
    'translate_x': (-shift[0], shift[0]),
    'translate_y': (-shift[1], shift[1]),
  }
  return np.array([of.get(name, (0, 1)) for name in OPERATIONS], np.float32)


def transform(planes: jax.Array, ops: jax.Array, strengths: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Applies operations, given as places in `OPERATIONS` [n], one after the other at `strengths` [n].

  Takes uint8 [channels, height, width]; returns the changed planes and, bool [height, width], which pixels do
  not come from outside the image.  A strength is a factor for the four enhancements, degrees for rotate, a
  slope for the shears, pixels for the shifts, a number of bits for posterize, a level for solarize; the other
  operations have none.
  """
  height, width = planes.shape[1:]

  def strength(name: str) -> jax.Array:
    return jnp.where(ops == OPERATIONS.index(name), strengths, 0)

  moves = [strength(name) for name in ('rotate', 'shear_x', 'shear_y', 'translate_x', 'translate_y')]
  matrices = affine.matrix(height, width, *moves)
  sources = jax.vmap(lambda matrix: affine.sources(matrix, height, width))(matrices)

  def step(image, drawn):
    return _transform_once(*image, *drawn), None

  start = planes, jnp.ones((height, width), bool)
  return jax.lax.scan(step, start, (ops, strengths, sources))[0]


def _transform_once(
  planes: jax.Array, opaque: jax.Array, op: jax.Array, strength: jax.Array, source: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """One blend, one table, one gather, of which at most one changes the image, so none waits for another."""
  drawn = {name: op == i for i, name in enumerate(OPERATIONS)}
  base = jnp.where(drawn['sharpness'], smooth(planes), tone.luma(planes))
  blended = tone.blend(base, planes.astype(jnp.int32), strength)
  mixed = pick(drawn['sharpness'] | drawn['color'], blended, planes)
  covers = drawn['autocontrast'] | drawn['equalize'] | drawn['posterize'] | drawn['solarize']
  toned = tone.look_up(_table(planes, drawn, strength), affine.take(mixed, source))
  return toned, covers | affine.take(opaque, source)


def _table(planes: jax.Array, drawn: dict[str, jax.Array], strength: jax.Array) -> jax.Array:
  """[channels, 256]: the table of the drawn operation, or the identity."""
  enhances = drawn['brightness'] | drawn['contrast']
  middle = jnp.where(drawn['contrast'], tone.mean_luma(planes), 0)
  fixed = tone.blend(middle, jnp.asarray(tone.LEVELS), jnp.where(enhances, strength, 1))
  fixed = jnp.where(drawn['posterize'], tone.posterize(jnp.clip(strength, 1, 8)), fixed)
  fixed = jnp.where(drawn['solarize'], tone.solarize(strength), fixed)
  counts = tone.histogram(planes)
  measured = jnp.where(drawn['equalize'], tone.equalize(counts), tone.autocontrast(counts))
  return pick(drawn['equalize'] | drawn['autocontrast'], measured, fixed)


def pick(first: jax.Array, one: jax.Array, other: jax.Array) -> jax.Array:
  """float32: `one` if `first`, else `other` (levels), by a product that is exact at any device precision.

  XLA would fuse a `where` into the gather that reads it, and compute it again for every pixel: RandAugment
  would take more than twice as long on the CPU.
  """
  one, other = jnp.broadcast_arrays(one, other)
  both = jnp.where(jnp.arange(2).reshape(2, *[1] * one.ndim) == 0, one, other).astype(jnp.float32)
  return jnp.tensordot(jnp.stack([first, ~first]).astype(jnp.float32), both, 1)


def smooth(planes: jax.Array) -> jax.Array:
  """Pillow's SMOOTH filter, int32: 3x3 means with the center five times, edges as they are."""
  planes = planes.astype(jnp.int32)
  padded = jnp.pad(planes, ((0, 0), (1, 1), (1, 1)))
  rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
  total = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:] + 4 * planes
  edge = np.ones(planes.shape[1:], bool)
  edge[1:-1, 1:-1] = False
  return jnp.where(edge, planes, jax.lax.div(2 * total + 13, 26))
