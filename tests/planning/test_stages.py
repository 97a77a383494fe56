"""Trainings that begin at the ends of epochs: how long each is, and what is too short for them."""

import numpy as np
import pytest
from support.tiny_trial import make_config

from ssl_bench import data
from ssl_bench.planning import make_plan
from ssl_bench.planning.stages import epoch_ends, lengths
from ssl_bench.settings.signature import BadSetting
from ssl_bench.training.loop import fit

STUDENT = {'name': 'noisy_student'}
DIFFUSED = {'name': 'deep_label_propagation', 'neighbors': 5}
TEACHER = {'method': 'supervised'}
EPOCH = 15  # 240 images, 16 a step


def replayed(steps, trainings, epoch, taught=False):
  """Steps of each training, the loop of training step by step."""
  stage, began, found = (-1 if taught else 0), 0, {}
  for step in range(1, steps + 1):
    found[stage] = step - began
    if step < steps and step % epoch == 0:
      new = min(step * trainings // steps, trainings - 1)
      if new > stage:
        stage, began = new, step
  return found


@pytest.mark.parametrize('taught', [False, True])
@pytest.mark.parametrize(
  ('steps', 'trainings', 'epoch'), [(54, 3, 18), (55, 3, 18), (1500, 3, 18), (90, 4, 7)]
)
def test_lengths_are_those_of_the_loop(steps, trainings, epoch, taught):
  found = lengths(steps, trainings, epoch_ends(steps, epoch), taught)
  expected = replayed(steps, trainings, epoch, taught)
  assert dict(enumerate(found)) == {k: expected.get(k, 0) for k in range(trainings)}


def test_the_digits_have_three_whole_trainings():
  assert lengths(1500, 3, epoch_ends(1500, 18)) == [504, 504, 492]


@pytest.mark.parametrize(
  ('method', 'changes', 'sentence'),
  [
    (STUDENT, {'steps': 15}, 'so of steps=15 they get 15, 0, 0; use steps=45 or method.stages=1.'),
    (STUDENT, {'steps': 46}, 'so of steps=46 they get 30, 15, 1; use steps=60 or method.stages=2.'),
    (STUDENT, {'steps': 12}, 'they get 12, 0, 0; use steps=45 or method.stages=1'),
    ({**STUDENT, 'stages': 1}, {'steps': 16, 'teacher': TEACHER}, 'they get 1; use steps=30.'),
    (DIFFUSED, {'steps': 15}, 'at the ends of epochs of 15 steps, too late for 15; use steps=20.'),
    (DIFFUSED, {'steps': 36}, 'too late for 36; use steps=40.'),
  ],
)  # fmt: skip
def test_too_few_steps_are_one_sentence_and_what_it_says_fits(method, changes, sentence):
  dataset = data.load('fake')
  with pytest.raises(BadSetting) as error:
    make_plan(make_config(method, **changes), dataset)
  assert sentence in str(error.value) and str(error.value).startswith(method['name'])
  enough = int(str(error.value).split('use steps=')[1].split()[0].rstrip('.'))
  make_plan(make_config(method, **{**changes, 'steps': enough}), dataset)


@pytest.mark.parametrize(
  ('method', 'changes'),
  [
    (STUDENT, {'steps': 45}),
    ({**STUDENT, 'stages': 1}, {'steps': 3}),
    ({**STUDENT, 'stages': 2}, {'steps': 46}),
    (STUDENT, {'steps': 60, 'teacher': TEACHER}),
    ({**DIFFUSED, 'warmup': 1.0}, {'steps': 3}),
    ({'name': 'label_spreading'}, {'steps': 1}),
  ],
)
def test_what_has_its_steps_is_not_refused(method, changes):
  make_plan(make_config(method, **changes))


def test_nothing_starts_anew_after_the_last_step(tmp_path):
  """A training of whole epochs ends with what it learned; one in the middle does start anew."""
  ended = {}
  for steps in (2 * EPOCH, 2 * EPOCH + 1):
    plan = make_plan(make_config(DIFFUSED, steps=40, net={'name': 'mlp', 'widths': [8]}))
    plan = plan._replace(config=plan.config.model_copy(update={'steps': steps}))  # too few to be planned
    state = fit(plan, tmp_path / str(steps)).state
    ended[steps] = np.asarray(state.memory['inner']['label'])
  assert (ended[2 * EPOCH] != ended[2 * EPOCH + 1]).any()
