"""The nets of series and of tables against their equations in NumPy."""

import jax
import numpy as np

from ssl_bench.nets.resnet1d import resnet1d
from ssl_bench.nets.tabular_resnet import tabular_resnet

KEY = jax.random.key(0)


def conv(x, kernel):
  """'Same' convolution along time, as sums."""
  size = len(kernel)
  left = (size - 1) // 2
  padded = np.pad(x, ((0, 0), (left, size - 1 - left), (0, 0)))
  return sum(padded[:, k : k + x.shape[1]] @ kernel[k] for k in range(size))


def norm(x, scale, bias):
  axes = tuple(range(x.ndim - 1))
  return (x - x.mean(axes)) / np.sqrt(x.var(axes) + 1e-5) * scale + bias


def leaves_in_order(params):
  return jax.tree.map(lambda p: np.asarray(p, float), params)


def test_the_residual_network_of_series_equals_numpy():
  x = np.random.default_rng(0).normal(size=(3, 11, 2)).astype('float32')
  net = resnet1d(width=3)
  params, stats = net.init(KEY, x)
  p = leaves_in_order(params)
  turn = {'Conv': iter(range(99)), 'BatchNorm': iter(range(99))}

  def step(y, layer):
    own = p[f'{layer}_{next(turn[layer])}']
    return conv(y, own['kernel']) if layer == 'Conv' else norm(y, own['scale'], own['bias'])

  y = x.astype(float)
  for width in (3, 6, 6):
    z = y
    for i in range(3):
      z = step(step(z, 'Conv'), 'BatchNorm')
      z = np.maximum(z, 0) if i < 2 else z
    around = step(y, 'Conv') if y.shape[-1] != width else y
    y = np.maximum(step(around, 'BatchNorm') + z, 0)
  every, _ = net.apply(params, stats, x, train=True, tokens=True)
  mean, _ = net.apply(params, stats, x, train=True)
  np.testing.assert_allclose(every, y, atol=2e-4)
  np.testing.assert_allclose(mean, y.mean(1), atol=2e-4)


def test_it_has_the_layers_of_the_paper():
  params, _ = jax.eval_shape(resnet1d().init, KEY, np.zeros((2, 24, 1), 'float32'))
  kernels = sorted(p.shape for p in jax.tree.leaves(params) if len(p.shape) == 3)
  assert kernels == sorted(
    [
      *[(8, 1, 64), (5, 64, 64), (3, 64, 64), (1, 1, 64)],
      *[(8, 64, 128), (5, 128, 128), (3, 128, 128), (1, 64, 128)],
      *[(8, 128, 128), (5, 128, 128), (3, 128, 128)],
    ]
  )


def test_the_residual_network_of_tables_equals_numpy():
  x = np.random.default_rng(0).normal(size=(7, 5)).astype('float32')
  net = tabular_resnet(width=4, hidden=6, blocks=2, dropout=0.0)
  params, stats = net.init(KEY, x)
  p = leaves_in_order(params)
  linear = lambda y, i: y @ p[f'Dense_{i}']['kernel'] + p[f'Dense_{i}']['bias']
  normal = lambda y, i: norm(y, p[f'BatchNorm_{i}']['scale'], p[f'BatchNorm_{i}']['bias'])
  y = linear(x.astype(float), 0)
  for block in range(2):
    y = y + linear(np.maximum(linear(normal(y, block), 2 * block + 1), 0), 2 * block + 2)
  found, _ = net.apply(params, stats, x, train=True, key=KEY)
  np.testing.assert_allclose(found, np.maximum(normal(y, 2), 0), atol=1e-4)
