"""A trial's teacher: trained first, once a room, and then constant data to the student."""

import json
import threading

import jax
import numpy as np
import pytest
from support.cli import write_configs
from support.trees import assert_same, host

from ssl_bench import data
from ssl_bench.config import load, teacher_of
from ssl_bench.records import record
from ssl_bench.settings.signature import BadSetting
from ssl_bench.train.batch import scale
from ssl_bench.train.loop import Interrupted
from ssl_bench.train.program import compile_program
from ssl_bench.train.structure import ask_teacher, structure_of, teaching, uses_labels
from ssl_bench.trial.run import check, run_trial
from ssl_bench.trial.run_folder import Room
from ssl_bench.trial.training import labeled_of, labels_seen, teach, train

STUDENT = 'method: distill\nnet: {widths: [4]}\nteacher: {config: fixmatch.yaml}'
QUIET = (lambda step, metrics: None, lambda: False)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return write_configs(tmp_path_factory.mktemp('configs'), distill=STUDENT)


@pytest.fixture(scope='module')
def dataset():
  return data.load('fake')


@pytest.fixture(scope='module')
def room(folder):
  """A room in which a student was trained, and its record."""
  room = Room(folder / 'runs')
  run_trial(load(folder / 'distill.yaml'), room)
  return room


def record_of(config, room, dataset):
  return room.recorded(record.identify(config, dataset.fingerprint))


@pytest.mark.slow
def test_the_teacher_is_trained_first_as_if_alone(folder, room, dataset, tmp_path):
  config = load(folder / 'distill.yaml')
  usual = load(folder / 'fixmatch.yaml')
  assert record_of(config, room, dataset)['status'] == 'done'
  assert record_of(usual, room, dataset) is None  # only what was asked for is recorded
  names = {path.name for path in room.checkpoints.iterdir()}
  own = record.identify_training(usual, dataset.fingerprint, {'labeled', 'unlabeled'})
  assert len(names) == 2 and own in names
  taken = teach(config, dataset, room, *QUIET)
  alone = train(usual, dataset, labeled_of(usual, dataset), Room(tmp_path), *QUIET)
  assert_same(host(taken.state), host(alone.state))


@pytest.mark.slow
def test_a_student_is_small_and_its_training_costs_its_teachers_as_well(folder, room, dataset):
  config = load(folder / 'distill.yaml')
  cost = record_of(config, room, dataset)['cost']
  assert cost['parameters'] == 64 * 4 + 2 * 4 + 4 * 10 + 10
  teacher = compile_program(structure_of(teacher_of(config), dataset))
  assert cost['teacher_gflops'] == pytest.approx(12 * teacher.cost['gflops_per_step'])


@pytest.mark.slow
def test_a_trained_teacher_is_taken_as_it_is(folder, room, dataset):
  marks = {p: p.stat().st_mtime_ns for p in room.checkpoints.rglob('*')}
  steps = []
  told = lambda step, metrics: steps.append(step)
  other = load(folder / 'distill.yaml', ['method.temperature=2.0'])
  assert run_trial(other, room, report=told)['status'] == 'done'
  assert steps[0] > 0  # nothing was trained before the student
  usual = load(folder / 'fixmatch.yaml')
  assert run_trial(usual, room, report=lambda *told: pytest.fail('trained again'))['status'] == 'done'
  assert all(path.stat().st_mtime_ns == mark for path, mark in marks.items() if path.is_file())


@pytest.mark.slow
def test_the_teacher_is_in_no_checkpoint_of_the_student_and_stays_as_it_was(folder, room, dataset):
  config = load(folder / 'distill.yaml')
  teacher = teach(config, dataset, room, *QUIET)
  fitted = train(config, dataset, labeled_of(config, dataset), room, *QUIET, teacher)
  sizes = {leaf.shape for leaf in jax.tree.leaves(fitted.state) if leaf.ndim}
  assert (64, 4) in sizes and (64, 16) not in sizes
  assert_same(host(fitted.numbers['teacher']['state']), host(teacher.state._replace(opt_state=())))


@pytest.mark.slow
def test_another_teacher_is_another_student_and_no_other_program(folder, dataset):
  config = load(folder / 'distill.yaml')
  program = compile_program(structure_of(config, dataset))
  assert program is compile_program(structure_of(load(folder / 'distill.yaml', ['teacher.seed=1']), dataset))
  teacher = compile_program(structure_of(teacher_of(config), dataset))
  assert teacher is compile_program(structure_of(load(folder / 'fixmatch.yaml'), dataset))


@pytest.mark.slow
def test_what_a_teacher_says_is_what_its_program_says(folder, room, dataset):
  """Its average, with its moments: what is evaluated of it."""
  config = load(folder / 'distill.yaml')
  fitted = teach(config, dataset, room, *QUIET)
  images = dataset.test_images[:20]
  seen = fitted.program.observe(fitted.state, fitted.numbers, images)
  parts = json.loads(structure_of(config, dataset))['teacher']
  told = ask_teacher(parts)(teaching(fitted.state, fitted.numbers))
  np.testing.assert_allclose(told.predict(scale(images)), seen['logits'], rtol=1e-5, atol=1e-5)
  np.testing.assert_allclose(told.encode(scale(images)), seen['features'], rtol=1e-5, atol=1e-5)
  assert_same(host(told.params), host(fitted.state.memory['ema']))


def test_labels_that_only_the_teacher_saw_are_told(folder, dataset):
  told = lambda *words: labels_seen(load(folder / 'distill.yaml', words), dataset)
  assert told() == told('labels=40') == told('teacher.labels=10') == 'trial'
  assert told('teacher.labels=40') == told('teacher.split_seed=1') == 'more'
  assert told('teacher.labels=1.0') == 'all'
  words = ('teacher.config=simclr.yaml', 'method.targets=features', 'teacher.labels=40')
  assert told(*words) == 'trial'  # it sees none
  assert labels_seen(load(folder / 'fixmatch.yaml'), dataset) == 'trial'


def test_a_student_of_a_self_supervised_teacher_that_sees_no_label_is_self_supervised(folder, dataset):
  words = ('method.targets=features', 'method.supervised=false')
  assert uses_labels(load(folder / 'distill.yaml', words), dataset)  # its teacher is FixMatch
  assert not uses_labels(load(folder / 'distill.yaml', [*words, 'teacher.config=simclr.yaml']), dataset)
  assert uses_labels(load(folder / 'distill.yaml', [words[0], 'teacher.config=simclr.yaml']), dataset)


def test_a_teacher_that_diverges_ends_the_trial_with_its_sentence(folder, tmp_path):
  config = load(folder / 'distill.yaml', ['teacher.optimizer.lr=1e30'])
  found = run_trial(config, Room(tmp_path))
  assert found['status'] == 'diverged' and found['curve'] == []
  assert found['error'].startswith('Its teacher: The loss or its gradient was not finite at step')


def test_what_the_data_or_the_teacher_cannot_serve_is_told_before(folder, dataset):
  wrong = {
    'teacher.config=simclr.yaml': 'The teacher has no classifier; write method.targets=features',
    'method.moving=true': 'A moving teacher needs the net of its student',
    'teacher.labels=5': 'teacher: ',
    'teacher.batch.unlabeled_ratio=99': 'teacher: A step would see',
  }
  for words, sentence in wrong.items():
    with pytest.raises(BadSetting, match=sentence):
      check(load(folder / 'distill.yaml', [words]), dataset)
  check(load(folder / 'distill.yaml', ['method.moving=true', 'net.widths=[16]']), dataset)


def test_two_do_not_train_the_same_at_once(tmp_path):
  room, order, inside = Room(tmp_path), [], threading.Event()

  def first():
    with room.turn('a', lambda: False):
      inside.set()
      order.append('first begins')
      waiting.wait(10)
      order.append('first ends')

  waiting = threading.Event()
  thread = threading.Thread(target=first)
  thread.start()
  inside.wait(10)
  with room.turn('b', lambda: False):
    order.append('another training')
  with pytest.raises(Interrupted), room.turn('a', lambda: True):
    pass
  asked = iter(range(100))

  def still():
    if next(asked) == 1:
      waiting.set()
    return False

  with room.turn('a', still) as place:
    order.append('second')
  thread.join()
  assert order == ['first begins', 'another training', 'first ends', 'second']
  assert place == room.checkpoints / 'a'
