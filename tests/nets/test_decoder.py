"""Decoders: shapes of both kinds, codes side by side, and a transposed convolution against SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import convolve2d

from ssl_bench.nets.heads import decoder

KEY = jax.random.key(0)


@pytest.mark.parametrize('norm', ['none', 'batch'])
@pytest.mark.parametrize('layers', ['dense', 'conv'])
@pytest.mark.parametrize('shape', [(8, 8, 1), (28, 28, 1), (32, 32, 3), (9, 14, 2)])
def test_codes_become_images_of_the_shape(layers, norm, shape):
  net = decoder(shape, layers=layers, width=8, norm=norm)
  codes = jnp.zeros((5, 6)), jnp.zeros((5, 3))
  params, stats = jax.eval_shape(net.init, KEY, *codes)
  apply = lambda p, s, *codes: net.apply(p, s, *codes, train=True)
  images, moved = jax.eval_shape(apply, params, stats, *codes)
  assert images.shape == (5, *shape) and images.dtype == jnp.float32
  assert jax.tree.map(jnp.shape, moved) == jax.tree.map(jnp.shape, stats)
  assert bool(jax.tree.leaves(stats)) == (norm == 'batch')


def test_a_conv_decoder_is_a_linear_layer_and_two_transposed_convolutions():
  net = decoder((7, 6, 1), layers='conv', width=4)
  codes = np.random.default_rng(0).normal(size=(2, 3)).astype('float32')
  params, stats = net.init(KEY, codes)
  bias = lambda path, p: p + 0.1 * jnp.arange(1.0, 1 + p.size).reshape(p.shape) if p.ndim == 1 else p
  params = jax.tree_util.tree_map_with_path(bias, params)
  ours, _ = net.apply(params, stats, codes, train=False)
  one = jax.tree.map(lambda p: np.asarray(p, 'float64'), params)

  def enlarge(x, p):
    """Zeros between the pixels, then a convolution; the middle of it, twice the size."""
    n, h, w, _ = x.shape
    out = np.zeros((n, 2 * h, 2 * w, p['kernel'].shape[-1]))
    for i, o, c in np.ndindex(n, out.shape[-1], x.shape[-1]):
      spread = np.zeros((2 * h, 2 * w))
      spread[::2, ::2] = x[i, :, :, c]
      flipped = p['kernel'][::-1, ::-1, c, o]
      out[i, :, :, o] += convolve2d(spread, flipped)[1 : 1 + 2 * h, 1 : 1 + 2 * w]
    return out + p['bias']

  x = np.maximum(codes @ one['Dense_0']['kernel'] + one['Dense_0']['bias'], 0).reshape(2, 2, 2, 4)
  x = np.maximum(enlarge(x, one['ConvTranspose_0']), 0)
  np.testing.assert_allclose(ours, enlarge(x, one['ConvTranspose_1'])[:, :7, :6], atol=1e-5)
