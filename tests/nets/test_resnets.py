"""Residual nets against a forward pass written in NumPy, and against published sizes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ssl_bench.nets import get
from ssl_bench.nets.core import chain
from ssl_bench.nets.heads import linear
from ssl_bench.settings.signature import BadSetting

pytestmark = pytest.mark.slow

KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(size=(3, 8, 8, 2)).astype(np.float32)


def count(encoder, classes, shape):
  params, _ = jax.eval_shape(chain(encoder=encoder, head=linear(classes)).init, KEY, jnp.zeros(shape))
  return sum(leaf.size for leaf in jax.tree.leaves(params))


def draw(net, x):
  """Parameters and statistics from NumPy, all of them off their initial values; compiles nothing."""
  rng = np.random.default_rng(2)

  def one(path, leaf):
    name, noise = path[-1].key, rng.normal(size=leaf.shape)
    if name == 'kernel':
      noise *= np.sqrt(2 / np.prod(leaf.shape[:-1]))
    return np.float32(noise if name == 'kernel' else 0.1 * noise + (name in ('scale', 'var')))

  return jax.tree_util.tree_map_with_path(one, jax.eval_shape(net.init, KEY, x))


def conv(x, kernel, stride, pad):
  """Cross-correlation; `pad` is rows (and columns) of zeros before and after."""
  kernel = np.asarray(kernel, np.float64)
  size = len(kernel)
  x = np.pad(x, ((0, 0), pad, pad, (0, 0)))
  rows = (x.shape[1] - size) // stride + 1
  y = 0
  for i in range(size):
    for j in range(size):
      y += x[:, i : i + stride * rows : stride, j : j + stride * rows : stride] @ kernel[i, j]
  return y


def normalize(x, affine, mean, var, epsilon):
  return (x - mean) / np.sqrt(var + epsilon) * affine['scale'] + affine['bias']


def wide_resnet_10(params, x, biases):
  """WRN-10 in training, as FixMatch's TensorFlow code; a draw times `biases` is added to convolutions."""
  rng = np.random.default_rng(1)

  def convolve(x, module, stride=1):
    kernel = module['kernel']
    size, out = kernel.shape[0], kernel.shape[-1]
    total = max(size - stride, 0)  # TensorFlow's "SAME" for a size that the stride divides
    pad = (total // 2, total - total // 2)
    return conv(x, kernel, stride, pad) + biases * rng.normal(size=out)

  def activate(x, affine):
    x = normalize(x, affine, x.mean((0, 1, 2)), x.var((0, 1, 2)), 1e-3)
    return np.where(x > 0, x, 0.1 * x)

  x = convolve(x.astype(np.float64), params['Conv_0'])
  for i, stride in enumerate((1, 2, 2)):
    block = params[f'_Block_{i}']
    y = activate(x, block['BatchNorm_0'])
    if i == 0:
      x = y
    y = activate(convolve(y, block['Conv_0'], stride), block['BatchNorm_1'])
    y = convolve(y, block['Conv_1'])
    x = y + (convolve(x, block['Conv_2'], stride) if 'Conv_2' in block else x)
  return activate(x, params['BatchNorm_0']).mean((1, 2))


@pytest.mark.parametrize('width', [1, 2])  # the first block's shortcut: identity, convolution
def test_wide_resnet_equals_numpy_and_a_bias_would_change_nothing(width):
  net = get('wide_resnet')(depth=10, width=width)
  params, stats = draw(net, X)
  assert ('Conv_2' in params['_Block_0']) == (width > 1)
  features = jax.jit(lambda p, s, x: net.apply(p, s, x, train=True)[0])(params, stats, X)
  np.testing.assert_allclose(features, wide_resnet_10(params, X, 0), rtol=1e-3, atol=1e-4)
  np.testing.assert_allclose(features, wide_resnet_10(params, X, 1), rtol=1e-3, atol=1e-4)


def test_wide_resnet_28_2_has_its_published_size():
  stages = [(16, 32), (32, 64), (64, 128)]
  by_hand = 9 * 3 * 16 + 2 * 128 + 128 * 10 + 10
  for before, after in stages:
    by_hand += 2 * before + 9 * before * after + 2 * after + 9 * after * after + before * after
    by_hand += 3 * 2 * (2 * after + 9 * after * after)
  assert count(get('wide_resnet')(), 10, (1, 32, 32, 3)) == by_hand == 1_467_610


def test_wide_resnet_28_8_has_its_published_size():
  assert round(count(get('wide_resnet')(width=8), 100, (1, 32, 32, 3)) / 1e6, 1) == 23.4


def test_wide_resnet_names_the_nearest_depth():
  with pytest.raises(BadSetting, match='such as 28, not 27'):
    get('wide_resnet')(depth=27)


def test_wide_resnet_kernels_have_the_variance_of_he_by_fan_out():
  net = get('wide_resnet')(depth=10, width=4)
  kernel = jax.jit(lambda key: net.init(key, X)[0]['_Block_2']['Conv_0']['kernel'])(KEY)
  assert kernel.shape == (3, 3, 128, 256)
  assert abs(np.var(kernel) / (2 / (9 * 256)) - 1) < 0.01


def resnet_18(params, stats, x, stem):
  """ResNet-18 in evaluation, as torchvision pads and orders it."""

  def layer(x, module, moments, i, stride=1):
    kernel = module[f'Conv_{i}']['kernel']
    x, moments = conv(x, kernel, stride, (len(kernel) // 2,) * 2), moments[f'BatchNorm_{i}']
    return normalize(x, module[f'BatchNorm_{i}'], moments['mean'], moments['var'], 1e-5)

  stats = stats['batch_stats']
  x = np.maximum(layer(x.astype(np.float64), params, stats, 0, 1 if stem == 'cifar' else 2), 0)
  if stem == 'imagenet':
    x = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    n = 2 * ((x.shape[1] - 1) // 2)
    x = np.max([x[:, i : i + n : 2, j : j + n : 2] for i in range(3) for j in range(3)], 0)
  for i in range(8):
    block, moments, stride = params[f'_Block_{i}'], stats[f'_Block_{i}'], 2 if i in (2, 4, 6) else 1
    y = np.maximum(layer(x, block, moments, 0, stride), 0)
    y = layer(y, block, moments, 1)
    if 'Conv_2' in block:
      x = layer(x, block, moments, 2, stride)
    x = np.maximum(x + y, 0)
  return x.mean((1, 2))


@pytest.mark.parametrize('stem', ['cifar', 'imagenet'])
def test_resnet_18_equals_numpy(stem):
  net = get('resnet')(width=4, stem=stem)
  params, stats = draw(net, X)
  features = jax.jit(lambda p, s, x: net.apply(p, s, x, train=False)[0])(params, stats, X)
  assert features.shape == (3, 32)
  np.testing.assert_allclose(features, resnet_18(params, stats, X, stem), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
  ('depth', 'stem', 'classes', 'size'),
  [
    (18, 'cifar', 10, 11_173_962),
    (18, 'imagenet', 1000, 11_689_512),
    (34, 'imagenet', 1000, 21_797_672),
    (50, 'imagenet', 1000, 25_557_032),
  ],
)
def test_resnet_has_its_published_size(depth, stem, classes, size):
  assert count(get('resnet')(depth=depth, stem=stem), classes, (1, 32, 32, 3)) == size


@pytest.mark.parametrize(('depth', 'blocks'), [(18, 8), (50, 16)])
def test_resnet_blocks_may_start_as_the_identity(depth, blocks):
  def count_zero(on):
    net = get('resnet')(depth=depth, width=2, zero_init_residual=on)
    params = jax.jit(lambda: scales(net.init(KEY, X)[0]))()
    return [sum(not v.any() for v in block) for block in params]

  assert count_zero(on=True) == [1] * blocks
  assert count_zero(on=False) == [0] * blocks


def scales(params):
  """The scales of each block."""
  blocks = [block for name, block in params.items() if name.startswith('_Block')]
  return [[part['scale'] for part in block.values() if 'scale' in part] for block in blocks]
