"""Duplicates: equal inputs by their bytes, twins by hash and pixels, on photographs with planted copies."""

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from sklearn.datasets import load_digits, load_sample_images

from ssl_bench.data.checking import duplicates
from ssl_bench.data.checking.duplicates import equal_pairs, twins
from ssl_bench.data.checking.thumbnails import details


def crops(count=300, side=32):
  """uint8 [count, side, side, 3]: places of two photographs that overlap by less than half."""
  found = []
  for photo in load_sample_images().images:
    for top in range(0, 427 - side, side):
      for left in range(0, 640 - side, side):
        found.append(photo[top : top + side, left : left + side])
  return np.stack(found)[:: len(found) // count][:count].copy()


def brighter(image):
  return np.asarray(ImageEnhance.Brightness(Image.fromarray(image)).enhance(1.3))


def fainter(image):
  return np.asarray(ImageEnhance.Contrast(Image.fromarray(image)).enhance(0.6))


def colorless(image):
  return np.asarray(Image.fromarray(image).convert('L').convert('RGB'))


def compressed(image):
  file = io.BytesIO()
  Image.fromarray(image).save(file, 'JPEG', quality=80)
  return np.asarray(Image.open(file))


def test_equal_inputs_are_paired_with_the_first_of_their_like():
  rows = np.array([[1, 2], [3, 4], [1, 2], [5, 6], [1, 2], [3, 4]], np.float32)
  assert equal_pairs(rows).tolist() == [[0, 2], [0, 4], [1, 5]]
  assert equal_pairs(rows[:2]).shape == (0, 2)


@pytest.mark.parametrize('change', [brighter, fainter, colorless, compressed])
def test_changed_copies_are_twins_and_nothing_else_is(change):
  images = crops()
  busy = np.flatnonzero(images.std((1, 2)).min(1) > 25)[:20]
  both = np.concatenate([images, np.stack([change(images[k]) for k in busy])])
  planted = {(int(k), len(images) + n) for n, k in enumerate(busy)}
  found = {(i, j) for i, j in twins(both).pairs.tolist()}
  assert len(planted & found) >= 19 and len(found - planted) <= 2


def test_a_copy_moved_by_a_pixel_is_a_twin():
  small = np.asarray(
    Image.fromarray(load_sample_images().images[0]).resize((160, 107), Image.Resampling.BILINEAR)
  )
  places = [(top, left) for top in (30, 50, 70) for left in range(0, 120, 20)]
  images = [small[top + d : top + d + 32, left + d : left + d + 32] for d in (0, 1) for top, left in places]
  found = {(i, j) for i, j in twins(np.concatenate([crops(), np.stack(images)])).pairs.tolist()}
  moved = {(300 + k, 300 + len(places) + k) for k in range(len(places))}
  assert len(moved & found) >= 12


def test_equal_images_are_no_twins_and_flat_ones_are_not_alike():
  images = np.concatenate([crops(100), crops(100)[:5], np.zeros((5, 32, 32, 3), np.uint8)])
  pairs = twins(images).pairs
  assert not any(j >= 100 and (i == j - 100 or i >= 105) for i, j in pairs.tolist())


def test_plain_shapes_do_not_pass_for_twins():
  """Many digits correlate by more than what is asked, and few of them stand out."""
  images = np.round(load_digits().images[:600, :, :, None] * 255 / 16).astype(np.uint8)
  rows = details(images).reshape(600, -1)
  alike = np.triu(np.corrcoef(rows), 1) >= duplicates.ALIKE
  assert alike.sum() > 2000 and len(twins(images).pairs) <= 12


def test_a_set_of_a_few_images_is_searched(monkeypatch):
  monkeypatch.setattr(duplicates, 'SAMPLE', 3)
  for count in (1, 2, 5):
    assert isinstance(twins(crops()[:count]), duplicates.Twins)


@pytest.mark.parametrize('shape', [(1, 1, 1), (3, 40, 3), (96, 96, 3), (8, 8, 1)])
def test_images_of_any_size_are_searched(shape):
  images = np.random.default_rng(0).integers(0, 256, (30, *shape), np.uint8)
  changed = np.clip(images[:5].astype(int) + 3, 0, 255).astype(np.uint8)
  found = {(i, j) for i, j in twins(np.concatenate([images, changed])).pairs.tolist()}
  if min(shape[:2]) > 3:
    assert {(k, 30 + k) for k in range(5)} <= found
