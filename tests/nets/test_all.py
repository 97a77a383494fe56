"""What holds for every net that the folder has: found by name, traced but hardly compiled."""

import math
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ssl_bench import nets
from ssl_bench.contract import Nodes
from ssl_bench.kinds.graph import GraphSizes, graph_of_shapes
from ssl_bench.nets._norm import count_groups, normalize
from ssl_bench.nets.core import chain
from ssl_bench.nets.heads import linear
from ssl_bench.settings.signature import BadSetting, check, settings_of

KEY = jax.random.key(0)
SHAPES = [(4, 8, 8, 1), (4, 28, 28, 1), (4, 32, 32, 3)]
SMALL = {'vit': {'depth': 2}, 'wide_resnet': {'depth': 10}}  # the others are small enough to trace
NORMS = [
  (name, norm)
  for name in ('convnet', 'mlp', 'resnet', 'resnet1d', 'tabular_resnet', 'wide_resnet')
  for norm in settings_of(nets.get(name))['norm'].type.__args__
]


def trace(net, shape, train):
  """Parameters, statistics, features and next statistics, as shapes."""
  inputs = inputs_of(net, shape)
  params, stats = jax.eval_shape(net.init, KEY, inputs)
  apply = lambda p, s, x: net.apply(p, s, x, train=train, key=KEY)
  return params, stats, *jax.eval_shape(apply, params, stats, inputs)


def inputs_of(net, shape):
  """Images; or as many tokens, nodes of a graph of as many features, series, rows."""
  count, length, *more = shape
  values = length * math.prod(more)
  if net.kind == 'graph':
    graph = graph_of_shapes(GraphSizes(12, values, 20, 16), lambda size, dtype: jnp.zeros(size, dtype))
    return Nodes(graph, jnp.arange(count, dtype='int32'))
  if net.kind == 'tokens':
    return jnp.zeros((count, shape[1] * shape[2]), 'int32')
  return jnp.zeros(
    {'series': (count, length, math.prod(more)), 'table': (count, values)}.get(net.kind, shape)
  )


def kinds(tree):
  return [(leaf.shape, leaf.dtype, leaf.weak_type) for leaf in jax.tree.leaves(tree)]


def test_names_are_the_modules_and_cost_no_import():
  assert nets.names() == [
    *('appnp', 'convnet', 'gat', 'gcn', 'gcnii', 'mlp', 'propagated_mlp', 'resnet', 'resnet1d', 'sequence'),
    *('sgc', 'tabular_resnet', 'vit', 'wide_resnet'),
  ]
  code = 'import sys; from ssl_bench import nets; nets.names(); print({"jax", "flax"} & set(sys.modules))'
  assert subprocess.check_output([sys.executable, '-c', code], text=True).strip() == 'set()'


def test_an_unknown_net_gets_the_nearest_name():
  with pytest.raises(BadSetting, match="did you mean 'wide_resnet'"):
    nets.get('wide_resent')
  with pytest.raises(BadSetting):
    nets.get('_norm')


@pytest.mark.parametrize('name', nets.names())
def test_settings_are_structure_with_checked_ranges(name):
  factory = nets.get(name)
  assert not any(setting.is_number for setting in settings_of(factory).values())
  assert check(factory, {}) == {k: s.default for k, s in settings_of(factory).items()}
  for given in ({'momentum': 1.0}, {'dtype': 'float16'}, {'width': 0}, {'widths': [0]}, {'patch': 0}):
    if given.keys() <= settings_of(factory).keys():
      with pytest.raises(BadSetting):
        check(factory, given)


@pytest.mark.parametrize('shape', SHAPES, ids=str)
@pytest.mark.parametrize('name', nets.names())
def test_features_are_float32_vectors_and_state_keeps_its_kind(name, shape):
  params, stats, features, new = trace(nets.get(name)(**SMALL.get(name, {})), shape, train=True)
  assert features.shape[0] == 4 and features.ndim == 2 and features.dtype == jnp.float32
  assert jax.tree.structure(new) == jax.tree.structure(stats)
  assert kinds(new) == kinds(stats)
  assert not any(weak for *_, weak in kinds((params, stats)))


WITH_TOKENS = [  # the place of an image that each token is of, at 8x8 pixels
  ('convnet', {'width': 4}, 4),
  ('resnet', {'width': 2}, 1),
  ('wide_resnet', {'depth': 10, 'width': 1}, 4),
  ('resnet1d', {'width': 4}, 8),
  ('vit', {'dim': 8, 'depth': 1, 'heads': 2, 'patch': 2}, 16),
  ('vit', {'dim': 8, 'depth': 1, 'heads': 2, 'patch': 2, 'pool': 'mean'}, 16),
]


def test_which_nets_tell_features_of_places():
  made = {name for name in nets.names() if nets.get(name)().features_and_tokens}
  assert made == {name for name, _, _ in WITH_TOKENS}
  assert nets.get('convnet')(dropout=0.5).features_and_tokens is None


@pytest.mark.parametrize(('name', 'settings', 'places'), WITH_TOKENS, ids=str)
def test_the_output_holds_the_features_and_a_token_of_each_place(name, settings, places):
  net = nets.get(name)(**settings)
  inputs = jax.random.normal(KEY, inputs_of(net, (4, 8, 8, 1)).shape)
  params, stats = net.init(KEY, inputs)
  features, _ = net.apply(params, stats, inputs, train=False)
  seen, same = net.apply(params, stats, inputs, train=False, tokens=True)
  again, tokens = net.features_and_tokens(seen)
  np.testing.assert_allclose(again, features, rtol=1e-5, atol=1e-6)
  assert tokens.shape == (4, places, features.shape[1]) and tokens.dtype == jnp.float32 and same is stats


@pytest.mark.parametrize('name', [name for name in nets.names() if 'dtype' in settings_of(nets.get(name))])
def test_bfloat16_computes_in_bfloat16_and_keeps_float32_state(name):
  net = nets.get(name)(**SMALL.get(name, {}), dtype='bfloat16')
  params, stats, features, new = trace(net, SHAPES[0], train=True)
  assert {leaf.dtype for leaf in jax.tree.leaves((params, new, features))} == {np.dtype('float32')}
  apply = lambda p, s: net.apply(p, s, inputs_of(net, SHAPES[0]), train=True, key=KEY)[0]
  products = products_of(jax.make_jaxpr(apply)(params, stats).jaxpr)
  assert products and all(dtype == jnp.bfloat16 for dtype in products)


def products_of(jaxpr):
  """The operand types of all matrix products and convolutions, nested ones included."""
  found = []
  for eqn in jaxpr.eqns:
    if eqn.primitive.name in ('dot_general', 'conv_general_dilated'):
      found += [v.aval.dtype for v in eqn.invars]
    for value in eqn.params.values():
      inner = getattr(value, 'jaxpr', value)
      found += products_of(inner) if hasattr(inner, 'eqns') else []
  return found


@pytest.mark.parametrize(('name', 'norm'), NORMS)
def test_only_batch_norm_has_running_statistics(name, norm):
  _, stats, _, new = trace(nets.get(name)(**SMALL.get(name, {}), norm=norm), SHAPES[0], train=True)
  assert bool(jax.tree.leaves(stats)) == (norm == 'batch')
  assert (stats == new == {}) == (norm != 'batch')


@pytest.mark.parametrize(
  ('channels', 'groups'), [(1, 1), (2, 1), (3, 1), (16, 8), (24, 12), (32, 16), (64, 32), (96, 32), (512, 32)]
)
def test_groups_divide_the_channels(channels, groups):
  assert count_groups(channels) == groups


@pytest.mark.parametrize(('kind', 'groups'), [('group', 4), ('layer', 1)])
def test_group_and_layer_norm_are_over_one_example(kind, groups):
  import flax.linen as nn

  class Only(nn.Module):
    @nn.compact
    def __call__(self, x):
      return normalize(x, kind, train=True, epsilon=1e-3)

  x = np.random.default_rng(0).normal(1, 2, (3, 5, 4, 8)).astype(np.float32)
  y, _ = Only().init_with_output(KEY, x)
  z = x.astype(np.float64).reshape(3, 20, groups, 8 // groups)
  z = (z - z.mean((1, 3), keepdims=True)) / np.sqrt(z.var((1, 3), keepdims=True) + 1e-3)
  np.testing.assert_allclose(y, z.reshape(x.shape), rtol=1e-4, atol=1e-5)


def test_mlp_equals_numpy():
  x = np.random.default_rng(0).normal(size=(6, 2, 3, 1)).astype(np.float32)
  net = nets.get('mlp')(widths=(5, 4), norm='none')
  params, stats = net.init(KEY, x)
  y = x.reshape(6, 6)
  for layer in ('Dense_0', 'Dense_1'):
    y = np.maximum(y @ np.asarray(params[layer]['kernel']) + np.asarray(params[layer]['bias']), 0)
  np.testing.assert_allclose(net.apply(params, stats, x, train=False)[0], y, rtol=1e-5, atol=1e-6)


def test_mlp_without_layers_is_the_pixels():
  x = np.arange(24, dtype=np.float32).reshape(2, 2, 2, 3)
  net = nets.get('mlp')(widths=())
  np.testing.assert_array_equal(net.apply(*net.init(KEY, x), x, train=False)[0], x.reshape(2, 12))


def test_convnet_has_three_layers_and_any_size():
  net = nets.get('convnet')(width=4)
  params, stats, features, _ = trace(net, SHAPES[1], train=True)
  kernels = [leaf.shape for leaf in jax.tree.leaves(params) if leaf.ndim == 4]
  assert kernels == [(3, 3, 1, 4), (3, 3, 4, 8), (3, 3, 8, 16)]
  other = jax.eval_shape(lambda p, s: net.apply(p, s, jnp.zeros((4, 8, 8, 1)), train=False)[0], params, stats)
  assert features.shape == other.shape == (4, 16)


@pytest.mark.slow
def test_convnet_learns_digits_in_bfloat16():
  import optax
  from sklearn.datasets import load_digits

  digits = load_digits()
  x, y = (digits.images[..., None] / 8 - 1).astype(np.float32), digits.target
  model = chain(encoder=nets.get('convnet')(width=8, dtype='bfloat16'), head=linear(10))
  params, stats = jax.jit(model.init)(KEY, x[:2])
  tx = optax.sgd(0.1, 0.9)

  def loss(params, stats, x, y):
    out, stats = model.apply(params, stats, x, train=True)
    return optax.softmax_cross_entropy_with_integer_labels(out['head'], y).mean(), stats

  @jax.jit
  def step(params, stats, moments, x, y):
    grads, stats = jax.grad(loss, has_aux=True)(params, stats, x, y)
    updates, moments = tx.update(grads, moments)
    return optax.apply_updates(params, updates), stats, moments

  rng, moments = np.random.default_rng(0), tx.init(params)
  for _ in range(120):
    batch = rng.choice(1397, 64, replace=False)
    params, stats, moments = step(params, stats, moments, x[batch], y[batch])
  logits = jax.jit(lambda x: model.apply(params, stats, x, train=False)[0]['head'])(x[1397:])
  assert (np.asarray(logits).argmax(-1) == y[1397:]).mean() > 0.85


def mlp_without_bias(**settings):
  """Identity weights on the four pixels of an image: features are the pixels that are above 0."""
  net = nets.get('mlp')(widths=(4,), norm='none', **settings)
  params = {'Dense_0': {'kernel': jnp.eye(4), 'bias': jnp.zeros(4)}}
  return lambda images, train: net.apply(params, {}, images, train=train, key=KEY)[0]


def test_a_dropped_pixel_is_black_and_the_others_are_scaled_on_0_to_1():
  images = jnp.full((5000, 2, 2, 1), 0.5)
  seen = np.asarray(mlp_without_bias(input_dropout=0.2)(images, True))
  kept = 2 * (0.75 / 0.8) - 1  # 0.5 is 0.75 on [0, 1]; a black pixel is −1, which ReLU cuts off
  np.testing.assert_allclose(np.unique(seen), [0, kept], rtol=1e-6)
  assert abs((seen == 0).mean() - 0.2) < 0.01
  np.testing.assert_array_equal(mlp_without_bias(input_dropout=0.2)(images, False), 0.5)


def test_pixels_are_seen_on_0_to_1_where_that_is_asked_for():
  images = jnp.array([-1, 0, 0.5, 1.0]).reshape(1, 2, 2, 1)
  np.testing.assert_array_equal(mlp_without_bias(pixels='unit')(images, False), [[0, 0.5, 0.75, 1]])
  np.testing.assert_array_equal(mlp_without_bias()(images, False), [[0, 0, 0.5, 1]])


@pytest.mark.parametrize('where', ['input_noise', 'noise'])
def test_noise_has_its_deviation_and_is_there_in_training_only(where):
  images = jnp.full((5000, 2, 2, 1), 50.0)  # far from ReLU's corner
  apply = mlp_without_bias(**{where: 0.5})
  seen = np.asarray(apply(images, True))
  assert abs(seen.mean() - 50) < 0.02 and abs(seen.std() - 0.5) < 0.01
  np.testing.assert_array_equal(apply(images, False), 50)
