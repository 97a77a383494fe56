"""A method without a loss goes through training, record, checkpoint, grid and board like the others."""

import numpy as np
import pytest
from support.cli import write_configs

from ssl_bench import data
from ssl_bench.config import load
from ssl_bench.evaluation.transductive import transductive
from ssl_bench.leaderboard.aggregate import aggregate
from ssl_bench.leaderboard.render.tables import ranking
from ssl_bench.planning import identity, make_plan
from ssl_bench.planning.build import streams_seen
from ssl_bench.planning.split import labeled_of
from ssl_bench.planning.structure import structure_of
from ssl_bench.settings.signature import BadSetting
from ssl_bench.speed import measure as speed
from ssl_bench.trial.command import check_trained
from ssl_bench.trial.run import run_trial
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.training import Run, train

DATASET = data.load('fake')
QUIET = (lambda step, metrics: None, lambda: False)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('at_once')


@pytest.fixture(scope='module')
def config(folder):
  changes = ['evaluate.probes=[linear, knn, label_propagation, label_spreading]']
  configs = write_configs(folder / 'configs', label_propagation='method: label_propagation')
  return load(configs / 'label_propagation.yaml', changes)


@pytest.fixture(scope='module')
def run_folder(folder):
  return RunFolder(folder / 'runs')


@pytest.fixture(scope='module')
def found(config, run_folder):
  make_plan(config, DATASET)
  told = []
  found = run_trial(config, run_folder, report=lambda step, metrics: told.append((step, metrics)))
  looks = {f'evaluate/{k}': v for k, v in found['evaluations'][0].items() if k != 'step'}
  assert told == [(config.steps, looks), (config.steps, {})]
  return found


@pytest.mark.slow
def test_its_record_is_whole(found, config):
  assert found['status'] == 'done', found['error']
  assert found['family'] == 'semi-supervised' and found['curve'] == []
  assert [e['step'] for e in found['evaluations']] == [config.steps]
  measures, cost = found['metrics'], found['cost']
  assert measures['classifier'] == 'own' and measures['accuracy'] > 0.9
  assert measures['accuracy'] == found['evaluations'][0]['test_accuracy']
  assert measures['transductive']['n'] == 220 and measures['transductive']['accuracy'] > 0.9
  assert (
    {'accuracy', 'transductive'} == measures['label_propagation'].keys() == measures['label_spreading'].keys()
  )
  assert 'raw' not in measures and 'pseudo_labels' not in measures
  assert (cost['steps'], cost['steps_per_epoch']) == (1, 1)
  assert cost['images_per_second'] == pytest.approx(240 / cost['seconds_per_epoch'])
  assert cost['gflops_per_epoch'] * 1e9 > 240**2 * 64 * 2


def test_it_is_taken_from_its_checkpoint(found, config, run_folder):
  labeled = labeled_of(config, DATASET)
  training = identity.identify_training(
    config, DATASET.fingerprint, streams_seen(structure_of(config, DATASET))
  )
  plan = make_plan(config, DATASET)
  assert plan.training_id == training
  check_trained(plan, run_folder)
  again = train(plan, Run(run_folder))
  assert [segment[:2] for segment in again.history['segments']] == [[1, found['cost']['train_seconds']]]
  logits = np.asarray(again.program.transduce(again.state, again.numbers))
  assert transductive(logits, DATASET, labeled) == found['metrics']['transductive']


def test_the_board_has_a_column_for_what_is_transduced(found):
  one = {**found, 'protocol': 'smoke'}
  other = {**one, 'id': '0' * 16, 'metrics': {k: v for k, v in one['metrics'].items() if k != 'transductive'}}
  titles = [
    {head.title for head in ranking(aggregate([told]).sections[0].budgets[0]).heads} for told in (one, other)
  ]
  assert titles[0] - titles[1] == {'transductive, %'}
  (row,) = aggregate([one]).sections[0].budgets[0].rows
  assert row.training_gflops == pytest.approx(found['cost']['gflops_per_step'])


def test_there_is_no_step_to_time(config):
  with pytest.raises(BadSetting, match='label_propagation learns without steps'):
    speed.measure(config, 4)


def test_labels_that_nobody_knows_are_not_counted():
  logits = np.eye(10)[DATASET.train_labels]
  logits[:50] = 0
  some = DATASET._replace(stream=np.arange(20, 120, dtype='int32'))
  assert transductive(logits, DATASET, np.arange(50)) == {'accuracy': 1.0, 'n': 190}
  assert transductive(logits[20:120], some, np.arange(50)) == {'accuracy': 1.0, 'n': 70}
  assert transductive(logits, DATASET, np.arange(240)) == {'accuracy': None, 'n': 0}


@pytest.mark.slow
def test_it_stands_on_the_features_of_a_teacher(folder, config, run_folder):
  own = load(folder / 'configs' / 'label_propagation.yaml', ['teacher={config: simclr.yaml}', 'ema=null'])
  taught = run_trial(own, run_folder)
  assert taught['status'] == 'done', taught['error']
  assert taught['id'] != identity.identify(config, DATASET.fingerprint)
  fitted = train(make_plan(own, DATASET), Run(run_folder))
  teacher = fitted.teacher
  see = lambda it: it.program.observe(it.state, it.numbers, DATASET.test_images)['features']
  np.testing.assert_allclose(see(fitted), see(teacher), atol=1e-6)
  bank = np.asarray(fitted.state.memory['bank'])
  features = np.asarray(
    teacher.program.observe(teacher.state, teacher.numbers, DATASET.train_images)['features']
  )
  np.testing.assert_allclose(bank, features / np.linalg.norm(features, axis=1, keepdims=True), atol=1e-5)


@pytest.mark.slow
def test_fewer_unlabeled_images_make_a_smaller_graph(folder, run_folder):
  less = load(folder / 'configs' / 'label_propagation.yaml', ['stress={unlabeled: 100}'])
  found = run_trial(less, run_folder)
  assert found['status'] == 'done', found['error']
  assert found['metrics']['transductive']['n'] == 80 and found['metrics']['accuracy'] > 0.8


@pytest.mark.parametrize(
  'stress', ['{unlabeled: 100}', "{shift: 'solarize(threshold=0)'}", '{imbalance: {unlabeled: 4.0}}']
)
def test_a_graph_of_other_images_is_another_training(folder, config, stress):
  """Though its only view is of labeled images: `refresh` sees the others."""
  name = lambda one: identity.identify_training(
    one, DATASET.fingerprint, streams_seen(structure_of(one, DATASET))
  )
  plain, other = (
    load(folder / 'configs' / 'label_propagation.yaml', words) for words in ([], [f'stress={stress}'])
  )
  assert name(plain) == name(config) != name(other)
