"""The contract itself, views, step and average, on a method small enough to know by heart."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ssl_bench import contract as m
from ssl_bench.contract import Aux, Method, PseudoLabels, State, View

KEY = jax.random.key(3)
BATCH = {
  'labeled': {'image': jnp.arange(4 * 2.0).reshape(4, 2, 1, 1), 'label': jnp.arange(4)},
  'unlabeled': {'image': jnp.arange(6 * 2.0).reshape(6, 2, 1, 1), 'index': jnp.arange(6) + 10},
}
AUGMENT = {
  'weak': lambda key, image: image,
  'strong': lambda key, image: image + jax.random.normal(key, image.shape),
}


def line(*, dtype='float32', refresh=None) -> Method:
  """y = w · x by least squares; it counts what it sees in `stats` and remembers its last loss."""

  def init(key, views):
    return {'head': {'w': jnp.ones(2, dtype)}}, {'seen': jnp.zeros(())}, {'last': jnp.zeros(())}

  def loss(state, views, key):
    x, y = views['x']['image'][:, :, 0, 0], views['x']['label']
    value = jnp.square(x @ state.params['head']['w'] - y).mean()
    noise = jax.random.uniform(key)
    metrics = {'loss/fit': value, 'noise': noise}
    pseudo = PseudoLabels(jnp.arange(4), y, jnp.ones(4), jnp.ones(4))
    return value, Aux({'seen': state.stats['seen'] + len(x)}, {'last': value}, metrics, pseudo)

  read = lambda state, images: images[:, :, 0, 0] * state.params['head']['w'][None]
  return Method({'x': View('labeled', 'weak')}, init, loss, encode=read, predict=read, refresh=refresh)


def start(method, tx) -> State:
  return jax.jit(lambda batch: m.init_state(method, tx, AUGMENT, KEY, batch))(BATCH)


def stepper(method, tx, *estimate):
  return jax.jit(m.make_step(method, tx, AUGMENT, *estimate))


def look(views, batch, augment, key):
  return jax.jit(lambda batch, key: m.look(views, batch, augment, key))(batch, key)


def by_hand(steps, rate):
  """(weights after a step of plain descent on the line, loss and gradient before it), step by step."""
  x = np.arange(8.0).reshape(4, 2)
  w, y, seen = np.ones(2), np.arange(4.0), []
  for _ in range(steps):
    error = x @ w - y
    gradient = 2 * x.T @ error / 4
    w = w - rate * gradient
    seen.append((w, (error**2).mean(), gradient))
  return seen


def test_a_step_is_gradient_descent_and_carries_everything():
  tx = optax.sgd(0.01)
  traces: list[int] = []

  def counted(state, batch):
    traces.append(1)
    return m.make_step(line(), tx, AUGMENT)(state, batch)

  state, step = start(line(), tx), jax.jit(counted)
  for t, (w, loss, gradient) in enumerate(by_hand(3, 0.01)):
    state, log = step(state, BATCH)
    np.testing.assert_allclose(state.params['head']['w'], w, rtol=1e-5)
    np.testing.assert_allclose(log.metrics['loss'], loss, rtol=1e-5)
    np.testing.assert_allclose(log.metrics['grad_norm'], np.linalg.norm(gradient), rtol=1e-5)
    assert log.metrics['loss/fit'] == log.metrics['loss'] == state.memory['last']
    assert int(state.step) == t + 1 and float(state.stats['seen']) == 4 * (t + 1)
    assert log.pseudo.index.shape == (4,)
  assert len(traces) == 1
  assert jax.random.key_data(state.key).tolist() == jax.random.key_data(KEY).tolist()


def test_update_sees_the_incremented_step_and_the_moved_parameters():
  seen = []

  def update(state):
    seen.append((int(state.step), float(state.params['head']['w'][0]), float(state.memory['last'])))
    return state

  tx = optax.sgd(0.01)
  method = line()._replace(update=update)
  m.make_step(method, tx, AUGMENT)(start(method, tx), BATCH)
  (w, loss, _), *_ = by_hand(1, 0.01)
  assert seen == [(1, pytest.approx(w[0]), pytest.approx(loss))]


def test_every_step_has_its_own_key_and_init_shares_it_with_none():
  tx, keys = optax.sgd(0.0), []
  method = line()
  step, state = stepper(method, tx), start(method, tx)
  for _ in range(4):
    state, log = step(state, BATCH)
    keys.append(float(log.metrics['noise']))
  assert len(set(keys)) == 4
  again = step(state._replace(step=jnp.zeros((), 'int32')), BATCH)[1]
  assert float(again.metrics['noise']) == keys[0]
  assert m.INIT != m.REFRESH and min(m.INIT, m.REFRESH) > 2**31 - 10
  first = [jax.random.key_data(k) for k in jax.random.split(jax.random.fold_in(KEY, 0))]
  initial = [jax.random.key_data(k) for k in jax.random.split(jax.random.fold_in(KEY, m.INIT))]
  assert not any(np.array_equal(a, b) for a in first for b in initial)


def test_an_estimator_stands_where_the_gradient_stands():
  def doubled(function, has_aux):
    plain = jax.value_and_grad(function, has_aux=has_aux)

    def estimate(*args):
      value, grads = plain(*args)
      return value, jax.tree.map(lambda g: 2 * g, grads)

    return estimate

  tx = optax.sgd(0.01)
  state, log = stepper(line(), tx, doubled)(start(line(), tx), BATCH)
  (w, _, gradient), *_ = by_hand(1, 0.02)
  np.testing.assert_allclose(state.params['head']['w'], w, rtol=1e-5)
  np.testing.assert_allclose(log.metrics['grad_norm'], 2 * np.linalg.norm(gradient), rtol=1e-5)


def test_views_pass_on_what_their_stream_holds_and_nothing_else():
  views = look({'x': View('labeled', 'weak'), 'u': View('unlabeled', 'strong')}, BATCH, AUGMENT, KEY)
  assert views['x'].keys() == {'image', 'label'} and views['u'].keys() == {'image', 'index'}
  np.testing.assert_array_equal(views['x']['image'], BATCH['labeled']['image'])
  np.testing.assert_array_equal(views['u']['index'], BATCH['unlabeled']['index'])
  with pytest.raises(KeyError):
    views['u']['label']


def test_a_view_depends_on_its_name_only():
  strong = View('unlabeled', 'strong')
  alone = look({'a': strong}, BATCH, AUGMENT, KEY)['a']['image']
  among = look({'z': strong, 'a': strong, 'x': View('labeled', 'strong')}, BATCH, AUGMENT, KEY)
  np.testing.assert_array_equal(alone, among['a']['image'])
  assert not np.allclose(among['z']['image'], among['a']['image'])
  noise = np.asarray(alone - BATCH['unlabeled']['image']).reshape(6, -1)
  assert len(np.unique(noise, axis=0)) == 6  # every image has its own


def test_copies_are_an_axis_after_the_batch():
  several = look({'a': View('unlabeled', 'strong', copies=3)}, BATCH, AUGMENT, KEY)['a']['image']
  assert several.shape == (6, 3, 2, 1, 1)
  noise = np.asarray(several - BATCH['unlabeled']['image'][:, None]).reshape(18, -1)
  assert len(np.unique(noise, axis=0)) == 18


def test_names_have_the_same_number_in_every_process():
  code = 'from ssl_bench.contract import hash_name as h; print([h(n) for n in ("a", "weak", "strong" * 9)])'
  outs = {
    subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout
    for _ in range(2)
  }
  assert outs == {str([m.hash_name(n) for n in ('a', 'weak', 'strong' * 9)]) + '\n'}
  names = ['a', 'b', 'weak', 'strong', 'labeled', 'unlabeled', 'student', 'teacher', 'weaker', 'ab', 'ba']
  numbers = {m.hash_name(n) for n in names}
  assert len(numbers) == len(names) and all(0 <= n < 2**31 - 1 for n in numbers)


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_moving_average_keeps_the_dtype(dtype):
  old, new = {'a': jnp.array([1.0, 2.0], dtype)}, {'a': jnp.array([3.0, 6.0], dtype)}
  mean = m.moving_average(old, new, jnp.float32(0.75))
  assert mean['a'].dtype == dtype
  np.testing.assert_array_equal(np.asarray(mean['a'], 'float32'), [1.5, 3.0])


@pytest.mark.parametrize('decay', [0.0, 0.2, 0.999, 1.0])
def test_with_ema_averages_by_the_rule(decay):
  """min(decay, (1 + t) / (10 + t)) after step t; statistics and the method's memory stay the raw ones."""
  tx = optax.sgd(0.01)
  method = m.with_ema(line(), decay=np.float32(decay))
  state, step = start(method, tx), stepper(method, tx)
  average = np.ones(2)
  for t, (w, loss, _) in enumerate(by_hand(6, 0.01), start=1):
    state, _ = step(state, BATCH)
    d = min(decay, (1 + t) / (10 + t))
    average = d * average + (1 - d) * w
    np.testing.assert_allclose(state.params['head']['w'], w, rtol=1e-5)
    np.testing.assert_allclose(state.memory['ema']['head']['w'], average, rtol=1e-5)
    np.testing.assert_allclose(state.memory['inner']['last'], loss, rtol=1e-5)
  assert float(state.stats['seen']) == 24


def test_with_ema_evaluates_the_average_and_trains_as_before():
  tx, images = optax.sgd(0.01), BATCH['labeled']['image']
  method = m.with_ema(line(), decay=0.9)
  state, plain = start(method, tx), start(line(), tx)
  step, other_step = stepper(method, tx), stepper(line(), tx)
  for _ in range(3):
    state, log = step(state, BATCH)
    plain, other = other_step(plain, BATCH)
  np.testing.assert_array_equal(state.params['head']['w'], plain.params['head']['w'])
  jax.tree.map(np.testing.assert_array_equal, log.metrics, other.metrics)
  flat = images[:, :, 0, 0]
  for read in filter(None, (method.encode, method.predict)):
    np.testing.assert_allclose(read(state, images), flat * state.memory['ema']['head']['w'][None], rtol=1e-6)
    raw = m.without_average(state)
    np.testing.assert_allclose(read(raw, images), flat * state.params['head']['w'][None], rtol=1e-6)
  assert m.with_ema(line()._replace(predict=None), decay=0.9).predict is None


def test_refresh_gets_a_key_of_its_own_and_leaves_the_average_alone():
  seen = []

  def refresh(state, data, key, tx):
    seen.append(jax.random.key_data(key).tolist())
    return state._replace(memory={'last': data['best']})

  tx = optax.sgd(0.01)
  method = m.with_ema(line(refresh=refresh), decay=0.9)
  state = start(method, tx)
  again = jax.tree.map(lambda x: x, state)
  data = {'best': jnp.float32(7)}
  new = m.make_refresh(method, tx)(state, data)
  later = m.make_refresh(method, tx)(state._replace(step=jnp.int32(5)), data)
  assert float(new.memory['inner']['last']) == float(later.memory['inner']['last']) == 7
  np.testing.assert_array_equal(new.memory['ema']['head']['w'], again.memory['ema']['head']['w'])
  steps = [jax.random.key_data(jax.random.fold_in(KEY, t)).tolist() for t in range(20)]
  assert seen[0] != seen[1] and not any(key in steps for key in seen)


def test_a_method_without_refresh_stays_as_it_is():
  tx = optax.sgd(0.01)
  state = start(line(), tx)
  assert m.make_refresh(line(), tx)(state, {}) is state
  assert m.with_ema(line(), decay=0.9).refresh is None


def test_a_state_is_a_tree_that_maps_and_stacks():
  tx = optax.adam(0.1)
  begin = jax.vmap(lambda key: m.init_state(line(), tx, AUGMENT, key, BATCH))
  both = jax.jit(begin)(jax.random.split(KEY, 2))
  many, _ = jax.jit(jax.vmap(m.make_step(line(), tx, AUGMENT), (0, None)))(both, BATCH)
  assert many.params['head']['w'].shape == (2, 2) and many.step.tolist() == [1, 1]
