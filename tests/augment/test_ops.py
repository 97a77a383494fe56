"""Each operation against Pillow, SciPy, colorsys or NumPy, and the distribution of what it draws."""

import colorsys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageOps
from scipy import ndimage, stats
from support.images import digits, largest_difference, photos, through_pillow

from ssl_bench.augment.crops import crop, draw_box, resize, resized_crop
from ssl_bench.augment.cutout import cutout
from ssl_bench.augment.jitter import blend_all, draw, jitter, turn_hue
from ssl_bench.augment.ops import blur, flip, grayscale, none, solarize
from ssl_bench.settings.signature import BadSetting


def keys(count: int, seed: int = 0) -> jax.Array:
  return jax.random.split(jax.random.key(seed), count)


def on_photos(operation, seed: int = 0) -> np.ndarray:
  return np.asarray(jax.jit(jax.vmap(operation))(keys(16, seed), photos()))


def on_one(operation, image: np.ndarray, count: int) -> np.ndarray:
  """The operation with `count` keys on the same image."""
  return np.asarray(jax.jit(jax.vmap(operation, (0, None)))(keys(count), image))


def test_none_and_flip():
  np.testing.assert_array_equal(on_photos(none()), photos())
  np.testing.assert_array_equal(on_photos(flip(probability=1.0)), photos()[:, :, ::-1])
  flipped = (on_one(flip(probability=0.3), digits()[1], 20000) != digits()[1]).any((1, 2, 3))
  assert stats.binomtest(int(flipped.sum()), 20000, 0.3).pvalue > 1e-3


def test_grayscale_is_pillows():
  expected = [through_pillow(lambda i: i.convert('L').convert('RGB'), image) for image in photos()]
  np.testing.assert_array_equal(on_photos(grayscale(probability=1.0)), expected)


@pytest.mark.parametrize('threshold', [0, 1, 77, 128, 255, 256])
def test_solarize_is_pillows(threshold):
  expected = [through_pillow(lambda i: ImageOps.solarize(i, threshold), image) for image in photos()]
  np.testing.assert_array_equal(on_photos(solarize(threshold=threshold, probability=1.0)), expected)


@pytest.mark.parametrize('sigma', [0.1, 0.7, 2.0])
@pytest.mark.parametrize('kernel', [0.1, 0.5])
def test_blur_is_scipys_within_rounding(sigma, kernel):
  radius = {0.1: 1, 0.5: 8}[kernel]
  got = on_photos(blur(sigma=(sigma, sigma), kernel=kernel, probability=1.0))
  smooth = ndimage.gaussian_filter(photos().astype(float), sigma, mode='mirror', radius=radius, axes=(1, 2))
  assert np.abs(got - smooth).max() < 0.501


def test_blur_draws_its_width():
  spot = np.zeros((32, 32, 1), np.uint8)
  spot[16, 16] = 255
  peaks = on_one(blur(sigma=(0.3, 2.0), kernel=0.6, probability=1.0), spot, 2000)[:, 16, 16, 0]
  quarter = 0.3 + 1.7 * np.array([0.25, 0.5, 0.75])
  taps = np.exp(-0.5 * (np.arange(-9, 10) / quarter[:, None]) ** 2)
  expected = 255 / taps.sum(1) ** 2
  np.testing.assert_allclose([(peaks > e).mean() for e in expected], [0.25, 0.5, 0.75], atol=0.05)


@pytest.mark.parametrize('mode, padding', [('reflect', 4), ('edge', 2), ('zero', 3)])
def test_crop_is_a_window_of_numpys_padding_and_every_window_as_likely(mode, padding):
  image, windows = photos()[0], 2 * padding + 1
  around = ((padding, padding), (padding, padding), (0, 0))
  padded = np.pad(image, around, mode='constant' if mode == 'zero' else mode)
  places = [(i, j) for i in range(windows) for j in range(windows)]
  which = {padded[i : i + 32, j : j + 32].tobytes(): n for n, (i, j) in enumerate(places)}
  assert len(which) == windows**2
  got = on_one(crop(padding=padding, mode=mode), image, 4000)
  counts = np.bincount([which[g.tobytes()] for g in got], minlength=windows**2)
  assert stats.chisquare(counts).pvalue > 1e-3


BOXES = np.array(
  [(0, 0, 32, 32), (3, 5, 20, 11), (10, 0, 7, 32), (31, 31, 1, 1), (12, 8, 9, 13), (0, 16, 32, 16)]
)


@pytest.mark.parametrize('side', [8, 32, 45])
def test_resize_is_pillows_antialiased_bilinear_within_one_level(side):
  shrink = jax.jit(jax.vmap(lambda image, box: resize(image, tuple(box), side, side), (None, 0)))
  for image in photos()[::3]:
    for (top, left, height, width), got in zip(BOXES.tolist(), shrink(image, BOXES)):
      shown = Image.fromarray(image).crop((left, top, left + width, top + height))
      expected = np.asarray(shown.resize((side, side), Image.Resampling.BILINEAR))
      assert largest_difference(got, expected) <= 1


def test_resized_crop_shows_its_box():
  got = on_photos(resized_crop(size=16))
  boxes = jax.jit(jax.vmap(lambda key: draw_box(key, 32, 32, (0.08, 1.0), (3 / 4, 4 / 3))))(keys(16))
  for image, result, top, left, height, width in zip(photos(), got, *(np.asarray(b).tolist() for b in boxes)):
    shown = Image.fromarray(image).crop((left, top, left + width, top + height))
    expected = np.asarray(shown.resize((16, 16), Image.Resampling.BILINEAR))
    assert largest_difference(result, expected) <= 1


def torchvision_box(rng, height, width, scale, ratio):
  """RandomResizedCrop.get_params as its documentation words it."""
  for _ in range(10):
    area = height * width * rng.uniform(*scale)
    aspect = np.exp(rng.uniform(*np.log(ratio)))
    w, h = round(np.sqrt(area * aspect)), round(np.sqrt(area / aspect))
    if 0 < w <= width and 0 < h <= height:
      return rng.integers(0, height - h + 1), rng.integers(0, width - w + 1), h, w
  if width / height < ratio[0]:
    w, h = width, max(1, round(width / ratio[0]))  # it has none of 0 pixels; ours has one at least
  elif width / height > ratio[1]:
    w, h = max(1, round(height * ratio[1])), height
  else:
    w, h = width, height
  return (height - h) // 2, (width - w) // 2, h, w


@pytest.mark.slow
@pytest.mark.parametrize(
  'height, width, scale, ratio',
  [
    (32, 32, (0.08, 1.0), (3 / 4, 4 / 3)),
    (96, 64, (0.08, 1.0), (3 / 4, 4 / 3)),
    (32, 32, (0.9, 1.0), (0.5, 2.0)),
    (32, 32, (0.9, 1.0), (2.0, 3.0)),
    (32, 20, (0.9, 1.0), (0.2, 0.4)),
    (8, 8, (0.08, 1.0), (50, 60)),
    (8, 8, (0.08, 1.0), (0.01, 0.02)),
    (45, 8, (0.5, 1.0), (30, 60)),
  ],
)
def test_boxes_are_distributed_as_torchvisions(height, width, scale, ratio):
  count = 6000
  drawn = jax.jit(jax.vmap(lambda key: jnp.stack(draw_box(key, height, width, scale, ratio))))(keys(count))
  top, left, h, w = np.asarray(drawn).T
  assert (top >= 0).all() and (left >= 0).all() and (top + h <= height).all() and (left + w <= width).all()
  rng = np.random.default_rng(1)
  expected = np.array([torchvision_box(rng, height, width, scale, ratio) for _ in range(count)]).T
  for mine, theirs in zip(
    (top, left, h, w, h * w, w / h), (*expected, expected[2] * expected[3], expected[3] / expected[2])
  ):
    assert stats.ks_2samp(mine, theirs).pvalue > 1e-4


def test_large_boxes_have_uniform_area_and_log_uniform_ratio():
  """On 1,000 pixels rounding is nothing, and at most half the area nearly always fits at the first try."""
  box = jax.jit(jax.vmap(lambda key: jnp.stack(draw_box(key, 1000, 1000, (0.1, 0.5), (3 / 4, 4 / 3)))))
  _, _, h, w = np.asarray(box(keys(6000))).T
  assert stats.kstest(h * w / 1e6, stats.uniform(0.1, 0.4).cdf).pvalue > 1e-3
  low, high = np.log([3 / 4, 4 / 3])
  assert stats.kstest(np.log(w / h), stats.uniform(low, high - low).cdf).pvalue > 1e-3


@pytest.mark.parametrize('ratio', [(50.0, 60.0), (0.01, 0.02)], ids=['flat', 'high'])
def test_where_no_box_fits_the_center_is_shown(ratio):
  """Pillow's resized row, or column, of one pixel in the middle of an 8x8 image."""
  got = on_one(resized_crop(ratio=ratio), digits()[3], 4)
  row = Image.fromarray(digits()[3][:, :, 0]).crop((0, 3, 8, 4) if ratio[0] > 1 else (3, 0, 4, 8))
  expected = np.asarray(row.resize((8, 8), Image.Resampling.BILINEAR))[:, :, None]
  assert len(np.unique(expected)) > 3
  assert all(largest_difference(image, expected) <= 1 for image in got)


@pytest.mark.parametrize('size, side', [(16, 32), (3, 8), (5, 8), (40, 32)])
def test_cutout_paints_a_square_around_a_uniform_center(size, side):
  painted = on_one(cutout(size=size), np.full((side, side, 3), 200, np.uint8), 4000)
  assert set(np.unique(painted)) <= {127, 200}
  covered = (painted == 127).all(3)
  centers = np.arange(side)[:, None] - size // 2
  touches = (np.arange(side) >= centers) & (np.arange(side) < centers + size)  # [center, pixel]
  chance = touches.mean(0)
  expected = np.outer(chance, chance)
  error = np.sqrt(np.maximum(expected * (1 - expected), 1e-9) / len(painted))
  assert (np.abs(covered.mean(0) - expected) < 5 * error + 1e-9).all()
  heights, widths = covered.any(2).sum(1), covered.any(1).sum(1)
  np.testing.assert_array_equal(covered.sum((1, 2)), heights * widths)
  assert max(heights.max(), widths.max()) == min(size, side)


def test_torchssl_cutout_is_pillows_rectangle():
  image = photos()[5]
  got = on_one(cutout(size=(0.0, 0.5), fill='torchssl'), image, 300)
  for key, result in zip(keys(300), got):
    y, x, part = np.asarray(jax.random.uniform(key, (3,)))
    side = np.float32(0.5) * part * 32
    x0, y0 = int(max(0, x * 32 - side / 2)), int(max(0, y * 32 - side / 2))
    shown = Image.fromarray(image)
    corners = (x0, y0, float(min(32, x0 + side)), float(min(32, y0 + side)))
    ImageDraw.Draw(shown).rectangle(corners, (125, 123, 114))
    np.testing.assert_array_equal(result, np.asarray(shown))
  gray = Image.new('RGB', (1, 1), (125, 123, 114)).convert('L').getpixel((0, 0))
  assert (on_one(cutout(size=(0.5, 0.5), fill='torchssl'), digits()[0], 20) == gray).any((1, 2, 3)).all()


ENHANCERS = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)


def test_jitter_without_hue_is_pillows_enhancements_in_the_drawn_order():
  strengths = (0.8, 0.6, 1.5)
  got = on_photos(jitter(brightness=0.8, contrast=0.6, saturation=1.5, hue=0.0, probability=1.0))
  for key, image, result in zip(keys(16), photos(), got):
    factors, order, _, _ = draw(jax.random.fold_in(key, 1), jnp.array(strengths), 0.0)
    shown = Image.fromarray(image)
    for kind in np.asarray(order):
      shown = ENHANCERS[kind](shown).enhance(float(factors[kind]))
    np.testing.assert_array_equal(result, np.asarray(shown))


def hue_by_colorsys(image: np.ndarray, turns: float) -> np.ndarray:
  def turn(pixel):
    h, s, v = colorsys.rgb_to_hsv(*pixel / 255)
    return colorsys.hsv_to_rgb((h + turns) % 1, s, v)

  return 255 * np.apply_along_axis(turn, 2, image)


@pytest.mark.parametrize('turns', [-0.5, -0.1, 0.03, 0.2, 0.5])
def test_hue_is_colorsys_within_one_level(turns):
  planes = jnp.moveaxis(jnp.asarray(photos()[::5]), 3, 1)
  got = np.moveaxis(np.asarray(jax.jit(jax.vmap(turn_hue, (0, None)))(planes, turns)), 1, 3)
  for image, result in zip(photos()[::5], got):
    assert np.abs(result - hue_by_colorsys(image, turns)).max() < 1.001


@pytest.mark.parametrize('turns', [-0.1, 0.2])
def test_hue_is_that_of_torchvisions_tensors_and_not_of_its_pil_images(turns):
  """floor(255.999 x) of the exact x; the PIL backend adds to Pillow's uint8 hue."""
  image = photos()[5]
  got = np.moveaxis(np.asarray(turn_hue(jnp.moveaxis(jnp.asarray(image), 2, 0), turns)), 0, 2)
  tensors = np.floor(255.999 / 255 * hue_by_colorsys(image, turns) + 1e-9)
  hue, *rest = Image.fromarray(image).convert('HSV').split()
  turned = Image.fromarray(((np.asarray(hue, int) + int(turns * 255)) % 256).astype(np.uint8))
  pil = np.asarray(Image.merge('HSV', (turned, *rest)).convert('RGB'))
  assert (got == tensors).mean() > 0.97 and largest_difference(got, tensors) <= 1
  assert (got == pil).mean() < 0.9


def test_hue_of_zero_turns_changes_nothing():
  planes = jnp.moveaxis(jnp.asarray(photos()), 3, 1)
  np.testing.assert_array_equal(jax.jit(jax.vmap(turn_hue, (0, None)))(planes, 0.0), planes)


def test_hue_takes_its_place_in_the_order():
  """Oracle: the three enhancements and colorsys in the drawn order; what hue rounds differently is scaled."""
  got = on_photos(jitter(probability=1.0))
  exact = []
  for key, image, result in zip(keys(16), photos(), got):
    factors, order, early, turns = draw(jax.random.fold_in(key, 1), jnp.array((0.8, 0.8, 0.8)), 0.2)
    shown = Image.fromarray(image)
    for kind in (k for k in np.asarray(order) if early[k]):
      shown = ENHANCERS[kind](shown).enhance(float(factors[kind]))
    shown = Image.fromarray(
      (hue_by_colorsys(np.asarray(shown), float(turns)) * 255.999 / 255).astype(np.uint8)
    )
    for kind in (k for k in np.asarray(order) if not early[k]):
      shown = ENHANCERS[kind](shown).enhance(float(factors[kind]))
    assert largest_difference(result, np.asarray(shown)) <= 4
    exact.append((result == np.asarray(shown)).mean())
  assert np.mean(exact) > 0.97


def test_jitter_draws_factors_turns_and_all_orders_alike():
  drawn = jax.jit(jax.vmap(lambda key: draw(key, jnp.array((0.4, 1.5, 0.0)), 0.1)))(keys(24000))
  factors, order, early, turns = map(np.asarray, drawn)
  assert stats.kstest(factors[:, 0], stats.uniform(0.6, 0.8).cdf).pvalue > 1e-3
  assert stats.kstest(factors[:, 1], stats.uniform(0, 2.5).cdf).pvalue > 1e-3
  assert (factors[:, 2] == 1).all()
  assert stats.kstest(turns, stats.uniform(-0.1, 0.2).cdf).pvalue > 1e-3
  assert (np.diff(np.take_along_axis(early, order, 1).astype(int), axis=1) <= 0).all(), (
    'the early ones come first'
  )
  place = order @ [9, 3, 1] * 4 + early.sum(1)
  _, counts = np.unique(place, return_counts=True)
  assert len(counts) == 24
  assert stats.chisquare(counts).pvalue > 1e-3


def test_jitter_of_gray_images_is_that_of_gray_rgb():
  gray = photos()[:, :, :, :1]
  for image in gray[::4]:
    one = jnp.moveaxis(jnp.asarray(image), 2, 0)
    three = blend_all(jnp.repeat(one, 3, 0), jnp.array([1, 0]), jnp.array([1.4, 0.7]))
    np.testing.assert_array_equal(blend_all(one, jnp.array([1, 0]), jnp.array([1.4, 0.7]))[0], three[1])


@pytest.mark.parametrize(
  'make, message',
  [
    (lambda: blur(sigma=(2.0, 0.1)), 'swap the two'),
    (lambda: resized_crop(scale=(1.0, 0.1)), 'swap the two'),
    (lambda: resized_crop(ratio=(2.0, 0.5)), 'swap the two'),
    (lambda: cutout(size=(0.5, 3.0)), 'at most 1'),
  ],
)
def test_intervals_are_checked(make, message):
  with pytest.raises(BadSetting, match=message):
    make()
