"""A trial's teacher: trained first, once in a run folder, and then constant data to the student."""

import threading

import jax
import numpy as np
import pytest
from support.cli import write_configs
from support.trees import assert_same, host

from ssl_bench import data
from ssl_bench.config import load
from ssl_bench.contract import scale
from ssl_bench.planning import identity, make_plan
from ssl_bench.planning.build import teacher_of
from ssl_bench.planning.numbers import teaching
from ssl_bench.planning.structure import structure_of
from ssl_bench.settings.signature import BadSetting
from ssl_bench.training.loop import Interrupted
from ssl_bench.training.program import compile_program
from ssl_bench.trial.run import run_trial
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.training import Run, labels_seen, train

STUDENT = 'method: distill\nnet: {widths: [4]}\nteacher: {config: fixmatch.yaml}'
QUIET = (lambda step, metrics: None, lambda: False)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return write_configs(tmp_path_factory.mktemp('configs'), distill=STUDENT)


@pytest.fixture(scope='module')
def dataset():
  return data.load('fake')


@pytest.fixture(scope='module')
def run_folder(folder):
  """A run folder in which a student was trained, and its record."""
  run_folder = RunFolder(folder / 'runs')
  run_trial(load(folder / 'distill.yaml'), run_folder)
  return run_folder


def record_of(config, run_folder, dataset):
  return run_folder.recorded(identity.identify(config, dataset.fingerprint))


@pytest.mark.slow
def test_the_teacher_is_trained_first_as_if_alone(folder, run_folder, dataset, tmp_path):
  config = load(folder / 'distill.yaml')
  usual = load(folder / 'fixmatch.yaml')
  assert record_of(config, run_folder, dataset)['status'] == 'done'
  assert record_of(usual, run_folder, dataset) is None  # only what was asked for is recorded
  names = {path.name for path in run_folder.checkpoints.iterdir()}
  own = identity.identify_training(usual, dataset.fingerprint, {'labeled', 'unlabeled'})
  assert len(names) == 2 and own in names
  taken = train(make_plan(config, dataset).teachers[0], Run(run_folder))
  alone = train(make_plan(usual, dataset), Run(RunFolder(tmp_path)))
  assert_same(host(taken.state), host(alone.state))


@pytest.mark.slow
def test_a_student_is_small_and_its_training_costs_its_teachers_as_well(folder, run_folder, dataset):
  config = load(folder / 'distill.yaml')
  cost = record_of(config, run_folder, dataset)['cost']
  assert cost['parameters'] == 64 * 4 + 2 * 4 + 4 * 10 + 10
  teacher = compile_program(structure_of(config.teacher, dataset))
  assert cost['teacher_gflops'] == pytest.approx(12 * teacher.cost['gflops_per_step'])


@pytest.mark.slow
def test_a_trained_teacher_is_taken_as_it_is(folder, run_folder, dataset):
  marks = {p: p.stat().st_mtime_ns for p in run_folder.checkpoints.rglob('*')}
  steps = []
  told = lambda step, metrics: steps.append(step)
  other = load(folder / 'distill.yaml', ['method.temperature=2.0'])
  assert run_trial(other, run_folder, report=told)['status'] == 'done'
  assert steps[0] > 0  # nothing was trained before the student
  usual = load(folder / 'fixmatch.yaml')
  assert run_trial(usual, run_folder, report=lambda *told: pytest.fail('trained again'))['status'] == 'done'
  assert all(path.stat().st_mtime_ns == mark for path, mark in marks.items() if path.is_file())


@pytest.mark.slow
def test_the_teacher_is_in_no_checkpoint_of_the_student_and_stays_as_it_was(folder, run_folder, dataset):
  config = load(folder / 'distill.yaml')
  fitted = train(make_plan(config, dataset), Run(run_folder))
  teacher = fitted.teacher
  sizes = {leaf.shape for leaf in jax.tree.leaves(fitted.state) if leaf.ndim}
  assert (64, 4) in sizes and (64, 16) not in sizes
  assert_same(host(fitted.numbers['teacher']['state']), host(teacher.state._replace(opt_state=())))


@pytest.mark.slow
def test_another_teacher_is_another_student_and_no_other_program(folder, dataset):
  config = load(folder / 'distill.yaml')
  program = compile_program(structure_of(config, dataset))
  assert program is compile_program(structure_of(load(folder / 'distill.yaml', ['teacher.seed=1']), dataset))
  teacher = compile_program(structure_of(config.teacher, dataset))
  assert teacher is compile_program(structure_of(load(folder / 'fixmatch.yaml'), dataset))


@pytest.mark.slow
def test_what_a_teacher_says_is_what_its_program_says(folder, run_folder, dataset):
  """Its average, with its moments: what is evaluated of it."""
  config = load(folder / 'distill.yaml')
  fitted = train(make_plan(config, dataset).teachers[0], Run(run_folder))
  images = dataset.test_images[:20]
  seen = fitted.program.observe(fitted.state, fitted.numbers, images)
  told = teacher_of(structure_of(config, dataset).teacher)(teaching(fitted.state, fitted.numbers))
  np.testing.assert_allclose(told.predict(scale(images)), seen['logits'], rtol=1e-5, atol=1e-5)
  np.testing.assert_allclose(told.encode(scale(images)), seen['features'], rtol=1e-5, atol=1e-5)
  assert_same(host(told.params), host(fitted.state.memory['ema']))


def test_labels_that_only_the_teacher_saw_are_told(folder, dataset):
  told = lambda *words: labels_seen(make_plan(load(folder / 'distill.yaml', words), dataset))
  assert told() == told('labels=40') == told('teacher.labels=10') == 'trial'
  assert told('teacher.labels=40') == told('teacher.split_seed=1') == 'more'
  assert told('teacher.labels=1.0') == 'all'
  words = ('teacher.config=simclr.yaml', 'method.targets=features', 'teacher.labels=40')
  assert told(*words) == 'trial'  # it sees none
  assert labels_seen(make_plan(load(folder / 'fixmatch.yaml'), dataset)) == 'trial'


def test_a_student_of_a_self_supervised_teacher_that_sees_no_label_is_self_supervised(folder, dataset):
  words = ('method.targets=features', 'method.supervised=false')
  uses_labels = lambda words: make_plan(load(folder / 'distill.yaml', words), dataset).uses_labels
  assert uses_labels(words)  # its teacher is FixMatch
  assert not uses_labels([*words, 'teacher.config=simclr.yaml'])
  assert uses_labels([words[0], 'teacher.config=simclr.yaml'])


def test_a_teacher_that_diverges_ends_the_trial_with_its_sentence(folder, tmp_path):
  config = load(folder / 'distill.yaml', ['teacher.optimizer.lr=1e30'])
  found = run_trial(config, RunFolder(tmp_path))
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
      make_plan(load(folder / 'distill.yaml', [words]), dataset)
  make_plan(load(folder / 'distill.yaml', ['method.moving=true', 'net.widths=[16]']), dataset)


def test_two_do_not_train_the_same_at_once(tmp_path):
  run_folder, order, inside = RunFolder(tmp_path), [], threading.Event()

  def first():
    with run_folder.turn('a', lambda: False):
      inside.set()
      order.append('first begins')
      waiting.wait(10)
      order.append('first ends')

  waiting = threading.Event()
  thread = threading.Thread(target=first)
  thread.start()
  inside.wait(10)
  with run_folder.turn('b', lambda: False):
    order.append('another training')
  with pytest.raises(Interrupted), run_folder.turn('a', lambda: True):
    pass
  asked = iter(range(100))

  def still():
    if next(asked) == 1:
      waiting.set()
    return False

  with run_folder.turn('a', still) as place:
    order.append('second')
  thread.join()
  assert order == ['first begins', 'another training', 'first ends', 'second']
  assert place == run_folder.checkpoints / 'a'
