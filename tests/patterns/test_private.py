"""Private gradients are those of single units, clipped and summed in NumPy; samples and noise as stated."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from support.cli import write_configs
from support.compilations import compilations
from support.tiny_method import KEY, tiny_method, views_of
from support.tiny_trial import make_config, tiny_trial
from support.trees import host

from ssl_bench import contract as m
from ssl_bench import data
from ssl_bench.config import load
from ssl_bench.evaluation import privacy
from ssl_bench.patterns import _private_eligibility as eligibility
from ssl_bench.patterns import _private_steps as steps
from ssl_bench.planning import make_plan
from ssl_bench.planning.arrays import arrays_of
from ssl_bench.planning.numbers import numbers_of
from ssl_bench.planning.structure import structure_of
from ssl_bench.settings.signature import BadSetting
from ssl_bench.training.program import compile_program
from ssl_bench.trial.run import run_trial
from ssl_bench.trial.run_folder import RunFolder

DATASET = data.load('fake')
POOL = data.labeled_indices(DATASET.train_labels, 20, split_seed=0, classes=10)
UNITS = 8


def prepared(name):
  """A method on a net without BatchNorm, its state, the views of eight units, and its objective."""
  tiny = tiny_trial(name)
  config = tiny.config.model_copy(update={'net': {**tiny.config.net, 'norm': 'none'}})
  method = tiny_method(tiny._replace(config=config))
  sample = {
    'labeled': {'image': DATASET.train_images[:UNITS], 'label': DATASET.train_labels[:UNITS]},
    'unlabeled': {'image': DATASET.train_images[100:116], 'index': np.arange(100, 116)},
  }
  views = views_of(method, sample)
  params, stats, memory = method.init(KEY, views)
  state = m.State(KEY, jnp.int32(30), params, stats, memory, ())
  objective = lambda params, state, views, key: method.loss(state._replace(params=params), views, key)
  return state, views, objective


def estimated(state, views, objective, valid, clip, noise, expected=UNITS):
  marked = {k: {**v, 'valid': valid} if 'label' in v else v for k, v in views.items()}
  estimate = jax.jit(steps.dp_gradient(clip, noise, expected)(objective, has_aux=True))
  return estimate(state.params, state, marked, KEY)


def one_by_one(state, views, objective, valid, clip):
  """The clipped gradients of the valid units, each computed alone, summed in float64."""
  keys = jax.random.split(jax.random.fold_in(KEY, 0), UNITS)
  gradient = jax.jit(jax.value_and_grad(objective, has_aux=True))
  total, losses, norms = 0, [], []
  for i in np.flatnonzero(valid):
    rows = lambda x, i=i: x[i * len(x) // UNITS : (i + 1) * len(x) // UNITS]
    (loss, _), grads = gradient(state.params, state, jax.tree.map(rows, views), keys[i])
    flat = np.concatenate([np.ravel(g).astype('float64') for g in jax.tree.leaves(grads)])
    norms.append(np.linalg.norm(flat))
    total = total + flat * min(1, clip / norms[-1])
    losses.append(float(loss))
  return total, losses, norms


flat = lambda tree: np.concatenate([np.ravel(x) for x in jax.tree.leaves(tree)])


@pytest.mark.parametrize('name', ['supervised', pytest.param('fixmatch', marks=pytest.mark.slow)])
def test_gradients_are_clipped_unit_by_unit(name):
  """Some units are padding; the sum is divided by what is expected, not by how many there are."""
  state, views, objective = prepared(name)
  valid = np.array([1, 1, 0, 1, 0, 1, 1, 0], bool)
  _, _, norms = one_by_one(state, views, objective, valid, 1e9)
  clip = float(np.median(norms))  # some are clipped, some are not
  total, losses, _ = one_by_one(state, views, objective, valid, clip)
  (loss, aux), grads = estimated(state, views, objective, valid, clip, 0.0, expected=4)
  np.testing.assert_allclose(flat(grads), total / 4, rtol=1e-4, atol=1e-7)
  assert float(loss) == pytest.approx(np.mean(losses), rel=1e-5)
  assert sum(float(v) for k, v in aux.metrics.items() if k.startswith('loss/')) == pytest.approx(float(loss))
  if aux.pseudo is not None:
    assert aux.pseudo.index.shape == aux.pseudo.mask.shape == (16,)
    assert not np.asarray(aux.pseudo.mask).reshape(UNITS, 2)[~valid].any()


@pytest.mark.parametrize('name', ['supervised', pytest.param('fixmatch', marks=pytest.mark.slow)])
def test_without_clip_and_noise_it_is_the_plain_gradient(name):
  state, views, objective = prepared(name)
  (plain, _), expected = jax.jit(jax.value_and_grad(objective, has_aux=True))(state.params, state, views, KEY)
  (loss, _), grads = estimated(state, views, objective, np.ones(UNITS, bool), 1e9, 0.0)
  np.testing.assert_allclose(flat(grads), flat(expected), rtol=1e-5, atol=3e-8)
  assert float(loss) == pytest.approx(float(plain), rel=1e-6)


@pytest.mark.slow
def test_the_noise_is_gaussian_of_the_stated_size_and_its_own_in_every_step():
  state = m.State(KEY, jnp.int32(0), {'a': jnp.zeros(3000), 'b': jnp.zeros((40, 50))}, {}, (), ())
  objective = lambda params, state, views, key: (0.0 * params['a'].sum(), m.Aux({}, (), {'loss/none': 0.0}))
  views = {'x': {'image': np.zeros((UNITS, 1), 'float32'), 'valid': np.zeros(UNITS, bool)}}
  estimate = steps.dp_gradient(0.5, 3.0, 10)(objective, has_aux=True)
  _, one = estimate(state.params, state, views, KEY)
  _, other = estimate(state.params, state, views, jax.random.key(1))
  for grads in (one, other):
    for part in grads.values():
      assert stats.kstest(np.ravel(part), stats.norm(0, 3.0 * 0.5 / 10).cdf).pvalue > 1e-3
  for a, b in ((flat(one), flat(other)), (np.ravel(one['a'])[:2000], np.ravel(one['b']))):
    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(len(a))  # no noise is used twice


def test_samples_are_poisson_samples():
  draw = jax.jit(lambda step, n: steps.poisson_sample(KEY, step, 16, n, 200))
  sizes, counts = [], np.zeros(200, int)
  for step in range(400):
    places, valid = map(np.asarray, draw(step, 120))
    taken = places[valid]
    assert len(set(taken)) == len(taken) and (taken < 120).all() and (places >= 0).all()
    sizes.append(len(taken))
    counts[taken] += 1
  assert not counts[120:].any()
  expected = stats.binom(120, 16 / 120)
  cuts = [0, 11, 13, 14, 15, 16, 17, 18, 20, 121]
  theory = np.diff([expected.cdf(c - 1) for c in cuts])
  assert stats.chisquare(np.histogram(sizes, cuts)[0], 400 * theory / theory.sum()).pvalue > 1e-3
  spread = stats.binom(400, 16 / 120)
  assert ((counts[:120] > spread.ppf(1e-6)) & (counts[:120] < spread.ppf(1 - 1e-6))).all()
  again = draw(7, 120)
  np.testing.assert_array_equal(again[0], draw(7, 120)[0])
  assert not np.array_equal(again[0], draw(8, 120)[0])


@pytest.mark.parametrize('expected', [1, 16, 64, 256])
def test_a_padded_batch_almost_never_overflows(expected):
  places = steps.capacity_of(expected)
  for n in (expected, 2 * expected, 60_000):
    assert stats.binom.sf(places, n, expected / n) < 1e-11
  assert places < 4 * expected + 30


# Whether a loss couples its batch, on losses that say so.


def toy(loss):
  return m.Method(
    {'x': m.View('labeled', 'weak')}, lambda key, views: ({'w': jnp.ones(3)}, {}, ()), loss, None
  )


def noisy_mean(state, views, key):
  x = views['x']['image']
  keep = jax.random.bernoulli(key, 0.5, x.shape)  # drawn over the batch, and yet no image meets another
  return jnp.square((x * keep) @ state.params['w']).mean(), m.Aux({}, (), {})


def contrast(state, views, key):
  z = views['x']['image'] * state.params['w'][None]
  return jax.nn.logsumexp(z @ z.T, 1).mean(), m.Aux({}, (), {})


def confident(state, views, key):
  """Coupled only where it is confident: the mean over the images above a threshold."""
  z = jax.nn.sigmoid(views['x']['image'] @ state.params['w'] / 10)
  mask = z > 0.7
  return (mask * z).sum() / jnp.maximum(mask.sum(), 1), m.Aux({}, (), {})


@pytest.mark.parametrize('loss, meets', [(noisy_mean, False), (contrast, True), (confident, True)])
def test_a_loss_in_which_images_meet_is_found(loss, meets):
  rng = np.random.default_rng(0)
  one, other = ({'x': {'image': rng.normal(size=(25, 3)).astype('float32')}} for _ in range(2))
  state = m.State(KEY, jnp.int32(0), {'w': jnp.ones(3)}, {}, (), ())
  assert eligibility.is_coupled(toy(loss), state, one, other) == meets


# Whole trials.

PLAIN = """
net: {name: mlp, widths: [16], norm: none}
augment: {weak: none, strong: none}
private: {clip: 1.0, noise: 1.0, delta: 1.0e-4}
batch: {labeled: 4, unlabeled_ratio: 2}
"""


@pytest.fixture
def folder(tmp_path):
  return write_configs(tmp_path / 'configs', PLAIN)


@pytest.mark.slow
def test_a_private_trial_records_what_it_spent(folder, tmp_path):
  pytest.importorskip('dp_accounting')
  config = load(folder / 'supervised.yaml', ['ema=null'])
  found = run_trial(config, RunFolder(tmp_path / 'runs'))
  assert found['status'] == 'done', found['error']
  told = found['metrics']['privacy']
  assert told['epsilon'] == pytest.approx(privacy.epsilon(1.0, 4 / 20, 12, 1e-4), rel=1e-3)
  assert (told['delta'], told['stream'], told['steps'], told['sampling_rate']) == (1e-4, 'labeled', 12, 0.2)
  assert 0 <= found['metrics']['membership_auc'] <= 1
  assert found['config']['private'] == {'clip': 1.0, 'noise': 1.0, 'delta': 1e-4}


@pytest.mark.slow
def test_clip_and_noise_compile_nothing_and_change_the_run():
  plain = {'ema': None, 'net__norm': 'none', 'batch': {'labeled': 4, 'unlabeled_ratio': 2}}
  usual = make_config({'name': 'supervised'}, private={}, **plain)
  program = compile_program(structure_of(usual, DATASET))
  arrays = jax.device_put(arrays_of(DATASET, POOL))

  def end(**changes):
    config = make_config({'name': 'supervised'}, private=changes, **plain)
    numbers = jax.device_put(numbers_of(config, 20))
    carry = program.init(np.uint32(0), arrays, numbers)
    for _ in range(3):
      carry = program.advance(*carry, arrays, numbers)
    return host(carry[0].params)

  first = end()
  with compilations() as count:
    ends = [end(clip=0.01), end(noise=0.0), end(delta=1e-3)]
  assert count == [0]
  moved = [any((first[k] != other[k]).any() for k in first) for other in ends]
  assert moved == [True, True, False]  # δ is for the record


@pytest.mark.slow
@pytest.mark.parametrize(
  'name, words, told',
  [
    ('random_weights', [], 'random_weights learns nothing'),
    ('supervised', ['net.norm=batch'], 'supervised keeps statistics of its batch, as BatchNorm does'),
    ('simclr', [], 'simclr keeps statistics of its batch'),
    ('flexmatch', [], 'flexmatch keeps in memory, without noise, what it saw of its images'),
    ('deep_label_propagation', [], 'looks at more images than its batch'),
    ('supervised', ['batch.labeled=21'], 'A private step draws 21 of 20 labeled images on average'),
    ('fixmatch', ['batch.unlabeled_ratio=20'], 'A private step would see up to'),
  ],
)
def test_what_cannot_be_private_is_one_sentence(folder, name, words, told):
  config = load(folder / f'{name}.yaml', words)
  with pytest.raises(BadSetting, match=told):
    make_plan(config, DATASET)


@pytest.mark.slow
def test_a_method_that_mixes_images_is_refused_and_one_that_does_not_is_not(folder):
  for name in ('supervised', 'fixmatch', 'mean_teacher'):
    make_plan(load(folder / f'{name}.yaml', ['net.dropout=0.3']), DATASET)
  with pytest.raises(BadSetting, match='mixmatch compares images of a batch with each other'):
    make_plan(load(folder / 'mixmatch.yaml'), DATASET)


@pytest.mark.parametrize(
  'words, told',
  [
    (['federated={local_steps: 4}'], 'leave federated or private out'),
    (['private.clip=0'], 'private.clip must be'),
    (['private.noise=-1'], 'private.noise must be'),
    (['private.delta=1'], 'private.delta must be'),
    (['method=fine_tune', 'teacher={method: supervised}'], 'leave teacher or private out'),
    (
      ['private=null', 'method=fine_tune', 'teacher={method: supervised, private: {noise: 1.0}}'],
      'leave teacher or private out',
    ),
    (['private.epsilon=1'], "There is no setting 'private.epsilon'"),
  ],
)
def test_a_wrong_setting_is_one_sentence(folder, words, told):
  with pytest.raises(BadSetting, match=told):
    load(folder / 'supervised.yaml', words)


def test_a_trial_without_it_is_as_it_was(folder):
  config = load(folder / 'supervised.yaml', ['private=null'])
  assert 'private' not in json.loads(config.model_dump_json())
  make_plan(config, DATASET)
