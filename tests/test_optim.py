"""Optimizers and schedules against the published formulas, step by step in float64 NumPy."""

import re
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ssl_bench import optim
from ssl_bench.settings.signature import BadSetting

STEPS = 12
RNG = np.random.default_rng(0)
PARAMS = {
  'encoder': {'kernel': RNG.normal(size=(4, 3)), 'bias': RNG.normal(size=3)},
  'head': {'kernel': RNG.normal(size=(3, 2)), 'scale': RNG.normal(size=2)},
}
GRADS = [jax.tree.map(lambda p: RNG.normal(size=p.shape), PARAMS) for _ in range(STEPS)]


def make(section, steps=STEPS):
  """The optimizer of a section of a config, as the program builds it."""
  numbers, structure = optim.split_numbers(optim.check_optimizer(section))
  return optim.make_optimizer(structure, jax.tree.map(np.float32, numbers), np.float32(steps))


def trained(section, grads=GRADS, steps=STEPS):
  """Parameters after each of the gradients."""
  single = lambda tree: jax.tree.map(lambda x: jnp.asarray(x, 'float32'), tree)
  tx, params = make(section, steps), single(PARAMS)
  state, seen = tx.init(params), []
  update = jax.jit(tx.update)
  for gradient in grads:
    updates, state = update(single(gradient), state, params)
    params = jax.tree.map(jnp.add, params, updates)
    seen.append(params)
  return seen


def expected(rule, grads=GRADS, **settings):
  """The same by a rule (w, g, memory, t, **settings) -> (w, memory) of one parameter."""
  leaves, tree = jax.tree.flatten(PARAMS)
  memory: list[dict] = [{} for _ in leaves]
  seen = []
  for t, gradient in enumerate(grads):
    moved = [rule(w, g, m, t, **settings) for w, g, m in zip(leaves, jax.tree.leaves(gradient), memory)]
    leaves, memory = [w for w, _ in moved], [m for _, m in moved]
    seen.append(jax.tree.unflatten(tree, leaves))
  return seen


def same(ours, theirs):
  for mine, reference in zip(ours, theirs, strict=True):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6), mine, reference)


def cosine(t, part=7 / 16):
  return np.cos(np.pi * part * t / STEPS)


def warmup(t, part):
  x = t / STEPS
  return x / part if x < part else (1 + np.cos(np.pi * (x - part) / (1 - part))) / 2


def sgd(w, g, m, t, lr, momentum, nesterov, decay, schedule=cosine):
  """FixMatch's: decay is a part of the gradient, and of kernels only."""
  g = g + decay * w * (w.ndim > 1)
  v = momentum * m.get('v', 0) + g
  return w - lr * schedule(t) * (g + momentum * v if nesterov else v), {'v': v}


def adamw(w, g, m, t, lr, b1, b2, eps, decay, part):
  """Loshchilov and Hutter (2019), algorithm 2, with the decay multiplied by the rate."""
  first, second = b1 * m.get('m', 0) + (1 - b1) * g, b2 * m.get('v', 0) + (1 - b2) * g**2
  step = first / (1 - b1 ** (t + 1)) / (np.sqrt(second / (1 - b2 ** (t + 1))) + eps)
  return w - lr * warmup(t, part) * (step + decay * w * (w.ndim > 1)), {'m': first, 'v': second}


def lars(w, g, m, t, lr, momentum, decay, trust, part):
  """You et al. (2017), with the rate inside the momentum; biases and normalization move as by SGD."""
  if w.ndim > 1:
    g = g + decay * w
    g = g * trust * np.linalg.norm(w) / np.linalg.norm(g)
  v = momentum * m.get('v', 0) + lr * warmup(t, part) * g
  return w - v, {'v': v}


@pytest.mark.parametrize('nesterov', [True, False])
def test_sgd(nesterov):
  section = {'name': 'sgd', 'lr': 0.05, 'momentum': 0.8, 'nesterov': nesterov, 'weight_decay': 0.1}
  same(trained(section), expected(sgd, lr=0.05, momentum=0.8, nesterov=nesterov, decay=0.1))


def test_adamw():
  section = {'name': 'adamw', 'lr': 0.02, 'b1': 0.8, 'b2': 0.9, 'eps': 1e-3, 'weight_decay': 0.3}
  same(trained(section), expected(adamw, lr=0.02, b1=0.8, b2=0.9, eps=1e-3, decay=0.3, part=0.1))


def test_lars():
  section = {'name': 'lars', 'lr': 2.0, 'momentum': 0.8, 'weight_decay': 0.2, 'trust': 0.01}
  section['schedule'] = 'warmup_cosine(0.25)'
  same(trained(section), expected(lars, lr=2.0, momentum=0.8, decay=0.2, trust=0.01, part=0.25))


@pytest.mark.parametrize('name', ['sgd', 'adamw', 'lars'])
def test_only_kernels_decay(name):
  """With gradients of zero, whatever has one axis stays where it is."""
  zero = [jax.tree.map(np.zeros_like, PARAMS)] * 4
  section = {'name': name, 'lr': 0.1, 'weight_decay': 0.1, 'schedule': 'constant'}
  (end,) = trained(section, zero)[-1:]
  for group, leaves in end.items():
    for leaf, value in leaves.items():
      moved = not np.array_equal(value, PARAMS[group][leaf].astype('float32'))
      assert moved == (leaf == 'kernel'), (group, leaf)


def test_lars_trusts_only_kernels():
  """A gradient ten times as large moves a kernel just as far, a bias ten times as far."""
  section = {'name': 'lars', 'weight_decay': 0.0, 'momentum': 0.0, 'schedule': 'constant'}
  small, large = (trained(section, [jax.tree.map(lambda g, k=k: k * g, GRADS[0])])[0] for k in (1.0, 10.0))
  way = lambda end, group, leaf: end[group][leaf] - PARAMS[group][leaf]
  np.testing.assert_allclose(
    way(small, 'encoder', 'kernel'), way(large, 'encoder', 'kernel'), rtol=1e-3, atol=1e-6
  )
  np.testing.assert_allclose(
    10 * way(small, 'encoder', 'bias'), way(large, 'encoder', 'bias'), rtol=1e-3, atol=1e-5
  )


@pytest.mark.parametrize(
  ('text', 'reference'),
  [
    ('constant', lambda t: 1.0),
    ('cosine(7/16)', lambda t: np.cos(7 * np.pi * t / 16)),
    ('cosine(0.5)', lambda t: np.cos(np.pi * t / 2)),
    ('warmup_cosine(0.25)', lambda t: t / 0.25 if t < 0.25 else (1 + np.cos(np.pi * (t - 0.25) / 0.75)) / 2),
    ('warmup_cosine(0)', lambda t: (1 + np.cos(np.pi * t)) / 2),
    ('exponential(0.5, 4)', lambda t: 0.5 ** min(int(4 * t), 3)),
    ('exponential(0.9)', lambda t: 0.9 ** int(Fraction(round(40 * t), 40) * 100) if t < 1 else 0.9**99),
    ('linear(0.75)', lambda t: 1 if t < 0.75 else 4 * (1 - t)),
    ('constant(frozen=0.25)', lambda t: float(t >= 0.25)),
    ('cosine(0.5, frozen=1/4)', lambda t: np.cos(np.pi * t / 2) * (t >= 0.25)),
  ],
)
def test_schedules(text, reference):
  schedule = optim.parse_schedule(text)
  values = jax.jit(jax.vmap(schedule, (0, None)))(np.arange(41), np.float32(40))
  np.testing.assert_allclose(values, [reference(t / 40) for t in range(41)], atol=1e-6)
  np.testing.assert_allclose(schedule(np.int32(50), np.float32(40)), reference(1), atol=1e-6)


def test_the_ends_of_the_schedules():
  end = lambda text: float(optim.parse_schedule(text)(np.int32(1000), np.float32(1000)))
  assert end('cosine(7/16)') == pytest.approx(0.19509, abs=1e-5)  # FixMatch's does not end at 0
  assert end('warmup_cosine(0.1)') == pytest.approx(0, abs=1e-6)
  start = lambda text: float(optim.parse_schedule(text)(np.int32(0), np.float32(1000)))
  assert start('cosine(7/16)') == 1 and start('warmup_cosine(0.1)') == 0
  assert float(optim.parse_schedule('warmup_cosine(0.1)')(np.int32(100), np.float32(1000))) == 1


def test_clipping_is_by_the_norm_of_everything():
  norms = [np.sqrt(sum((g**2).sum() for g in jax.tree.leaves(gradient))) for gradient in GRADS]
  limit = float(np.median(norms))
  clipped = [
    jax.tree.map(lambda g, n=n: g * min(1, limit / n), gradient) for gradient, n in zip(GRADS, norms)
  ]
  section = {'name': 'sgd', 'lr': 0.05, 'momentum': 0.8, 'weight_decay': 0.1, 'clip': limit}
  same(trained(section), expected(sgd, clipped, lr=0.05, momentum=0.8, nesterov=True, decay=0.1))
  assert sum(n > limit for n in norms) >= 3


def test_clipping_at_infinity_or_of_nothing_changes_nothing():
  tx = optim.clip_by_global_norm(np.float32(np.inf))
  grads = jax.tree.map(lambda g: jnp.asarray(g, 'float32'), GRADS[0])
  jax.tree.map(np.testing.assert_array_equal, tx.update(grads, tx.init(grads))[0], grads)
  zero = jax.tree.map(jnp.zeros_like, grads)
  tx = optim.clip_by_global_norm(np.float32(1))
  jax.tree.map(np.testing.assert_array_equal, tx.update(zero, tx.init(zero))[0], zero)


def test_groups_move_by_their_own_settings():
  """The head at another rate, decay and schedule; the clip is over all groups together."""
  common = {'name': 'sgd', 'lr': 0.05, 'momentum': 0.8, 'weight_decay': 0.1}
  head = {'lr': 0.2, 'weight_decay': 0.0, 'schedule': 'constant'}
  both = trained({**common, 'groups': {'head': head}})
  flat = lambda t: 1.0
  whole = expected(sgd, lr=0.05, momentum=0.8, nesterov=True, decay=0.1)
  other = expected(sgd, lr=0.2, momentum=0.8, nesterov=True, decay=0.0, schedule=flat)
  same(both, [{'encoder': a['encoder'], 'head': b['head']} for a, b in zip(whole, other)])


def test_a_group_may_be_a_part_of_a_part_and_the_smallest_one_counts():
  section = {'name': 'sgd', 'lr': 0.05, 'weight_decay': 0.1, 'schedule': 'constant'}
  small = {'encoder': {'lr': 0.2}, 'encoder/kernel': {'weight_decay': 0.0}}
  ours = trained({**section, 'groups': small})
  usual, faster, undecayed = (trained({**section, **own}) for own in ({}, {'lr': 0.2}, {'weight_decay': 0.0}))
  right = [
    {'encoder': {'kernel': c['encoder']['kernel'], 'bias': b['encoder']['bias']}, 'head': a['head']}
    for a, b, c in zip(usual, faster, undecayed)
  ]
  same(ours, right)
  with pytest.raises(BadSetting, match="no parameters 'encoder/kern'; did you mean 'encoder/kernel'"):
    trained({**section, 'groups': {'encoder/kern': {'lr': 0.2}}})


@pytest.mark.parametrize(
  'name', ['sgd', *(pytest.param(n, marks=pytest.mark.slow) for n in ('adamw', 'lars'))]
)
def test_a_frozen_group_stands_still_and_then_begins(name):
  """Bit for bit, whatever decay and momentum would do; then it moves as if it had just been met."""
  common = {'name': name, 'lr': 0.05, 'weight_decay': 0.1, 'schedule': 'cosine(7/16)'}
  ours = trained({**common, 'groups': {'head': {'schedule': 'cosine(7/16, frozen=0.25)'}}})
  start = jax.tree.map(lambda x: x.astype('float32'), PARAMS['head'])
  for seen in ours[:3]:
    jax.tree.map(np.testing.assert_array_equal, seen['head'], start)
  usual = trained(common)
  same([x['encoder'] for x in ours], [x['encoder'] for x in usual])

  tx = optim.get(name)(lr=0.05, weight_decay=0.1)(lambda t: 0.05 * np.cos(7 * np.pi / 16 * (t + 3) / 12))
  head = jax.tree.map(jnp.asarray, start)
  state = tx.init(head)
  for seen, gradient in zip(ours[3:], GRADS[3:]):
    single = jax.tree.map(lambda g: jnp.asarray(g, 'float32'), gradient['head'])
    updates, state = tx.update(single, state, head)
    head = jax.tree.map(jnp.add, head, updates)
    same([seen['head']], [head])


def test_traced_numbers_equal_constants():
  """The factory inside a jitted function, as in the program: one trace for all numbers, equal results."""
  traces = []

  @jax.jit
  def one(params, grads, numbers, steps):
    traces.append(1)
    tx = optim.make_optimizer(structure, numbers, steps)
    state = tx.init(params)
    for _ in range(2):
      updates, state = tx.update(grads, state, params)
      params = jax.tree.map(jnp.add, params, updates)
    return params

  single = lambda tree: jax.tree.map(lambda x: jnp.asarray(x, 'float32'), tree)
  for lr, decay, steps in ((0.1, 0.0, 12), (0.3, 0.2, 40)):
    section = {'name': 'lars', 'lr': lr, 'weight_decay': decay, 'schedule': 'cosine(7/16)'}
    numbers, structure = optim.split_numbers(optim.check_optimizer(section))
    ours = one(single(PARAMS), single(GRADS[0]), jax.tree.map(np.float32, numbers), np.float32(steps))
    same([ours], trained(section, [GRADS[0]] * 2, steps)[-1:])
  assert len(traces) == 1


def test_settings_are_split_into_numbers_and_structure():
  section = optim.check_optimizer({'name': 'sgd', 'groups': {'head': {'lr': 1.0}}})
  numbers, structure = optim.split_numbers(section)
  assert numbers['groups']['head'] == {'lr': 1.0, 'momentum': 0.9, 'weight_decay': 5e-4}
  assert structure['groups'][''] == {'nesterov': True, 'schedule': 'cosine(7/16)'}
  assert numbers['clip'] == np.inf and section['clip'] is None


@pytest.mark.parametrize(
  ('section', 'message'),
  [
    ({'name': 'sgdm'}, "There is no optimizer 'sgdm'; did you mean 'sgd'?"),
    ({'name': 'sgd', 'rate': 0.1}, "optimizer sgd has no setting 'rate'"),
    ({'name': 'sgd', 'lr': -1}, 'lr must be in [0, ∞), not -1'),
    ({'name': 'adamw', 'eps': 0}, 'eps must be in (0, ∞), not 0'),
    (
      {'name': 'sgd', 'schedule': 'cosin(7/16)'},
      "There is no schedule 'cosin'; did you mean 'cosine'?",
    ),
    ({'name': 'sgd', 'schedule': 'cosine(1.5)'}, 'write one number in [0, 1)'),
    ({'name': 'sgd', 'schedule': 'cosine(half)'}, 'write one number or fraction'),
    ({'name': 'sgd', 'schedule': 'cosine(0.5, frozen=1)'}, 'write one number in [0, 1)'),
    ({'name': 'sgd', 'schedule': 'cosine(0.5, forzen=0.1)'}, "no setting 'forzen'; did you mean 'frozen'?"),
    ({'name': 'sgd', 'schedule': 'constant(0.5)'}, 'constant takes no settings; write constant alone.'),
    ({'name': 'sgd', 'schedule': 'cosine(1/0)'}, 'write one number or fraction'),
    ({'name': 'sgd', 'clip': 0}, 'clip must be a number above 0 or null, not 0.'),
    ({'name': 'sgd', 'groups': {'head': {'momentum': 2}}}, 'group head: momentum must be in [0, 1), not 2'),
    ({'name': 'sgd', 'groups': {'head': {'schedule': 'x'}}}, "There is no schedule 'x'"),
  ],
)
def test_wrong_settings_are_one_sentence(section, message):
  with pytest.raises(BadSetting, match=re.escape(message)):
    optim.check_optimizer(section)


def test_the_group_without_a_name_needs_no_parameters():
  optim.check_groups({'': {}}, {})  # a method that learns without gradients has none
