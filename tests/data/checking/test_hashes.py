"""Perceptual hashes against Pillow, SciPy and `imagehash`; close ones are found without all pairs."""

import numpy as np
import pytest
from PIL import Image
from scipy import fftpack
from support.images import digits, photos

from ssl_bench.data.checking.candidates import close_pairs, first_of_either
from ssl_bench.data.checking.hashes import dct_hash, difference_hash, distance
from ssl_bench.data.checking.thumbnails import gray, resize


def shown(image):
  return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).convert('L')


def bits(hashes):
  return np.unpackbits(hashes.astype('>u8').view(np.uint8).reshape(len(hashes), 8), axis=1)


@pytest.fixture(params=['photos', 'digits', 'odd'])
def images(request):
  rng = np.random.default_rng(0)
  odd = rng.integers(0, 256, (20, 13, 37, 3), np.uint8)
  return {'photos': photos, 'digits': digits, 'odd': lambda: odd}[request.param]()


def test_thumbnails_are_pillows_to_a_gray_level(images):
  for size in ((32, 32), (8, 9)):
    expected = [np.asarray(shown(i).resize(size[::-1], Image.Resampling.LANCZOS), int) for i in images]
    found = resize(gray(images), *size)
    assert np.abs(found - np.stack(expected)).max() <= 1
    assert (found == expected).mean() > 0.999


def test_hashes_are_those_of_the_definition(images):
  for image, dct, difference in zip(images, bits(dct_hash(images)), bits(difference_hash(images))):
    small = np.asarray(shown(image).resize((32, 32), Image.Resampling.LANCZOS))
    low = fftpack.dct(fftpack.dct(small, axis=0), axis=1)[:8, :8]
    assert (dct != (low > np.median(low)).ravel()).sum() <= 2
    rows = np.asarray(shown(image).resize((9, 8), Image.Resampling.LANCZOS), int)
    assert (difference != (np.diff(rows) > 0).ravel()).sum() <= 2


def test_hashes_are_those_of_imagehash(images):
  imagehash = pytest.importorskip('imagehash')
  for of_package, of_ours in ((imagehash.phash, dct_hash), (imagehash.dhash, difference_hash)):
    expected = np.stack([of_package(shown(image)).hash.ravel() for image in images])
    assert (bits(of_ours(images)) == expected).mean() > 0.995


def planted(count=3000, pairs=200, flips=20):
  """Random hashes of 128 bits, and pairs of which the second has some bits of the first flipped."""
  rng = np.random.default_rng(0)
  rows = rng.integers(0, 2, (count, 128), np.uint8)
  known = rng.permutation(count)[: 2 * pairs].reshape(pairs, 2)
  for i, j in known:
    rows[j] = rows[i]
    rows[j, rng.choice(128, rng.integers(0, flips + 1), replace=False)] ^= 1
  return np.packbits(rows, axis=1).view('>u8').astype(np.uint64), np.sort(known, axis=1)


def test_close_pairs_are_found_and_all_are_close():
  hashes, known = planted()
  found = close_pairs(hashes, 30)
  apart = distance(hashes[found[:, 0]], hashes[found[:, 1]]).sum(1)
  assert (found[:, 0] < found[:, 1]).all() and apart.max() <= 30
  assert len({*map(tuple, known.tolist())} & {*map(tuple, found.tolist())}) >= 0.95 * len(known)
  everything = np.array([np.bitwise_count(hashes[i] ^ hashes).sum(1) for i in range(500)]) <= 30
  assert {(i, j) for i, j in found.tolist() if i < 500} <= {
    *zip(*map(np.ndarray.tolist, np.nonzero(everything)))
  }


@pytest.mark.parametrize('count', [0, 1, 2])
def test_few_hashes_have_few_pairs(count):
  assert len(close_pairs(np.zeros((count, 2), np.uint64), 0)) == (count == 2)


def test_a_set_of_equal_hashes_gives_no_more_pairs_than_an_image_keeps():
  assert len(close_pairs(np.zeros((2000, 2), np.uint64), 0, most=3)) <= 2000 * 3 * 2


def test_the_cheapest_pairs_of_each_are_kept():
  pairs = np.array([[0, 1], [0, 2], [0, 3], [2, 3]])
  assert first_of_either(pairs, np.array([1, 2, 3, 0]), 1).tolist() == [True, False, False, True]


def test_a_search_can_be_ended():
  with pytest.raises(TimeoutError):
    close_pairs(np.zeros((10, 2), np.uint64), 3, should_stop=lambda: True)
