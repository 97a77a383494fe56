"""The vision transformer against a forward pass written in NumPy, published sizes, and its options."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy.special import erf, softmax

from ssl_bench.nets import get
from ssl_bench.nets.core import chain
from ssl_bench.nets.heads import linear
from ssl_bench.nets.vit import patchify, sincos
from ssl_bench.settings.signature import BadSetting

KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(size=(3, 4, 6, 2)).astype(np.float32)
TINY = {'dim': 8, 'depth': 2, 'heads': 2, 'patch': 2}


@pytest.fixture(scope='module')
def tiny():
  """A tiny net with parameters from NumPy, large enough that every part of it shows."""
  net = get('vit')(**TINY)
  rng = np.random.default_rng(1)
  params, stats = jax.eval_shape(net.init, KEY, X)
  return net, jax.tree.map(lambda p: np.float32(0.4 * rng.normal(size=p.shape)), params), stats


def dense(p, x):
  return x @ p['kernel'].astype(np.float64) + p['bias']


def layer_norm(p, x):
  x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
  return x * p['scale'] + p['bias']


def attention(p, x, heads):
  q, k, v = np.split(dense(p['Dense_0'], x), 3, -1)
  split = lambda a: a.reshape(*a.shape[:2], heads, -1).transpose(0, 2, 1, 3)
  q, k, v = split(q), split(k), split(v)
  y = softmax(q @ k.transpose(0, 1, 3, 2) / np.sqrt(q.shape[-1]), -1) @ v
  return dense(p['Dense_1'], y.transpose(0, 2, 1, 3).reshape(x.shape))


def forward(p, images):
  """All tokens of the tiny net."""
  rows = [images[:, i : i + 2, j : j + 2].reshape(len(images), -1) for i in (0, 2) for j in (0, 2, 4)]
  x = dense(p['Dense_0'], np.stack(rows, 1).astype(np.float64)) + p['position'].reshape(6, 8)
  cls = np.broadcast_to(p['cls'] + p['cls_position'], (len(x), 1, 8))
  x = np.concatenate([cls, x], 1)
  for i in range(2):
    b = p[f'Block_{i}']
    x = x + attention(b, layer_norm(b['LayerNorm_0'], x), heads=2)
    y = dense(b['Dense_2'], layer_norm(b['LayerNorm_1'], x))
    x = x + dense(b['Dense_3'], y * (1 + erf(y / np.sqrt(2))) / 2)
  return layer_norm(p['LayerNorm_0'], x)


def test_vit_equals_numpy_with_either_pooling(tiny):
  net, params, stats = tiny
  expected = forward(params, X)
  tokens, same = jax.jit(lambda p, x: net.apply(p, stats, x, train=False, tokens=True))(params, X)
  np.testing.assert_allclose(tokens, expected, rtol=1e-4, atol=2e-5)
  assert stats == same == {}
  features = jax.jit(lambda p, x: net.apply(p, stats, x, train=False)[0])(params, X)
  np.testing.assert_allclose(features, expected[:, 0], rtol=1e-3, atol=1e-4)
  pooled = get('vit')(**TINY, pool='mean')
  mean = jax.jit(lambda p, x: pooled.apply(p, stats, x, train=True)[0])(params, X)
  np.testing.assert_allclose(mean, expected[:, 1:].mean(1), rtol=1e-3, atol=1e-4)


def test_kept_patches_keep_their_positions(tiny):
  net, params, stats = tiny
  look = jax.jit(lambda x, keep: net.apply(params, stats, x, train=True, keep=keep, tokens=True)[0])
  run = partial(look, X)
  order = np.stack([np.random.default_rng(i).permutation(6) for i in range(3)])
  everything = forward(params, X)
  shuffled = np.take_along_axis(everything[:, 1:], order[..., None], 1)  # attention knows no order
  np.testing.assert_allclose(run(order)[:, 1:], shuffled, rtol=1e-3, atol=1e-4)
  np.testing.assert_allclose(run(order)[:, 0], everything[:, 0], rtol=1e-3, atol=1e-4)
  kept = run(order[:, :2])
  assert kept.shape == (3, 3, 8)
  hidden = X.copy()
  for image, patches in zip(hidden, order[:, 2:]):
    for patch in patches:
      i, j = 2 * (patch // 3), 2 * (patch % 3)
      image[i : i + 2, j : j + 2] = 99  # what is not kept must not be seen
  other = look(hidden, order[:, :2])
  np.testing.assert_allclose(kept, other, rtol=1e-5, atol=1e-5)


def test_layers_are_the_tokens_after_the_last_blocks(tiny):
  net, params, stats = tiny
  look = lambda **how: np.asarray(net.apply(params, stats, X, train=False, **how)[0])
  layers, tokens = look(layers=2), look(tokens=True)
  assert layers.shape == (2, 3, 7, 8)
  shallow = params | {'Block_1': jax.tree.map(np.zeros_like, params['Block_1'])}  # which then adds nothing
  first, _ = net.apply(shallow, stats, X, train=False, tokens=True)
  np.testing.assert_allclose(layer_norm(params['LayerNorm_0'], layers[0]), first, rtol=1e-3, atol=1e-4)
  np.testing.assert_allclose(layer_norm(params['LayerNorm_0'], layers[1]), tokens, rtol=1e-3, atol=1e-4)
  np.testing.assert_array_equal(look(layers=1)[0], layers[1])
  with pytest.raises(BadSetting, match='vit: it has 2 blocks, not 3'):
    look(layers=3)


def test_patches_that_are_not_seen_change_nothing(tiny):
  net, params, stats = tiny
  seen = np.array([[1, 0, 1, 0, 0, 1], [0, 1, 0, 0, 1, 1], [1, 1, 1, 0, 0, 0]], bool)
  look = jax.jit(lambda x, seen: net.apply(params, stats, x, train=True, seen=seen, tokens=True)[0])
  kept = np.stack([np.flatnonzero(row) for row in seen])
  expected, _ = net.apply(params, stats, X, train=True, keep=kept, tokens=True)
  tokens = np.asarray(look(X, seen))
  np.testing.assert_allclose(tokens[:, 0], expected[:, 0], rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(tokens[:, 1:][seen].reshape(3, 3, 8), expected[:, 1:], rtol=1e-4, atol=1e-5)


def test_masked_patches_are_the_token_at_their_positions(tiny):
  net, params, stats = tiny
  where = np.random.default_rng(0).random((3, 6)) < 0.5
  where[2] = True
  token = np.linspace(-1, 1, 8, dtype=np.float32)
  look = jax.jit(lambda x, p: net.apply(p, stats, x, train=True, mask=(where, token), tokens=True)[0])
  hidden = X.copy()
  for i, patch in zip(*np.nonzero(where)):
    row, column = 2 * (patch // 3), 2 * (patch % 3)
    hidden[i, row : row + 2, column : column + 2] = 99  # what is masked must not be seen
  np.testing.assert_array_equal(look(X, params), look(hidden, params))
  blank = params | {'Dense_0': {'kernel': 0 * params['Dense_0']['kernel'], 'bias': token}}
  np.testing.assert_allclose(look(X, params)[2], forward(blank, X)[2], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
  ('size', 'count'), [('tiny', 5_717_416), ('small', 22_050_664), ('base', 86_567_656)]
)
def test_vit_has_the_size_of_deit(size, count):
  model = chain(encoder=get('vit')(size=size, patch=16), head=linear(1000))
  params, _ = jax.eval_shape(model.init, KEY, jnp.zeros((1, 224, 224, 3)))
  assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count


def test_other_image_sizes_interpolate_learned_positions(tiny):
  net, params, stats = tiny
  larger = np.zeros((1, 8, 12, 2), np.float32)
  run = jax.jit(lambda p: net.apply(p, stats, larger, train=False, tokens=True)[0])
  assert run(params).shape == (1, 1 + 24, 8)
  stretched = run(params | {'position': np.ones((2, 3, 8), np.float32)})
  exact = run(params | {'position': np.ones((4, 6, 8), np.float32)})
  np.testing.assert_allclose(stretched, exact, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('shape', [(4, 6), (3, 5), (1, 2)])
def test_positions_are_interpolated_as_pillow_does(tiny, shape):
  """Larger, smaller and odd grids: bicubic, with antialiasing where it shrinks."""
  net, params, stats = tiny
  resized = [
    np.asarray(Image.fromarray(channel).resize(shape[::-1], Image.Resampling.BICUBIC))
    for channel in params['position'].transpose(2, 0, 1)
  ]
  images = np.random.default_rng(2).normal(size=(1, 2 * shape[0], 2 * shape[1], 2)).astype(np.float32)
  run = jax.jit(lambda position: net.apply(params | {'position': position}, stats, images, train=False)[0])
  np.testing.assert_allclose(run(params['position']), run(np.stack(resized, -1)), rtol=1e-4, atol=1e-4)


def test_sincos_positions_are_fixed_and_two_dimensional():
  net = get('vit')(**TINY, position='sincos')
  params, _ = jax.eval_shape(net.init, KEY, X)
  assert {'position', 'cls_position'}.isdisjoint(params)
  table = sincos(3, 4, 8)
  for row in range(3):
    for column in range(4):
      angles = [column, column / 100, row, row / 100]
      expected = [f(a) for pair in (angles[:2], angles[2:]) for f in (np.sin, np.cos) for a in pair]
      np.testing.assert_allclose(table[row, column], expected, atol=1e-6)


def test_patches_are_read_row_by_row():
  patches = np.asarray(patchify(X, 2))
  assert patches.shape == (3, 6, 8)
  np.testing.assert_array_equal(patches[1, 4], X[1, 2:4, 2:4].reshape(-1))


def test_drop_path_skips_whole_examples_and_spares_the_first_block(tiny):
  _, params, stats = tiny
  net = get('vit')(**TINY | {'depth': 1}, drop_path=0.5)
  one = {k: v for k, v in params.items() if k != 'Block_1'}
  run = jax.jit(lambda key: net.apply(one, stats, X, train=key is not None, key=key)[0])
  np.testing.assert_allclose(run(KEY), run(None), rtol=1e-4, atol=1e-5)
  net = get('vit')(**TINY, drop_path=0.5)
  same = np.repeat(X[:1], 64, 0)
  run = jax.jit(lambda key: net.apply(params, stats, same, train=True, key=key)[0])
  features = np.unique(np.round(run(KEY), 3), axis=0)
  assert len(features) == 4  # of the last block: neither, attention, MLP, both


def test_impossible_settings_are_one_sentence():
  with pytest.raises(BadSetting, match='multiple of heads'):
    get('vit')(dim=10, heads=3)
  with pytest.raises(BadSetting, match='multiple of 4'):
    get('vit')(dim=6, heads=3, position='sincos')
  with pytest.raises(BadSetting, match='patch 4 must divide the image size 28x30'):
    jax.eval_shape(get('vit')().init, KEY, jnp.zeros((1, 28, 30, 1)))
