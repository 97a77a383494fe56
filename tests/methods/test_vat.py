"""VAT's direction where precision is short: the product needs no small step, differences of gradients do."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ssl_bench import nets
from ssl_bench.contract import State
from ssl_bench.losses import soft_cross_entropy
from ssl_bench.methods.consistency.vat import most_sensitive, unit, vat
from ssl_bench.nets import core as net
from ssl_bench.nets.heads import linear

IMAGES = np.tanh(np.random.default_rng(0).normal(size=(4, 32, 32, 3))).astype('float32')
START = np.random.default_rng(1).normal(size=IMAGES.shape).astype('float32')


def predictor(dtype):
  model = net.chain(encoder=nets.get('convnet')(width=4, dtype=dtype), head=linear(10))
  params, stats = model.init(jax.random.key(0), IMAGES)
  return lambda images: model.apply(params, stats, images, train=True)[0]['head']


@partial(jax.jit, static_argnums=0)
def product(predict):
  return most_sensitive(predict, IMAGES, START, 1)


@partial(jax.jit, static_argnums=0)
def difference(predict, step):
  """The direction as published: the gradient of the divergence at a small step."""
  q = jax.nn.softmax(predict(IMAGES))
  return unit(jax.grad(lambda r: soft_cross_entropy(predict(IMAGES + r), q).sum())(step * unit(START)))


def cosine(a, b):
  return float((a * b).sum((1, 2, 3)).min())


@pytest.mark.slow
def test_direction_survives_precisions_in_which_the_published_step_vanishes():
  single, half = predictor('float32'), predictor('bfloat16')
  direction = product(single)
  np.testing.assert_allclose(jnp.square(direction).sum((1, 2, 3)), 1, rtol=1e-5)
  assert cosine(direction, difference(single, 1e-3)) > 0.99
  assert cosine(direction, difference(single, 1e-6)) < 0.5
  assert cosine(direction, product(half)) > 0.95
  assert cosine(direction, difference(half, 1e-6)) < 0.5


def test_unit_length_from_the_smallest_numbers_on():
  x = START * np.array([1e-30, 1e-20, 1.0, 0.0], 'float32')[:, None, None, None]
  np.testing.assert_allclose(jnp.square(unit(x)).sum((1, 2, 3)), [1, 1, 1, 0], rtol=1e-5)


@pytest.mark.parametrize('noises', ['shared', 'own'])
def test_noise_of_the_net_is_a_part_of_the_divergence_only_where_each_pass_has_its_own(noises):
  """Without a perturbation to speak of, two passes differ by their noise alone."""
  encoder = nets.get('mlp')(widths=(8,), noise=0.5)
  method = vat(encoder, 3, 1.0, radius=1e-20, weight=1.0, entropy=0.0, ramp=1e-9, noises=noises)
  views = {
    'labeled': {'image': IMAGES[:, :2, :2], 'label': jnp.array([0, 1, 2, 0])},
    'unlabeled': {'image': IMAGES[:, 2:4, :2], 'index': jnp.arange(4)},
  }
  params, stats, memory = method.init(jax.random.key(0), views)
  state = State(jax.random.key(0), jnp.int32(5), params, stats, memory, ())
  divergence = method.loss(state, views, jax.random.key(1))[1].metrics['loss/adversarial']
  assert divergence > 0.01 if noises == 'own' else abs(divergence) < 1e-5
