"""What MAE and SimMIM mask, what rotation turns, and what they say of nets and images that do not fit."""

import jax
import numpy as np
import pytest

from ssl_bench import methods, nets
from ssl_bench.methods.masked import mae, simmim
from ssl_bench.settings.signature import BadSetting

ENCODER = nets.get('vit')(dim=8, depth=1, heads=2, patch=2)
VIEWS = {'image': {'image': np.zeros((5, 8, 12, 1), np.float32)}}  # 4 x 6 patches
KEY = jax.random.key(0)


def build(name, encoder=ENCODER, shape=(8, 8, 1), **settings):
  return methods.get(name)(encoder, shape, **settings)


def test_maes_orders_are_permutations_of_their_own():
  order = np.asarray(mae.draw(KEY, VIEWS, ENCODER)['order'])
  np.testing.assert_array_equal(np.sort(order), np.tile(np.arange(24), (5, 1)))
  other = np.asarray(mae.draw(jax.random.key(1), VIEWS, ENCODER)['order'])
  assert len(np.unique(np.concatenate([order, other]), axis=0)) == 10


@pytest.mark.parametrize(
  ('masking', 'block', 'masked'), [(0.6, 1, 15), (0.6, 2, 16), (0.1, 1, 3), (0.5, 2, 12)]
)
def test_simmim_masks_whole_squares_and_rounds_up(masking, block, masked):
  mask = np.asarray(simmim.draw(KEY, VIEWS, ENCODER, masking=masking, block=block)['mask'])
  assert mask.dtype == bool and (mask.sum(-1) == masked).all()
  squares = mask.reshape(5, 4 // block, block, 6 // block, block)
  np.testing.assert_array_equal(squares.all((2, 4)), squares.any((2, 4)))
  assert len(np.unique(mask, axis=0)) > 1


@pytest.mark.parametrize('name', ['mae', 'simmim'])
def test_other_nets_are_one_sentence(name):
  with pytest.raises(BadSetting, match=f'{name} masks patches and needs a net .* such as net=vit'):
    build(name, nets.get('convnet')())
  with pytest.raises(BadSetting, match='patch 2 must divide the image size 7x8'):
    build(name, shape=(7, 8, 1))


@pytest.mark.parametrize(
  ('name', 'settings', 'said'),
  [
    ('mae', {'masking': 0.99}, 'leaves 0 visible'),
    ('mae', {'masking': 0.01}, 'leaves 16 visible'),
    ('mae', {'dim': 30}, 'dim 30 must be a multiple of heads 16'),
    ('simmim', {'block': 3}, 'block 3 must divide the 4x4 patches'),
    ('simmim', {'masking': 0.8, 'block': 2}, 'leaves none visible'),
  ],
)
def test_masks_that_cannot_be_are_one_sentence(name, settings, said):
  with pytest.raises(BadSetting, match=said):
    build(name, **settings)


def test_a_patch_of_one_number_cannot_be_normalized():
  single = nets.get('vit')(dim=8, depth=1, heads=2, patch=1)
  with pytest.raises(BadSetting, match='normalized=false'):
    build('mae', single)
  build('mae', single, normalized=False)
  build('mae', single, (8, 8, 3))


def test_rotation_needs_square_images():
  with pytest.raises(BadSetting, match='rotation needs square images, not 8x12'):
    build('rotation', shape=(8, 12, 1))
