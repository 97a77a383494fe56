"""The conformance suite: what every method has to do, found by its name and run on one tiny program each.

A method without a golden file is tried on its defaults, and asked for nothing that only such a file says.
"""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.compilations import compilations
from support.on_all_devices import ALL, ends_of
from support.tiny_method import (
  batch_of,
  noisy,
  other_values,
  terms_and_gradients,
  tiny_method,
  views_of,
  with_noise,
)
from support.tiny_trial import (
  CLASSES,
  Run,
  arrays_on_device,
  has_golden,
  learns_by_steps,
  make_config,
  numbers_on_device,
  run,
  tiny_trial,
)
from support.trees import assert_near, assert_near_by_leaf, assert_same, differs, host, kinds, leaves

from ssl_bench import methods
from ssl_bench.contract import Method, Nodes, init_state, make_step
from ssl_bench.planning.structure import structure_of
from ssl_bench.settings.signature import settings_of
from ssl_bench.training.checkpoint import Checkpoints

# Compiled in every run: the plainest methods, and one with each thing that a method may have beyond a loss.
# The goldens run for all methods, always.
FAST = {
  *('supervised', 'fixmatch', 'simclr', 'raw_pixels', 'random_weights'),
  *('flexmatch', 'moco', 'dino', 'deep_label_propagation', 'label_propagation'),
}


def pytest_generate_tests(metafunc):
  if 'name' in metafunc.fixturenames:
    names = methods.names()
    slow = () if metafunc.function is test_it_has_a_version_and_a_docstring else {*names} - FAST
    metafunc.parametrize(
      'name', [pytest.param(name, marks=pytest.mark.slow if name in slow else ()) for name in names]
    )


@pytest.fixture
def stepping(name):
  if not learns_by_steps(name):
    pytest.skip(f'{name} learns without a loss')


class TrainedMethod:
  """A method on the tiny network after a few steps: its terms and their gradients, on views of our own."""

  def __init__(self, name):
    self.tiny = tiny_trial(name)
    self.method = tiny_method(self.tiny)
    state = run(self.tiny).state
    self.state = state._replace(memory=state.memory['inner'])
    self.views = views_of(self.method, batch_of(self.tiny.dataset))
    self.look = jax.jit(lambda state, views: terms_and_gradients(self.method, state, views))
    self.values, self.grads, self.aux = self.look(self.state, self.views)


_trained_methods: dict[str, TrainedMethod] = {}


@pytest.fixture
def trained_method(name, stepping):
  if name not in _trained_methods:
    _trained_methods[name] = TrainedMethod(name)
  return _trained_methods[name]


def test_it_has_a_version_and_a_docstring(name):
  assert isinstance(methods.version(name), int) and methods.version(name) >= 1
  doc = methods.get(name).__doc__ or ''
  missing = [word for word in ('Objective', 'Evaluated', 'Deviations') if word not in doc]
  assert not missing
  undocumented = [s for s in settings_of(methods.get(name)) if f'{s}:' not in doc]
  assert not undocumented


def test_it_is_a_method_whose_state_keeps_shapes_types_and_sharding(name):
  assert isinstance(tiny_method(tiny_trial(name)), Method)
  begun = run(tiny_trial(name), 0)
  before = kinds(begun)
  ended = run(tiny_trial(name), 3, start=begun)
  assert before == kinds(ended)
  assert not any(weak for _, _, weak, _ in before.values())
  assert int(ended.state.step) == (3 if learns_by_steps(name) else 0)


def test_buffers_can_be_donated(name):
  begun = run(tiny_trial(name), 0)
  plain = lambda x: jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x
  places = [
    s.data.unsafe_buffer_pointer() for x in jax.tree.leaves(begun) for s in plain(x).addressable_shards
  ]
  assert len(set(places)) == len(places)
  run(tiny_trial(name), 1, start=begun)
  kept = [path for path, x in leaves(begun.state).items() if not x.is_deleted() and x.size > 1]
  assert not kept


def test_loss_is_finite_and_the_sum_of_its_terms(name, stepping):
  metrics = {k: float(v) for k, v in run(tiny_trial(name)).totals['metrics'].items()}
  assert all(np.isfinite(v) for v in metrics.values()), metrics
  terms = {k: v for k, v in metrics.items() if k.startswith('loss/')}
  assert not has_golden(name) or terms.keys() == tiny_trial(name).golden.FLOWS.keys()
  assert sum(terms.values()) == pytest.approx(metrics['loss'], rel=1e-5)
  assert int(run(tiny_trial(name)).totals['bad_step']) == -1


def test_same_seed_same_run_other_seed_other_run(name):
  first, again, other = (run(tiny_trial(name), 3, seed=seed) for seed in (0, 0, 1))
  assert_same(host(first), host(again))
  assert differs(host(first.state), host(other.state))
  if learns_by_steps(name):
    assert differs(host(first.state.params), host(other.state.params))


def test_everything_moves(name):
  """Parameters, statistics and every declared part of the memory."""
  begun = run(tiny_trial(name), 0)
  before = {k: host(v) for k, v in begun.state._asdict().items()}
  after = {k: host(v) for k, v in run(tiny_trial(name), 3, start=begun).state._asdict().items()}
  for part in ('params', 'stats'):
    still = [path for path in before[part] if np.array_equal(before[part][path], after[part][path])]
    assert still == ([] if learns_by_steps(name) else [*before[part]]), part
  own = {path.split("'")[3] for path in before['memory'] if path.startswith("['inner']")}
  assert not has_golden(name) or own == set(tiny_trial(name).golden.MEMORY)
  for part in own:
    paths = [path for path in before['memory'] if path.startswith(f"['inner']['{part}']")]
    assert any(not np.array_equal(before['memory'][p], after['memory'][p]) for p in paths), part


def test_every_number_changes_the_run_and_compiles_nothing(name):
  tiny = tiny_trial(name)
  numbers = {k for k, s in settings_of(methods.get(name)).items() if s.is_number}
  assert not has_golden(name) or numbers == tiny.golden.NUMBERS.keys()
  usual = host(run(tiny))

  def changes(number, value):
    config = make_config({**tiny.config.method, number: value}, **getattr(tiny.golden, 'CHANGES', {}))
    assert structure_of(config, tiny.dataset) == structure_of(tiny.config, tiny.dataset)
    changed = numbers_on_device(config)
    with compilations() as count:
      ended = run(tiny, numbers=changed)
    assert count == [0], number
    return differs(usual, host(ended))

  for number in numbers:
    values = [tiny.golden.NUMBERS[number]] if has_golden(name) else other_values(name, number)
    assert any(changes(number, value) for value in values), f'{number} changes nothing'


@pytest.mark.slow
def test_each_term_reaches_what_it_should_and_nothing_else(name, trained_method):
  terms = trained_method.values.keys() - {'loss'}
  flows = trained_method.tiny.golden.FLOWS if has_golden(name) else {}
  assert not has_golden(name) or flows.keys() == terms
  for term, flow in flows.items():
    assert float(trained_method.values[term]) != 0, f'{term}: choose SETTINGS that use it'
    for group, gradient in trained_method.grads[term].items():
      norms = {path: float(jnp.abs(g).max()) for path, g in leaves(gradient).items()}
      if group in flow.params:
        dead = [path for path, norm in norms.items() if not norm > 1e-7]
        assert not dead, f'{term} does not reach {dead} of {group}'
      else:
        assert not any(norms.values()), f'{term} reaches {group}'
    assert set(flow.params) <= set(trained_method.grads[term])
  whole = host(trained_method.grads['loss'])
  parts = [host(trained_method.grads[term]) for term in terms]
  assert_near(whole, {path: sum(p[path] for p in parts) for path in whole})


@pytest.mark.slow
def test_running_moments_come_from_the_declared_views(name, trained_method):
  if not has_golden(name):
    pytest.skip(f'tests/golden/{name}.py, which would declare the views, is not there')
  usual = host(trained_method.aux.stats)
  for view, seen in trained_method.views.items():
    image = seen['image']
    if isinstance(image, Nodes):
      other = with_noise(image, 0.5)
    else:
      other = image[::-1] if np.issubdtype(image.dtype, np.integer) else image * 0.5 + 0.1
    changed = {**trained_method.views, view: {**seen, 'image': other}}
    _, _, aux = trained_method.look(trained_method.state, changed)
    assert differs(usual, host(aux.stats)) == (view in trained_method.tiny.golden.OBSERVED), view


@pytest.mark.slow
def test_pseudo_labels_are_well_formed(name, trained_method):
  pseudo = trained_method.aux.pseudo
  if pseudo is None:
    assert 'pseudo' not in run(tiny_trial(name), 0).totals
    return
  n = len(pseudo.index)
  assert {x.shape for x in pseudo[:4]} == {(n,)}
  assert pseudo.index.dtype == pseudo.label.dtype == jnp.int32
  assert int(pseudo.label.min()) >= 0 and int(pseudo.label.max()) < CLASSES
  if pseudo.probs is not None:
    np.testing.assert_allclose(pseudo.probs.sum(-1), np.ones(n), rtol=1e-5)
  assert float(pseudo.confidence.min()) >= 0 and float(pseudo.confidence.max()) <= 1 + 1e-6


def test_saved_and_restored_it_goes_on_bit_for_bit(name, tmp_path):
  whole = host(run(tiny_trial(name), 4))
  half = run(tiny_trial(name), 2)
  checkpoints = Checkpoints(tmp_path)
  checkpoints.save(2, tuple(half), {'curve': [1.5]})
  found = checkpoints.restore(tuple(run(tiny_trial(name), 0, seed=1)))
  checkpoints.close()
  assert found is not None
  restored, history = Run(*found[0]), found[1]
  assert history == {'curve': [1.5]}
  assert_same(host(half), host(restored))
  assert kinds(half) == kinds(restored)
  assert_same(whole, host(run(tiny_trial(name), 2, start=restored)))


def test_hidden_labels_reach_the_log_only(name):
  tiny = tiny_trial(name)
  labels = np.asarray(tiny.data['label'])
  hidden = labels >= 0  # of a graph's other nodes there is none
  hidden[np.asarray(tiny.data['pool'])[: tiny.config.labels]] = False
  moved = np.where(hidden, (labels + 1) % CLASSES, labels).astype('int32')
  other = {**tiny.data, 'label': jax.device_put(moved, tiny.data['label'].sharding)}
  usual, changed = run(tiny), run(tiny, data=other)
  assert_same(host(usual.state), host(changed.state))
  if learns_by_steps(name):
    assert_same(host(usual.totals['metrics']), host(changed.totals['metrics']))
  if 'pseudo' in usual.totals:
    assert differs(host(usual.totals['pseudo']), host(changed.totals['pseudo']))


def test_test_labels_reach_nothing(name):
  """What training is given does not depend on the held-out parts at all."""
  tiny = tiny_trial(name)
  turned = {
    f'{part}_labels': getattr(tiny.dataset, f'{part}_labels')[::-1] for part in ('validation', 'test')
  }
  other = tiny.dataset._replace(**turned)
  assert structure_of(tiny.config, other) == structure_of(tiny.config, tiny.dataset)
  assert_same(host(arrays_on_device(other)), host(tiny.data))


def test_encode_and_predict(name):
  tiny = tiny_trial(name)
  state = run(tiny).state
  images = jax.device_put(tiny.dataset.test_images[:12], tiny.data['image'].sharding)
  seen, again = (tiny.program.observe(state, tiny.numbers, images) for _ in range(2))
  assert_same(host(seen), host(again))
  assert seen.keys() == {'features'} | ({'logits'} if tiny.program.has_classifier else set())
  assert seen['features'].ndim == 2 and len(seen['features']) == 12
  assert seen['features'].dtype == jnp.float32
  if tiny.program.has_classifier:
    assert seen['logits'].shape == (12, CLASSES) and seen['logits'].dtype == jnp.float32
  others = jnp.concatenate([images[:6], 255 - images[6:]])  # what an image is comes from no other image
  if tiny.dataset.graph is not None:
    others = jnp.concatenate([images[:6], images[6:] - 100])
  near = host(tiny.program.observe(state, tiny.numbers, others))
  assert_near({k: v[:6] for k, v in near.items()}, {k: v[:6] for k, v in host(seen).items()}, atol=1e-6)
  assert not np.allclose(seen['features'][0], seen['features'][1])


@pytest.mark.slow
def test_seeds_under_vmap_equal_separate_runs(name, stepping):
  tiny = tiny_trial(name)
  method, tx = tiny_method(tiny), optax.sgd(tiny.config.optimizer['lr'], momentum=0.9)
  augment = dict.fromkeys(('weak', 'strong', 'other', 'local'), noisy(tiny.dataset.kind))
  step, batch = make_step(method, tx, augment), batch_of(tiny.dataset)

  begin = jax.jit(lambda seed: init_state(method, tx, augment, jax.random.key(seed), batch))
  separate = [begin(seed) for seed in (0, 1)]
  together = jax.jit(lambda *states: jax.tree.map(lambda *x: jnp.stack(x), *states))(*separate)
  alone, many = jax.jit(step), jax.jit(jax.vmap(step, (0, None)))
  for _ in range(3):
    together, logs = many(together, batch)
    for i, state in enumerate(separate):
      separate[i], log = alone(state, batch)
      one = lambda tree, i=i: {path: x[i] for path, x in host(tree).items()}
      assert_near(one(logs.metrics), host(log.metrics))
      assert_near_by_leaf(one(together), host(separate[i]))


@pytest.mark.slow
@pytest.mark.parametrize('third', range(3))
def test_four_devices_equal_one(third, tmp_path):
  names = ALL[third::3]
  tests = Path(__file__).parents[1]
  env = {
    **os.environ,
    'XLA_FLAGS': f'{os.environ.get("XLA_FLAGS", "")} --xla_force_host_platform_device_count=4',
    'JAX_PLATFORMS': 'cpu',
    'NPROC': '16',
    'PYTHONPATH': os.pathsep.join([str(tests.parent), *filter(None, [os.environ.get('PYTHONPATH')])]),
  }
  path = tmp_path / 'four.npz'
  log = tmp_path / 'log'
  with (
    log.open('wb') as out,
    subprocess.Popen(
      [sys.executable, '-m', 'support.on_all_devices', path, *names],
      cwd=tests,
      env=env,
      stdout=out,
      stderr=out,
    ) as other,
  ):
    one = ends_of(names)
  assert other.returncode == 0, log.read_text()[-2000:]
  four = dict(np.load(path))
  assert four.pop('devices') == 4
  assert_near(four, one)
