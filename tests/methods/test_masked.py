"""What MAE and SimMIM mask, what rotation turns, and what they say of nets and images that do not fit."""

import jax
import numpy as np
import pytest

from ssl_bench import methods, nets
from ssl_bench.methods._blocks import block_masks
from ssl_bench.methods.clustering import msn
from ssl_bench.methods.masked import i_jepa, mae, simmim
from ssl_bench.methods.self_distillation import dinov2, ibot
from ssl_bench.nets.heads import patch_predictor
from ssl_bench.settings.signature import BadSetting

ENCODER = nets.get('vit')(dim=8, depth=1, heads=2, patch=2)
VIEWS = {'image': {'image': np.zeros((5, 8, 12, 1), np.float32)}}  # 4 x 6 patches
KEY = jax.random.key(0)


def build(name, encoder=ENCODER, shape=(8, 8, 1), **settings):
  facts = (100.0,) if name in ('dinov2', 'i_jepa', 'ibot', 'msn') else ()
  return methods.get(name)(encoder, shape, *facts, **settings)


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


BLOCKS = {'blocks': 3, 'scale': (0.1, 0.2), 'ratio': (0.5, 2.0), 'context': (0.85, 1.0)}


def test_i_jepas_targets_are_blocks_of_one_size_and_the_context_is_without_them():
  draw = jax.jit(lambda key: i_jepa.draw(key, VIEWS, ENCODER, **BLOCKS))
  sizes, last = set(), False
  for seed in range(40):
    context, targets = (np.asarray(draw(jax.random.key(seed))[name]) for name in ('context', 'targets'))
    assert context.shape == (5, 24) and targets.shape == (5, 3, 24)
    assert context.any(1).all() and not (context & targets.any(1)).any()
    grids = targets.reshape(-1, 4, 6)
    high, wide = grids.any(2).sum(1), grids.any(1).sum(1)
    assert len({*zip(high, wide)}) == 1 and (grids.sum((1, 2)) == high * wide).all()
    share = int(24 * 0.1), int(24 * 0.2)
    assert share[0] / 2 <= high[0] * wide[0] <= share[1] * 2
    sizes.add((int(high[0]), int(wide[0])))
    last |= bool(grids[:, -1].any() and grids[:, :, -1].any())
  assert len(sizes) > 1 and last  # sizes differ from step to step, and the last row and column are reached


def test_i_jepas_context_is_the_rest_where_targets_cover_its_block():
  small = BLOCKS | {'blocks': 8, 'context': (0.05, 0.05)}
  for seed in range(20):
    drawn = i_jepa.draw(jax.random.key(seed), VIEWS, ENCODER, **small)
    context, hidden = np.asarray(drawn['context']), np.asarray(drawn['targets']).any(1)
    covered = context.sum(1) > 1  # the block itself has one patch
    np.testing.assert_array_equal(context[covered], ~hidden[covered])


def test_the_predictor_sees_the_context_and_its_own_block_only():
  predictor = patch_predictor((2, 3), dim=8, depth=2, heads=2)
  rng = np.random.default_rng(0)
  tokens = rng.normal(size=(2, 6, 4)).astype(np.float32)
  context = np.array([[1, 1, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1]], bool)
  targets = np.zeros((2, 2, 6), bool)
  targets[:, 0, 2], targets[0, 1, 3:5], targets[1, 1, :2] = True, True, True
  params, stats = predictor.init(KEY, tokens, context, targets)
  params = jax.tree.map(lambda p: p + 0.3 * rng.normal(size=p.shape).astype(np.float32), params)
  look = jax.jit(lambda *x: predictor.apply(params, stats, *x, train=True)[0])
  out = np.asarray(look(tokens, context, targets))
  assert out.shape == (2, 2, 6, 4)
  other = np.where(context[..., None], tokens, 99)
  np.testing.assert_allclose(look(other, context, targets)[targets], out[targets], rtol=1e-4, atol=1e-5)
  fewer = targets.copy()
  fewer[0, 1] = False
  np.testing.assert_allclose(look(tokens, context, fewer)[:, 0], out[:, 0], rtol=1e-4, atol=1e-5)
  moved = tokens + context[..., None]
  assert np.abs(look(moved, context, targets)[targets] - out[targets]).min() > 0
  assert np.abs(out[0, 1, 3] - out[0, 1, 4]).max() > 1e-3  # places differ


def test_blocks_mask_no_more_than_asked_and_reach_everywhere():
  most = np.float32([0, 1, 2.5, 9, 12] * 200)
  mask = np.asarray(jax.jit(lambda key: block_masks(key, most, 4, 6, 2))(KEY))
  count = mask.sum(1).reshape(-1, 5)
  assert mask.dtype == bool and (count <= most[:5]).all()
  assert (count[:, 0] == 0).all() and (count[:, 1] == 1).mean() > 0.5 and (count[:, 4] >= 10).mean() > 0.9
  assert mask.any(0).all()  # the last row and column, too
  grids = mask.reshape(-1, 5, 4, 6)[:, 3]
  beside = (grids[:, :, 1:] & grids[:, :, :-1]).sum((1, 2)) + (grids[:, 1:] & grids[:, :-1]).sum((1, 2))
  alone = 38 * 9 * 8 / (24 * 23)  # pairs beside each other, of 38, where 9 of 24 patches are drawn at random
  assert beside.mean() > 1.3 * alone
  other = np.asarray(block_masks(jax.random.key(1), most, 4, 6, 2))
  assert (mask != other).any()


GLOBAL = {view: {'image': np.zeros((32, 8, 12, 1), np.float32)} for view in 'ab'}


def test_ibot_masks_about_half_of_the_views_by_shares_in_the_range():
  mask = np.asarray(ibot.draw(KEY, GLOBAL, ENCODER, masking=(0.2, 0.5), masked=0.5)['mask'])
  count = mask.sum(1)
  assert mask.shape == (64, 24) and mask.dtype == bool and count.max() <= 12
  assert 20 <= (count > 0).sum() <= 44 and 4 < count[count > 0].mean() < 10
  every = ibot.draw(KEY, GLOBAL, ENCODER, masking=(0.5, 0.5), masked=1.0)['mask'].sum(1)
  assert every.min() > 6 and not ibot.draw(KEY, GLOBAL, ENCODER, masking=(0.5, 0.5), masked=0.0)['mask'].any()


def test_dinov2_masks_the_same_number_of_views_by_shares_all_over_the_range():
  for seed in range(3):
    key = jax.random.key(seed)
    mask = np.asarray(dinov2.draw(key, GLOBAL, ENCODER, masking=(0.25, 0.5), masked=0.5, block=2)['mask'])
    count = np.sort(mask.sum(1))
    assert mask.shape == (64, 24) and (count[:32] == 0).all() and (count[32:] > 0).all()
    most = np.floor(24 * (0.25 + 0.25 * (np.arange(32) + 1) / 32))  # of the i-th part of the range, at most
    assert (count[32:] <= most).all() and count[32:].mean() > 0.9 * most.mean() - 1


def test_msn_keeps_other_patches_of_each_image():
  keep = np.asarray(msn.draw(KEY, GLOBAL, ENCODER, dropping=0.3)['keep'])
  assert keep.shape == (32, 16) and all(len({*row}) == 16 for row in keep.tolist())
  assert len(np.unique(np.sort(keep), axis=0)) > 20  # the authors' code drops the same ones of a whole batch


@pytest.mark.parametrize('name', ['data2vec', 'dinov2', 'i_jepa', 'ibot', 'mae', 'msn', 'simmim'])
def test_other_nets_are_one_sentence(name):
  with pytest.raises(BadSetting, match=f'{name} masks patches and needs a net .* such as net=vit'):
    build(name, nets.get('convnet')())
  with pytest.raises(BadSetting, match='patch 2 must divide the image size 7x8'):
    build(name, shape=(7, 8, 1))


@pytest.mark.parametrize(
  ('name', 'settings', 'said'),
  [
    ('data2vec', {'masking': 0.05}, 'masking 0.05 of 16 patches masks none'),
    ('i_jepa', {'scale': (0.15, 0.4)}, '4 blocks of up to 6 patches may hide all 16 patches'),
    ('i_jepa', {'blocks': 2, 'dim': 30}, 'dim 30 must be a multiple of heads 12'),
    ('mae', {'masking': 0.99}, 'leaves 0 visible'),
    ('mae', {'masking': 0.01}, 'leaves 16 visible'),
    ('mae', {'dim': 30}, 'dim 30 must be a multiple of heads 16'),
    ('msn', {'dropping': 0.97}, 'dropping 0.97 of 16 patches leaves none'),
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
