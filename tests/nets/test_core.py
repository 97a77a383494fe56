"""The seam to Flax: pure functions, chains, heads, and how running statistics move."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ssl_bench.contract import State
from ssl_bench.nets import core as net
from ssl_bench.nets import get
from ssl_bench.nets.core import Net, chain, init_each
from ssl_bench.nets.heads import linear, projector
from ssl_bench.settings.signature import BadSetting

KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(2, 3, (16, 5)).astype(np.float32)


def leaves(tree):
  return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def kinds(tree):
  return {path: (leaf.shape, leaf.dtype, leaf.weak_type) for path, leaf in leaves(tree).items()}


def batch_norm(x, scale=1.0, bias=0.0, epsilon=1e-5):
  return scale * (x - x.mean(0)) / np.sqrt(x.var(0) + epsilon) + bias


def test_linear_is_a_matrix_product():
  head = linear(3)
  params, stats = head.init(KEY, X)
  (kernel, bias) = (leaves(params)["['Dense_0']['kernel']"], leaves(params)["['Dense_0']['bias']"])
  y, same = head.apply(params, stats, X, train=True)
  np.testing.assert_allclose(y, X @ np.asarray(kernel) + np.asarray(bias), rtol=1e-5, atol=1e-5)
  assert stats == same == {}
  assert len(jax.tree.leaves(linear(3, bias=False).init(KEY, X)[0])) == 1


def test_running_moments_follow_the_formula():
  head = projector(4, 2, momentum=0.8)
  params, stats = head.init(KEY, X)
  moments = {'mean': np.zeros(4), 'var': np.ones(4)}
  for _ in range(3):
    _, stats = head.apply(params, stats, X, train=True)
    hidden = X.astype(np.float64) @ np.asarray(params['Dense_0']['kernel'], np.float64)
    moments['mean'] = 0.8 * moments['mean'] + 0.2 * hidden.mean(0)
    moments['var'] = 0.8 * moments['var'] + 0.2 * hidden.var(0)
  for name, expected in moments.items():
    np.testing.assert_allclose(stats['batch_stats']['BatchNorm_0'][name], expected, rtol=1e-4, atol=1e-5)


def test_training_uses_the_batch_and_evaluation_the_running_moments():
  head = projector(4, 2, last_norm='affine')
  params, stats = head.init(KEY, X)
  trained, new = head.apply(params, stats, X, train=True)
  evaluated, same = head.apply(params, stats, X, train=False)
  assert same is stats
  hidden = X @ np.asarray(params['Dense_0']['kernel'])
  last = np.asarray(params['Dense_1']['kernel'])
  np.testing.assert_allclose(
    trained, batch_norm(np.maximum(batch_norm(hidden), 0) @ last), rtol=1e-3, atol=1e-4
  )
  by_initial_moments = np.maximum(hidden / np.sqrt(1 + 1e-5), 0) @ last / np.sqrt(1 + 1e-5)
  np.testing.assert_allclose(evaluated, by_initial_moments, rtol=1e-4, atol=1e-4)
  assert leaves(new).keys() == leaves(stats).keys()
  assert all(not np.array_equal(a, b) for a, b in zip(jax.tree.leaves(new), jax.tree.leaves(stats)))


def test_dropped_statistics_leave_no_trace():
  model = chain(encoder=get('mlp')(widths=(4,)), head=linear(3))
  params, stats = model.init(KEY, X)
  before = jax.tree.map(np.array, stats)
  model.apply(params, stats, X, train=True)  # what it returns is dropped
  jax.tree.map(np.testing.assert_array_equal, before, stats)


@pytest.mark.parametrize(
  ('settings', 'parts'),
  [
    ({}, {'Dense_0 kernel', 'Dense_1 kernel', 'Dense_1 bias', 'BatchNorm_0 scale', 'BatchNorm_0 bias'}),
    ({'last_bias': False}, {'Dense_0 kernel', 'Dense_1 kernel', 'BatchNorm_0 scale', 'BatchNorm_0 bias'}),
    (
      {'last_norm': 'scale'},
      {'Dense_0 kernel', 'Dense_1 kernel', 'BatchNorm_0 scale', 'BatchNorm_0 bias', 'BatchNorm_1 scale'},
    ),
    ({'last_norm': 'plain'}, {'Dense_0 kernel', 'Dense_1 kernel', 'BatchNorm_0 scale', 'BatchNorm_0 bias'}),
    ({'norm': 'none'}, {'Dense_0 kernel', 'Dense_0 bias', 'Dense_1 kernel', 'Dense_1 bias'}),
    ({'norm': 'none', 'last_norm': 'plain', 'activation': 'gelu'},
     {'Dense_0 kernel', 'Dense_0 bias', 'Dense_1 kernel'}),
  ],
)  # fmt: skip
def test_projector_has_the_published_parts(settings, parts):
  params, stats = jax.eval_shape(projector(6, 2, **settings).init, KEY, X)
  assert {f'{module} {name}' for module, inner in params.items() for name in inner} == parts
  normalized = (settings.get('norm') != 'none') + (settings.get('last_norm', 'none') != 'none')
  assert len(stats.get('batch_stats', {})) == normalized


def test_projector_without_width_says_so():
  with pytest.raises(BadSetting, match='at least one width'):
    projector()


@pytest.mark.parametrize('norm', ['batch', 'group', 'layer', 'none'])
def test_heads_give_float32_whatever_they_compute_in(norm):
  first = projector(8, 8, norm=norm, last_norm='affine', dtype='bfloat16')
  model = chain(first=first, second=linear(3, dtype='bfloat16'))
  params, stats = jax.eval_shape(model.init, KEY, X)
  out, new = jax.eval_shape(lambda p, s: model.apply(p, s, X, train=True), params, stats)
  assert {leaf.dtype for leaf in jax.tree.leaves((params, new, out))} == {np.dtype('float32')}
  compute = str(jax.make_jaxpr(lambda p, s: model.apply(p, s, X, train=True)[0])(params, stats))
  products = [line for line in compute.splitlines() if 'dot_general' in line]
  assert len(products) == 3 and all(':bf16' in line for line in products)


def test_chain_returns_every_intermediate_and_each_part_runs_alone():
  parts = {'encoder': get('mlp')(widths=(4,)), 'projector': projector(6, 2), 'head': linear(3)}
  model = chain(**parts)
  params, stats = model.init(KEY, X)
  assert list(params) == list(stats) == list(parts)
  out, new = model.apply(params, stats, X, train=True)
  x = X
  for name, part in parts.items():
    x, moments = part.apply(params[name], stats[name], x, train=True)
    np.testing.assert_array_equal(out[name], x)
    jax.tree.map(np.testing.assert_array_equal, new[name], moments)


def test_chain_gives_inputs_and_options_to_the_first_net():
  add = Net(
    lambda key, a, b: ({}, {}),
    lambda params, stats, a, b, *, train, key=None, sign=1: (a + sign * b, stats),
  )
  model = chain(add=add, head=linear(3))
  params, stats = model.init(KEY, X, X)
  out, _ = model.apply(params, stats, X, X, train=False, sign=-1)
  np.testing.assert_array_equal(out['add'], 0 * X)


def test_initial_values_depend_on_key_and_name_only():
  encoder = get('mlp')(widths=(4,))
  alone = chain(encoder=encoder).init(KEY, X)[0]
  longer = chain(encoder=encoder, head=linear(3)).init(KEY, X)[0]
  jax.tree.map(np.testing.assert_array_equal, alone['encoder'], longer['encoder'])
  params, stats = init_each(KEY, encoder=(encoder, X), other=(encoder, X), add=(linear(2), X[:, :3]))
  jax.tree.map(np.testing.assert_array_equal, alone['encoder'], params['encoder'])
  kernels = [params[name]['Dense_0']['kernel'] for name in ('encoder', 'other')]
  assert not np.array_equal(*kernels)
  assert params['add']['Dense_0']['kernel'].shape == (3, 2) and stats['add'] == {}


def test_names_give_the_same_keys_in_every_process():
  assert jax.random.key_data(net.fold_name(KEY, 'encoder')).tolist() == [1172819615, 1118070788]


def test_dropout_is_drawn_from_the_key_and_only_in_training():
  model = chain(encoder=get('mlp')(widths=(64,), norm='none', dropout=0.5), head=linear(3))
  params, stats = model.init(KEY, X)
  run = jax.jit(lambda key: model.apply(params, stats, X, train=True, key=key)[0]['encoder'])
  a, b, again = run(jax.random.key(1)), run(jax.random.key(2)), run(jax.random.key(1))
  np.testing.assert_array_equal(a, again)
  assert not np.array_equal(a, b)
  full = model.apply(params, stats, X, train=False, key=KEY)[0]['encoder']
  kept = np.asarray(a) != 0
  np.testing.assert_allclose(np.asarray(a)[kept], 2 * np.asarray(full)[kept], rtol=1e-4, atol=1e-5)
  assert abs(kept[np.asarray(full) != 0].mean() - 0.5) < 0.1


def test_init_under_jit_runs_no_forward_pass_and_equals_plain_init():
  model = chain(encoder=get('convnet')(width=2), projector=projector(4, 3), head=linear(2))
  images = jnp.ones((2, 8, 8, 1))
  lowered = jax.jit(model.init).lower(KEY, images).as_text()
  assert 'convolution' not in lowered and 'dot_general' not in lowered
  small = projector(4, 3)
  jax.tree.map(np.testing.assert_array_equal, jax.jit(small.init)(KEY, X), small.init(KEY, X))


def test_a_step_keeps_shapes_dtypes_and_weak_types():
  model = chain(encoder=get('mlp')(), head=projector(4, 3, last_norm='scale'))
  start = jax.eval_shape(model.init, KEY, X)
  after = jax.eval_shape(lambda p, s: (p, model.apply(p, s, X, train=True)[1]), *start)
  assert kinds(start) == kinds(after)
  assert not any(weak for *_, weak in kinds(start).values())


def test_output_is_a_part_under_the_given_weights():
  model = chain(encoder=get('mlp')(widths=(4,)), head=linear(3))
  state, teacher = model.init(KEY, X), model.init(jax.random.key(1), X)
  expected = model.apply(*teacher, X, train=False)[0]
  for part in ('encoder', 'head'):
    look = net.output(model, part, lambda state: state[1])
    np.testing.assert_array_equal(look((state, teacher), X), expected[part])
  own = net.output(model, 'head')(State(KEY, jnp.int32(0), *teacher, (), ()), X)
  np.testing.assert_array_equal(own, expected['head'])
  assert net.read(model).keys() == {'encode', 'predict'} and net.read(model, head=None).keys() == {'encode'}
  both = net.read(model, lambda state: state[1])
  np.testing.assert_array_equal(both['predict']((state, teacher), X), expected['head'])


SIZES = [
  np.random.default_rng(1).normal(size=(n, side, side, 1)).astype('float32') for n, side in ((4, 8), (6, 5))
]


def test_each_looks_at_batches_of_several_sizes_one_after_another():
  single = get('convnet')(width=2)
  several = chain(encoder=net.each(single), head=linear(3))
  params, stats = jax.jit(several.init)(KEY, *SIZES)
  out, new = jax.jit(lambda *batches: several.apply(params, stats, *batches, train=True))(*SIZES)
  moments, features = stats['encoder'], []
  for images in SIZES:
    one = jax.jit(lambda moments, images: single.apply(params['encoder'], moments, images, train=True))
    y, moments = one(moments, images)
    features.append(y)
  np.testing.assert_allclose(out['encoder'], np.concatenate(features), rtol=1e-5, atol=1e-6)
  assert out['head'].shape == (10, 3)
  for path, moment in leaves(moments).items():
    np.testing.assert_allclose(leaves(new['encoder'])[path], moment, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
  ('widths', 'sentence'),
  [((4,), 'made for images of 64 values, it cannot see those of 25'), ((), 'any size')],
)
def test_a_net_of_one_size_says_so(widths, sentence):
  several = chain(encoder=net.each(get('mlp')(widths=widths)), head=linear(3))
  with pytest.raises(BadSetting, match=sentence):
    jax.eval_shape(several.init, KEY, *SIZES)
