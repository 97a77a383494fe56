"""One compiled program for all numbers: compilations are counted, strides, streams and logs compared."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.compilations import compilations
from support.tiny_trial import arrays_on_device, make_config, numbers_on_device, run, tiny_trial
from support.trees import assert_near, assert_same, differs, host, kinds

from ssl_bench import augment, data, parallel
from ssl_bench import contract as m
from ssl_bench.evaluation import predict
from ssl_bench.planning import batch as batches
from ssl_bench.planning import structure
from ssl_bench.planning.arrays import arrays_of
from ssl_bench.planning.build import streams_of
from ssl_bench.planning.numbers import numbers_of
from ssl_bench.planning.structure import structure_of
from ssl_bench.settings.signature import BadSetting
from ssl_bench.training import log
from ssl_bench.training.program import compile_program

DATASET = data.load('fake')
FIXMATCH = {'name': 'fixmatch', 'threshold': 0.1}
GRID: list[dict[str, Any]] = [
  {},
  {'seed': 3},
  {'labels': 40},
  {'labels': 0.5},
  {'split_seed': 2, 'labels': 10},
  {'optimizer__lr': 0.01},
  {'optimizer__weight_decay': 0.0},
  {'optimizer__momentum': 0.5},
  {'optimizer__clip': 1.0},
  {'method__threshold': 0.5},
  {'method__weight': 0.25},
  {'ema__decay': 0.1},
  {'steps': 200},
  {'seed': 5, 'labels': 30, 'optimizer__lr': 1, 'method__threshold': 1, 'method__weight': 3},
]


def train(config, steps=3):
  """A few steps of a trial from nothing, all compilation included; the end, as NumPy arrays."""
  program = compile_program(structure_of(config, DATASET))
  labels, classes = DATASET.train_labels, DATASET.classes
  pool = data.labeled_indices(labels, config.labels, split_seed=config.split_seed, classes=classes)
  place = parallel.everywhere(parallel.make_mesh())
  arrays = jax.device_put(arrays_of(DATASET, pool), place)
  numbers = jax.device_put(numbers_of(config, len(pool)), place)
  carry = program.init(np.uint32(config.seed), arrays, numbers)
  for _ in range(steps):
    carry = program.advance(*carry, arrays, numbers)
  return host(carry)


def test_the_counter_counts():
  """Whether or not the compile cache has the program."""
  for _ in range(2):
    with compilations() as count:
      jax.jit(lambda x: jnp.sin(x) * 3 + 41)(np.float32(2))
    assert count == [1]
    jax.clear_caches()
  add = jax.jit(lambda x: x + 1)
  add(np.float32(1))
  with compilations() as count:
    add(np.float32(2))
  assert count == [0]


def test_a_grid_over_numbers_compiles_one_program():
  """Seed, budget, rate, decay, threshold, weight, average, clip and steps; and each of them has an effect."""
  train(make_config(FIXMATCH))
  ends = []
  for changes in GRID:
    with compilations() as count:
      ends.append(train(make_config(FIXMATCH, **changes)))
    assert count == [0], changes
  assert [g for g, end in zip(GRID, ends) if not differs(ends[0], end)] == [{}]


@pytest.mark.parametrize(
  'changes',
  [
    {'augment__strong': 'crop(1)'},
    {'augment__weak': 'crop(1)'},
    {'net__widths': [16, 12]},
    {'batch__labeled': 5},
    {'optimizer': {'name': 'adamw'}},
    {'optimizer__schedule': 'constant'},
    {'ema': None},
    {'method': {'name': 'pseudo_label'}},
  ],
)
def test_structure_is_a_program_of_its_own(changes):
  config = make_config(**{'method': FIXMATCH, **changes})
  assert structure_of(config, DATASET) != structure_of(make_config(FIXMATCH), DATASET)


@pytest.mark.slow
def test_another_augmentation_compiles_another_program():
  """The start, which looks at real views, and the step."""
  usual = train(make_config({'name': 'supervised', 'strong': True}))
  other = make_config({'name': 'supervised', 'strong': True}, augment__weak='flip')
  with compilations() as count:
    assert differs(usual, train(other))
  assert count == [2]


def test_a_policy_written_differently_is_the_same_program():
  short, long = 'crop(1)', augment.resolve('crop(1)', 1)
  assert short != long
  one, other = (structure_of(make_config(FIXMATCH, augment__weak=t), DATASET) for t in (short, long))
  assert one == other


def test_numbers_have_one_type_whatever_the_user_wrote():
  """An int, a float, a NumPy number: the same types on the device, so the same program."""
  spec = lambda tree: jax.tree.map(lambda x: (x.dtype, x.shape), tree)
  usual = numbers_of(make_config(FIXMATCH), 20)
  written = make_config({'name': 'fixmatch', 'threshold': 1, 'weight': 2}, optimizer__lr=1, steps=7)
  assert spec(usual) == spec(numbers_of(written, 40))
  assert {x.dtype for x in jax.tree.leaves(usual)} == {np.dtype('float32'), np.dtype('int32')}


def test_a_stride_equals_its_steps_one_by_one(monkeypatch):
  """Several steps per dispatch, the way of a GPU, on a net whose loops are fast on the CPU too."""
  tiny = tiny_trial('fixmatch')
  usual = run(tiny, 6)
  monkeypatch.setattr(structure, 'stride_of', lambda config: 3)
  longer = structure_of(tiny.config, tiny.dataset)
  strided = tiny._replace(program=compile_program(longer))
  assert strided.program.stride == 3
  begun = run(strided, 0)
  before = kinds(begun)
  ended = run(strided, 2, start=begun)
  assert before == kinds(ended)
  assert int(ended.state.step) == 6 and int(ended.totals['count']) == 6
  assert_near(host(ended), host(usual))


def test_the_stride_divides_every_interval(monkeypatch):
  monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
  config = make_config(FIXMATCH, steps=1200, log_every=60, evaluate__every=90, checkpoint__every=300)
  assert structure.stride_of(config) == 30
  monkeypatch.setattr(jax, 'default_backend', lambda: 'cpu')
  assert structure.stride_of(config) == 1 and structure.longest_stride(config) == 30


def test_the_unlabeled_stream_has_no_label():
  """What a step is given: images and their index, and no more."""
  tiny = tiny_trial('fixmatch')
  structure = structure_of(tiny.config, tiny.dataset)
  assert streams_of(structure) == {'labeled', 'unlabeled'}
  draw = batches.drawer(structure, parallel.make_mesh())
  batch = jax.eval_shape(draw, tiny.data, jax.random.key(0), jnp.int32(0), jnp.int32(20))
  assert batch['unlabeled'].keys() == {'image', 'index'}
  assert batch['labeled'].keys() == {'image', 'label', 'labeled_index'}


def test_labeled_batches_stay_within_the_budget():
  """Only the first n_labels of the pool, all of them in time, with the labels that belong to them."""
  tiny = tiny_trial('fixmatch')
  draw = jax.jit(batches.drawer(tiny.program.structure, parallel.make_mesh()))
  pool, images = np.asarray(tiny.data['pool'])[:20], tiny.dataset.train_images
  seen, order = set(), []
  for step in range(30):
    batch = jax.tree.map(np.asarray, draw(tiny.data, jax.random.key(0), np.int32(step), np.int32(20)))
    for image, label, place in zip(*(batch['labeled'][x] for x in ('image', 'label', 'labeled_index'))):
      (at,) = [i for i in pool if np.array_equal(images[i], image)]
      assert tiny.dataset.train_labels[at] == label and pool[place] == at
      seen.add(int(at))
    np.testing.assert_array_equal(batch['unlabeled']['image'], images[batch['unlabeled']['index']])
    order += batch['unlabeled']['index'].tolist()
  assert seen == set(pool.tolist())
  assert sorted(order[:240]) == list(range(240)) == sorted(order[240:])  # two epochs
  assert order[:240] != order[240:]


def test_a_batch_larger_than_the_set_is_one_sentence():
  config = make_config(FIXMATCH, batch__unlabeled_ratio=100)
  with pytest.raises(BadSetting, match='800 of 240 unlabeled images'):
    compile_program(structure_of(config, DATASET))


def test_totals_are_sums_and_the_log_joins_hidden_labels():
  """The counts by class against those made from single steps' pseudo-labels in NumPy."""
  tiny = tiny_trial('fixmatch')
  one = run(tiny, 1)
  two = run(tiny, 2)
  assert int(two.totals['count']) == 2
  first, both = (np.asarray(r.totals['pseudo']['seen']) for r in (one, two))
  assert first.sum() == 16 and both.sum() == 32
  counts = log.measure(
    m.Log(
      {'loss': jnp.float32(1), 'grad_norm': jnp.float32(1)},
      m.PseudoLabels(
        jnp.array([0, 1, 2, 3]), jnp.array([1, 1, 0, 2]), jnp.ones(4), jnp.array([1.0, 0, 1, 1])
      ),
    ),
    jnp.array([1, 1, 1, -1]),
    3,
    jnp.int32(0),
  )['pseudo']
  np.testing.assert_array_equal(counts['seen'], [0, 3, 0])  # the label of image 3 is not known
  np.testing.assert_array_equal(counts['kept'], [0, 2, 0])
  np.testing.assert_array_equal(counts['claimed'], [1, 1, 0])
  np.testing.assert_array_equal(counts['correct'], [0, 1, 0])


def test_the_first_bad_step_is_kept():
  tiny = tiny_trial('supervised')
  config = make_config({**tiny.config.method}, optimizer__lr=1e30)
  ended = run(tiny, 6, numbers=numbers_on_device(config))
  bad = int(ended.totals['bad_step'])
  assert 0 < bad < 6
  before = run(tiny, bad, numbers=numbers_on_device(config))
  assert int(before.totals['bad_step']) == -1


def test_observing_goes_by_chunks_and_pads():
  tiny = tiny_trial('supervised')
  state = run(tiny, 2).state
  images = np.concatenate([tiny.dataset.train_images, tiny.dataset.test_images])  # more than one chunk
  whole = predict.observe(tiny.program, state, tiny.numbers, images)
  few = predict.observe(tiny.program, state, tiny.numbers, images[250:260])
  assert whole.logits is not None and few.logits is not None
  assert whole.features.shape == (320, 8) and whole.logits.shape == (320, 10)
  np.testing.assert_allclose(whole.features[250:260], few.features, rtol=1e-6, atol=1e-6)
  np.testing.assert_allclose(whole.logits[250:260], few.logits, rtol=1e-6, atol=1e-6)


def test_training_is_shared_where_no_label_is_seen():
  """A self-supervised run does not depend on the labels that it does not see."""
  tiny = tiny_trial('simclr')
  assert not tiny.program.uses_labels and not tiny.program.has_classifier
  other = arrays_on_device(tiny.dataset, 40)
  numbers = numbers_on_device(make_config(dict(tiny.config.method), labels=40))
  assert_same(host(run(tiny)), host(run(tiny, data=other, numbers=numbers)))
