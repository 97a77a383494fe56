"""The transformer on tokens against a forward pass written in NumPy; padding changes nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf, softmax

from ssl_bench.nets import get
from ssl_bench.settings.signature import BadSetting

KEY = jax.random.key(0)
TINY = {'dim': 8, 'depth': 2, 'heads': 2}
TOKENS = np.array([[65, 66, 67, 0, 0], [200, 65, 65, 1, 255], [7, 0, 0, 0, 0]], np.uint8)


@pytest.fixture(scope='module')
def tiny():
  """A tiny net with parameters large enough that every part of it shows, and its two outputs."""
  net, rng = get('sequence')(**TINY), np.random.default_rng(1)
  params, stats = jax.eval_shape(net.init, KEY, TOKENS)
  params = jax.tree.map(lambda p: np.float32(0.4 * rng.normal(size=p.shape)), params)
  look = jax.jit(
    lambda ids, tokens: net.apply(params, stats, ids, train=False, tokens=tokens)[0], static_argnums=1
  )
  return params, look


def dense(p, x):
  return x @ p['kernel'].astype(np.float64) + p['bias']


def layer_norm(p, x):
  x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
  return x * p['scale'] + p['bias']


def block(p, x):
  """One text [length, dim] of tokens that are all there."""
  q, k, v = np.split(dense(p['Dense_0'], layer_norm(p['LayerNorm_0'], x)), 3, -1)
  heads = [softmax(q[:, h] @ k[:, h].T / np.sqrt(4), -1) @ v[:, h] for h in (slice(0, 4), slice(4, 8))]
  x = x + dense(p['Dense_1'], np.concatenate(heads, -1))
  y = dense(p['Dense_2'], layer_norm(p['LayerNorm_1'], x))
  return x + dense(p['Dense_3'], y * (1 + erf(y / np.sqrt(2))) / 2)


def forward(params, text):
  """Features of each token of one text, padding cut off."""
  x = params['Embed_0']['embedding'][text].astype(np.float64) + params['position'][: len(text)]
  for name in sorted(k for k in params if 'Block' in k):
    x = block(params[name], x)
  return layer_norm(params['LayerNorm_0'], x)


def test_it_equals_numpy_on_each_text_alone(tiny):
  params, look = tiny
  each, mean = look(TOKENS, True), look(TOKENS, False)
  assert each.shape == (3, 5, 8) and mean.shape == (3, 8) and mean.dtype == jnp.float32
  for i, count in enumerate((3, 5, 1)):
    expected = forward(params, TOKENS[i, :count])
    np.testing.assert_allclose(each[i, :count], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(mean[i], expected.mean(0), rtol=1e-4, atol=1e-5)


def test_tokens_may_come_as_images_do_and_an_empty_text_is_finite(tiny):
  _, look = tiny
  np.testing.assert_allclose(look(TOKENS[:, :, None, None], False), look(TOKENS, False), rtol=1e-6)
  assert np.isfinite(look(np.zeros_like(TOKENS), False)).all()


def test_a_shorter_text_takes_the_first_places(tiny):
  _, look = tiny
  np.testing.assert_allclose(look(TOKENS[::2, :3], False), look(TOKENS, False)[::2], rtol=1e-4, atol=1e-5)


def test_what_it_cannot_read_is_told():
  net = get('sequence')(**TINY)
  with pytest.raises(BadSetting, match='whole numbers'):
    net.init(KEY, jnp.zeros((2, 8, 8, 1)))
  with pytest.raises(BadSetting, match='multiple of heads'):
    get('sequence')(dim=10, heads=4)
