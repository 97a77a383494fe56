"""Noisy Student's stages: who labels, what is selected, what starts anew, and on which schedule."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from golden import noisy_student as golden
from support.stub_encoders import fixed_numbers, vector_encoder
from support.tiny_method import KEY, make_method, make_teacher
from support.trees import host, leaves, retype

from ssl_bench import data, methods, optim
from ssl_bench.contract import State, init_state, make_step, warm, with_ema

CLASSES, WIDTH, STEPS = 10, 3, 20
DATASET = data.load('fake')
NOISE = np.random.default_rng(0).integers(0, 256, (240, 8, 8, 1))
IMAGES = (0.4 * DATASET.train_images + 0.6 * NOISE).astype('uint8')  # so that classes overlap
TX = optax.chain(optax.trace(0.9), optax.scale_by_schedule(lambda step: -0.1 / (1 + step)))
ENCODER = vector_encoder(0.1 * fixed_numbers((64, WIDTH), 'rows'), norm=True)

# name -> the step, the stage so far (-1: the teacher's turn) and settings
TURNS = {
  'by the teacher': (2, -1, {}),
  'by the teacher, late': (19, -1, {'stages': 1}),
  'by itself': (7, 0, {}),
  'few are confident': (7, 0, {'threshold': 0.5}),
  'none is confident': (7, 0, {'threshold': 1.0}),
  'unbalanced': (14, 1, {'balance': False, 'threshold': 0.5}),
  'hard': (7, 0, {'soft': False}),
  'in the same stage': (6, 0, {}),
  'at the end of the last stage': (20, 2, {}),
}
FAST = ('by the teacher', 'by itself', 'in the same stage')


def begin(stage, step, **settings):
  """A method and a state in the middle of a training."""
  method = make_method('noisy_student', ENCODER, CLASSES, np.float32(STEPS), **settings)
  views = {'labeled': {'image': jnp.zeros((1, 8, 8, 1))}}
  params, stats, memory = method.init(KEY, views)
  params['head'] = jax.tree.map(
    lambda x: 0.7 * jnp.asarray(fixed_numbers(x.shape, 'head'), 'float32'), params['head']
  )
  stats['encoder']['batch_stats']['mean'] += 0.3
  state = State(KEY, jnp.int32(step), params, stats, {**memory, 'stage': jnp.int32(stage)}, TX.init(params))
  moved = jax.tree.map(lambda x: x + 1, state.opt_state)
  return method, state._replace(opt_state=moved)


@pytest.mark.parametrize(
  'name', [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in TURNS]
)
def test_a_turn_is_golden_and_the_student_starts_anew(name):
  step, stage, settings = TURNS[name]
  method, state = begin(stage, step, **settings)
  new = jax.jit(lambda s: method.refresh(s, {'unlabeled': {'image': IMAGES}}, jax.random.key(1), TX))(state)
  expected = golden.refresh(
    *retype((state.params, state.stats, state.memory), 'float64'),
    IMAGES.reshape(240, 64) / 127.5 - 1,
    {},
    step=step,
    steps=STEPS,
    classes=CLASSES,
    teacher=make_teacher(ENCODER, CLASSES, None),
    **settings,
  )
  assert new.memory.keys() == expected.keys()
  for part, value in expected.items():
    np.testing.assert_allclose(new.memory[part], value, rtol=1e-4, atol=1e-4, err_msg=part)
  turned = int(new.memory['stage']) > stage
  assert turned == (name not in ('in the same stage', 'at the end of the last stage'))
  fresh = method.init(jax.random.key(1), {'labeled': {'image': jnp.zeros((1, 8, 8, 1))}})
  wanted = (*fresh[:2], TX.init(fresh[0])) if turned else (state.params, state.stats, state.opt_state)
  for mine, theirs in zip((new.params, new.stats, new.opt_state), wanted):
    for path, leaf in host(theirs).items():
      np.testing.assert_allclose(host(mine)[path], leaf, rtol=1e-6, err_msg=path)


def test_what_is_selected_is_balanced_and_one_in_the_mean():
  share_out = methods.get('noisy_student').__globals__['share_out']
  belief = jnp.asarray(np.repeat(np.eye(3), [50, 8, 2], axis=0) * np.linspace(0.4, 0.99, 60)[:, None] + 0.001)
  share = np.asarray(share_out(belief, 0.5, True))
  label = np.repeat([0, 1, 2], [50, 8, 2])
  sums = np.bincount(label, share)
  np.testing.assert_allclose(sums, 20, rtol=1e-5)  # 60 images in the mean, three classes alike
  sure = np.asarray(belief.max(1)) > 0.5
  assert not share[~sure].any()
  first = np.flatnonzero(sure & (label == 0))
  kept = np.flatnonzero(share[:50])
  assert set(kept) == set(first[-len(kept) :]) and 0 < len(kept) < len(first)  # the most confident
  np.testing.assert_allclose(np.asarray(share_out(belief, 0.5, False)), sure * 60 / sure.sum(), rtol=1e-5)
  assert not np.asarray(share_out(belief, 1.0, True)).any()


def test_without_a_teacher_the_first_stage_sees_labels_only():
  factory = methods.get('noisy_student')
  alone = factory(ENCODER, CLASSES, 240, np.float32(STEPS))
  memory = alone.init(KEY, {'labeled': {'image': jnp.zeros((1, 8, 8, 1))}})[2]
  assert int(memory['stage']) == 0 and not memory['share'].any()
  taught = make_method('noisy_student', ENCODER, CLASSES, np.float32(STEPS))
  assert int(taught.init(KEY, {'labeled': {'image': jnp.zeros((1, 8, 8, 1))}})[2]['stage']) == -1


def test_every_stage_has_the_whole_schedule():
  method = make_method('noisy_student', ENCODER, CLASSES, np.float32(STEPS), stages=4)
  assert method.trainings == 4
  checked = optim.check_optimizer({'name': 'sgd', 'lr': 1.0, 'momentum': 0.0, 'weight_decay': 0.0})
  numbers, structure = optim.split_numbers(checked)
  tx = optim.make_optimizer(structure, numbers, np.float32(STEPS) / method.trainings)
  params = {'w': jnp.ones(1)}
  state, rates = tx.init(params), []
  for _ in range(5):
    update, state = tx.update({'w': jnp.ones(1)}, state, params)
    rates.append(-float(update['w'][0]))
  np.testing.assert_allclose(rates, np.cos(7 / 16 * np.pi * np.arange(5) / 5), rtol=1e-5)


@pytest.mark.slow
def test_the_average_starts_anew_with_the_student():
  """Under `with_ema`: the new parameters, and the low decay of the first steps."""
  method = make_method('noisy_student', ENCODER, CLASSES, np.float32(STEPS), stages=3)
  both = with_ema(method, decay=0.999)
  policy = lambda key, image: image / 127.5 - 1
  batch = {
    'labeled': {'image': IMAGES[:4], 'label': DATASET.train_labels[:4]},
    'unlabeled': {'image': IMAGES[4:12], 'index': jnp.arange(4, 12)},
  }
  augment = {'weak': policy, 'strong': policy}
  step = jax.jit(make_step(both, TX, augment))
  state = init_state(both, TX, augment, KEY, batch)
  for _ in range(8):
    state, _ = step(state, batch)
  state = state._replace(memory={**state.memory, 'inner': {**state.memory['inner'], 'stage': jnp.int32(0)}})
  new = both.refresh(state, {'unlabeled': {'image': IMAGES}}, jax.random.key(1), TX)
  assert int(state.memory['began']) == 0 and int(new.memory['began']) == 8
  for path, leaf in leaves(new.memory['ema']).items():
    np.testing.assert_array_equal(leaf, leaves(new.params)[path], err_msg=path)
  again = both.refresh(new, {'unlabeled': {'image': IMAGES}}, jax.random.key(2), TX)
  assert int(again.memory['began']) == 8
  after, _ = step(again, batch)
  decay = float(warm(0.999, jnp.int32(1)))
  for path, leaf in leaves(after.memory['ema']).items():
    old, now = leaves(again.memory['ema'])[path], leaves(after.params)[path]
    np.testing.assert_allclose(leaf, decay * old + (1 - decay) * now, rtol=1e-5, atol=1e-6, err_msg=path)
