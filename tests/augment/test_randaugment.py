"""RandAugment against Pillow: every operation at every strength, both variants whole, and what is drawn."""

from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps
from scipy import stats
from support.images import digits, photos, through_pillow

from ssl_bench.augment import tone
from ssl_bench.augment.randaugment import (
  OPERATIONS,
  draw_google,
  draw_torchssl,
  google_strengths,
  randaugment,
  torchssl_strengths,
  transform,
)
from ssl_bench.settings.signature import BadSetting

NEED_NO_ALPHA = ('autocontrast', 'equalize', 'posterize', 'solarize')


def by_pillow(name: str, value: float, image: Image.Image) -> Image.Image:
  """One operation; images with alpha take Google's way through RGB where Pillow cannot keep it."""
  if name in NEED_NO_ALPHA and image.mode in ('RGBA', 'LA'):
    bare = image.convert(image.mode[:-1])
    return by_pillow(name, value, bare).convert(image.mode)
  affine = {
    'shear_x': (1, value, 0, 0, 1, 0),
    'shear_y': (1, 0, 0, value, 1, 0),
    'translate_x': (1, 0, value, 0, 1, 0),
    'translate_y': (1, 0, 0, 0, 1, value),
  }
  if name in affine:
    return image.transform(image.size, Image.Transform.AFFINE, affine[name])
  apply = {
    'autocontrast': lambda: ImageOps.autocontrast(image),
    'brightness': lambda: ImageEnhance.Brightness(image).enhance(value),
    'color': lambda: ImageEnhance.Color(image).enhance(value),
    'contrast': lambda: ImageEnhance.Contrast(image).enhance(value),
    'equalize': lambda: ImageOps.equalize(image),
    'identity': lambda: image,
    'posterize': lambda: ImageOps.posterize(image, max(1, int(value))),
    'rotate': lambda: image.rotate(value),
    'sharpness': lambda: ImageEnhance.Sharpness(image).enhance(value),
    'solarize': lambda: ImageOps.solarize(image, value),
  }
  return apply[name]()


@jax.jit
@jax.vmap
def transformed(image: jax.Array, op: jax.Array, strength: jax.Array) -> jax.Array:
  return jnp.moveaxis(transform(jnp.moveaxis(image, 2, 0), op[None], strength[None])[0], 0, 2)


def assert_equals_pillow(images: np.ndarray, cases: list[tuple[str, float]]) -> None:
  """Exactly, on every image for every (operation, strength)."""
  ops = np.array([OPERATIONS.index(name) for name, _ in cases])
  values = np.array([value for _, value in cases], np.float32)
  count = len(images)
  got = transformed(np.repeat(images, len(cases), 0), np.tile(ops, count), np.tile(values, count))
  got = np.asarray(got).reshape(count, len(cases), *images.shape[1:])
  wrong = Counter()
  for image, row in zip(images, got):
    for (name, _), value, result in zip(cases, values, row):
      expected = through_pillow(lambda shown, n=name, v=float(value): by_pillow(n, v, shown), image)
      wrong[name] += int((expected != result).sum())
  assert not +wrong, f'values unlike Pillow, of {count * images[0].size} a strength: {dict(+wrong)}'


def google_cases(side: int) -> list[tuple[str, float]]:
  table = google_strengths((10 / 32 * side, 10 / 32 * side))
  signs = dict.fromkeys(('rotate', 'shear_x', 'shear_y', 'translate_x', 'translate_y'), (1, -1))
  return [
    (name, sign * float(table[i, level]))
    for i, name in enumerate(OPERATIONS)
    for level in range(1, 11)
    for sign in signs.get(name, (1,))
    if name != 'posterize' or table[i, level] >= 1
  ]


def torchssl_cases(side: int) -> list[tuple[str, float]]:
  table = torchssl_strengths((0.3 * side, 0.3 * side))
  grid = np.linspace(0.003, 0.997, 14)
  return [(name, float(low + (high - low) * u)) for name, (low, high) in zip(OPERATIONS, table) for u in grid]


def test_every_google_level_equals_pillow():
  assert_equals_pillow(photos(), google_cases(32))


def test_every_torchssl_range_equals_pillow():
  assert_equals_pillow(photos(), torchssl_cases(32))


def test_digits_equal_pillow():
  assert_equals_pillow(digits(), google_cases(8) + torchssl_cases(8))


def test_images_that_are_not_square_equal_pillow():
  tall = photos(40)[:4, :, 6:33]
  geometry = ('rotate', 'shear_x', 'shear_y', 'translate_x', 'translate_y', 'sharpness', 'equalize')
  assert_equals_pillow(tall, [case for case in torchssl_cases(27) if case[0] in geometry])


def test_enhancement_equals_pillow_at_every_hundredth():
  names = ('brightness', 'color', 'contrast', 'sharpness')
  assert_equals_pillow(
    photos()[3:14:5], [(name, factor / 100) for name in names for factor in range(0, 300, 3)]
  )


def test_autocontrast_equals_pillow_for_every_range_of_levels():
  low, high = np.triu_indices(256, 1)
  counts = jnp.zeros((len(low), 256), jnp.int32)
  rows = np.arange(len(low))
  counts = counts.at[rows, low].set(1).at[rows, high].set(1)
  tables = np.asarray(jax.jit(tone.autocontrast)(counts))
  every = np.random.default_rng(0).choice(len(low), 3000, replace=False)
  for row in every:
    levels = np.arange(low[row], high[row] + 1, dtype=np.uint8)[None]
    expected = np.asarray(ImageOps.autocontrast(Image.fromarray(levels)))[0]
    np.testing.assert_array_equal(tables[row, low[row] : high[row] + 1], expected)
  assert tables[rows, high].min() == 254, 'Pillow misses white for some ranges, and so must we'


@pytest.mark.slow
@pytest.mark.parametrize('variant', ['google', 'torchssl'])
def test_a_whole_policy_equals_pillow(variant):
  n, images = {'google': 2, 'torchssl': 3}[variant], photos()
  keys = jax.random.split(jax.random.key(3), 160)
  got = jax.jit(jax.vmap(randaugment(n=n, variant=variant)))(keys, np.tile(images, (10, 1, 1, 1)))
  draw, shift = (draw_google, 10.0) if variant == 'google' else (draw_torchssl, 0.3 * 32)
  ops, strengths = jax.vmap(lambda key: draw(key, n, jnp.arange(14), 10, (shift, shift)))(keys)
  for i in range(len(keys)):
    shown = Image.fromarray(images[i % 16]).convert('RGBA' if variant == 'google' else 'RGB')
    for op, strength in zip(ops[i].tolist(), strengths[i].tolist()):
      shown = by_pillow(OPERATIONS[op], strength, shown)
    expected = np.array(shown)
    if variant == 'google':
      expected = np.where(expected[:, :, 3:] > 0, expected[:, :, :3], 127)
    np.testing.assert_array_equal(np.asarray(got[i]), expected)


def test_google_strengths_are_the_published_ones():
  table = dict(zip(OPERATIONS, google_strengths((10.0, 10.0)).tolist()))
  levels = range(11)
  assert table['rotate'] == [int(level * 30 / 10) for level in levels]
  assert table['solarize'] == [256 - int(level * 256 / 10) for level in levels]
  assert table['posterize'] == [4 - int(level * 4 / 10) for level in levels]
  assert table['translate_x'] == table['translate_y'] == [int(level * 10 / 10) for level in levels]
  np.testing.assert_allclose(table['shear_x'], [level * 0.3 / 10 for level in levels], rtol=1e-6)
  np.testing.assert_allclose(table['contrast'], [level * 1.8 / 10 + 0.1 for level in levels], rtol=1e-6)


def uniform(observed: np.ndarray, count: int, start: int = 0) -> bool:
  """Chi-square: whether whole numbers start .. start + count - 1 are equally frequent."""
  return stats.chisquare(np.bincount(observed - start, minlength=count)).pvalue > 1e-3


def drawn(draw, n: int = 3, magnitude: int = 10, shift=(10.0, 10.0), ops=tuple(range(14))):
  """20,000 times what `draw` draws: operations and strengths [20000, n]."""
  keys = jax.random.split(jax.random.key(0), 20000)
  return map(np.asarray, jax.jit(jax.vmap(lambda key: draw(key, n, jnp.array(ops), magnitude, shift)))(keys))


def test_google_draws_operations_levels_and_signs_as_published():
  ops, values = drawn(draw_google)
  identity = ops == OPERATIONS.index('identity')
  assert abs(identity.mean() - (0.5 + 0.5 / 14)) < 0.01
  assert uniform(ops[~identity] - (ops[~identity] > OPERATIONS.index('identity')), 13)
  degrees = values[ops == OPERATIONS.index('rotate')]
  assert uniform(np.round(np.abs(degrees) / 3).astype(int), 9, start=1)
  assert abs((degrees > 0).mean() - 0.5) < 0.05
  factors = np.unique(values[ops == OPERATIONS.index('sharpness')])
  np.testing.assert_allclose(factors, [0.28, 0.46, 0.64, 0.82, 1.0, 1.18, 1.36, 1.54, 1.72], rtol=1e-6)
  assert set(values[ops == OPERATIONS.index('posterize')]) == {4, 3, 2, 1}
  assert abs(np.corrcoef(ops[:, 0], ops[:, 1])[0, 1]) < 0.03


def test_torchssl_draws_uniform_strengths_and_always_applies():
  ops, values = drawn(draw_torchssl, shift=(16.0, 8.0))
  assert uniform(ops.ravel(), 14)
  ranges = {
    'rotate': (-30, 30),
    'color': (0.05, 0.95),
    'posterize': (4, 8),
    'solarize': (0, 256),
    'translate_x': (-16, 16),
    'translate_y': (-8, 8),
  }
  for name, (low, high) in ranges.items():
    strengths = values[ops == OPERATIONS.index(name)]
    assert stats.kstest(strengths, stats.uniform(low, high - low).cdf).pvalue > 1e-3, name


def test_magnitude_bounds_googles_levels():
  ops, values = drawn(draw_google, magnitude=4)
  assert set(np.abs(values[ops == OPERATIONS.index('rotate')])) == {3, 6, 9}
  with pytest.raises(BadSetting, match='leave magnitude out'):
    randaugment(variant='torchssl', magnitude=5)


def test_color_is_not_drawn_where_it_is_left_out():
  kept = tuple(i for i, name in enumerate(OPERATIONS) if name != 'color')
  ops, _ = drawn(draw_torchssl, ops=kept)
  assert set(np.unique(ops)) == set(kept)


def equations(jaxpr):
  """Every equation of a jaxpr and of the jaxprs inside it."""
  for eqn in jaxpr.eqns:
    yield eqn
    for value in eqn.params.values():
      inner = getattr(value, 'jaxpr', value)
      if hasattr(inner, 'eqns'):
        yield from equations(inner)


def test_the_program_holds_no_branch_per_operation():
  """Fourteen branches under vmap are at least 13 selects over pixels a draw; here each stage stands once."""

  def over_pixels(n: int) -> Counter:
    keys = jax.random.split(jax.random.key(0), 4)
    jaxpr = jax.make_jaxpr(jax.vmap(randaugment(n=n)))(keys, photos()[:4])
    found = list(equations(jaxpr.jaxpr))
    assert not any(eqn.primitive.name in ('cond', 'switch') for eqn in found)
    large = Counter(e.primitive.name for e in found if e.outvars[0].aval.size >= 4 * 32 * 32)
    return {name: large[name] for name in ('gather', 'select_n')}

  once = over_pixels(1)
  assert once['gather'] == 3, 'the pixels, whether they are opaque, and their levels in the table'
  assert once['select_n'] <= 8
  assert over_pixels(5) == once, 'a loop over the draws'
