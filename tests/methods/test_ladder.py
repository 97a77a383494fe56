"""What a ladder needs of its costs, and where its decoder ends."""

import jax
import jax.numpy as jnp
import pytest

from ssl_bench.methods.consistency.ladder import ladder
from ssl_bench.settings.signature import BadSetting

VIEWS = {'labeled': {'image': jnp.zeros((2, 2, 2, 1))}}


def parts(**settings):
  return jax.eval_shape(ladder(4, (2, 2, 1), **settings).init, jax.random.key(0), VIEWS)[0]


def test_there_is_a_cost_for_every_layer():
  with pytest.raises(BadSetting, match='costs must hold 4 numbers, not 3: of the pixels, of 2 hidden layers'):
    ladder(4, (2, 2, 1), widths=(5, 6), costs=(1.0, 1.0, 1.0))


@pytest.mark.parametrize(
  ('costs', 'lowest'), [((1.0, 0.0, 0.0, 1.0), 0), ((0.0, 0.0, 2.0, 0.0), 2), ((0.0,) * 4, 4)]
)
def test_the_decoder_ends_at_the_lowest_layer_that_costs_something(costs, lowest):
  found = parts(widths=(5, 6), costs=costs)
  assert {name for name in found if name.startswith('decoder')} == {f'decoder_{i}' for i in range(lowest, 4)}
  assert {n: p['kernel'].shape for n, p in found.items() if n.startswith('decoder') and 'kernel' in p} == {
    f'decoder_{i}': shape for i, shape in enumerate([(5, 4), (6, 5), (4, 6)]) if i >= lowest
  }


def test_images_are_predicted_without_noise():
  method = ladder(4, (2, 2, 1), widths=(5,), costs=(1.0, 1.0, 1.0), noise=100.0)
  params, stats, _ = method.init(jax.random.key(0), VIEWS)
  state = type('State', (), {'params': params, 'stats': stats})
  image = jnp.ones((1, 2, 2, 1))
  hidden = jax.nn.relu(jnp.ones((1, 4)) @ params['encoder']['kernel'])
  expected = hidden @ params['head']['kernel']
  assert jnp.allclose(method.encode(state, image), hidden, atol=1e-5)
  assert jnp.allclose(method.predict(state, image), expected, atol=1e-5)
