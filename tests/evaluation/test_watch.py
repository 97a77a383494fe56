"""A training without labels has a curve on held-out images: its loss, kNN and health."""

import jax
import numpy as np
import pytest
from support.cli import write_configs
from support.tiny_method import tiny_method
from support.tiny_trial import tiny_trial

from ssl_bench import data, methods
from ssl_bench.config import load, outcome, to_dict
from ssl_bench.evaluation import health, watch
from ssl_bench.planning import make_plan
from ssl_bench.trial.run import run_trial
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.training import Run, train

pytestmark = pytest.mark.slow

PLAIN = """
net: {name: mlp, widths: [16], norm: none}
augment: {weak: none, strong: none}
"""
TEMPERATURE = 0.5


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return write_configs(
    tmp_path_factory.mktemp('watch') / 'configs',
    PLAIN,
    simclr=f'method: {{name: simclr, hidden: 8, out: 8, temperature: {TEMPERATURE}}}\nema: null',
  )


def fitted(folder, tmp_path, *words, method='simclr'):
  config, dataset = load(folder / f'{method}.yaml', words), data.load('fake')
  return train(make_plan(config, dataset), Run(RunFolder(tmp_path)))


@pytest.fixture(scope='module')
def trained(folder, tmp_path_factory):
  return fitted(folder, tmp_path_factory.mktemp('trained'))


def see(params, images):
  """The encoder in float64."""
  (layer,) = params['encoder'].values()
  flat = np.asarray(images, 'float64').reshape(len(images), -1) / 127.5 - 1
  return np.maximum(flat @ layer['kernel'] + layer['bias'], 0)


def project(head, x):
  """SimCLR's projector in float64, BatchNorm by the moments of the batch."""
  norm = lambda x: (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)
  x = norm(x @ head['Dense_0']['kernel']) * head['BatchNorm_0']['scale'] + head['BatchNorm_0']['bias']
  return norm(np.maximum(x, 0) @ head['Dense_1']['kernel']) * head['BatchNorm_1']['scale']


def nt_xent(z):
  """Both views of an image are the image itself: the similarity of a positive pair is 1."""
  z = np.concatenate([z, z]) / np.linalg.norm(np.concatenate([z, z]), axis=1, keepdims=True)
  similarity = z @ z.T / TEMPERATURE
  np.fill_diagonal(similarity, -np.inf)
  positive = np.roll(np.arange(len(z)), len(z) // 2)
  return (np.log(np.exp(similarity).sum(1)) - similarity[np.arange(len(z)), positive]).mean()


def test_the_curve_is_what_numpy_computes_from_the_weights(trained):
  """At the last step; the loss is the mean over two batches of the training's size."""
  dataset, last = data.load('fake'), trained.history['evaluations'][-1]
  params = jax.tree.map(lambda x: np.asarray(x, 'float64'), trained.state.params)
  assert [e['step'] for e in trained.history['evaluations']] == [4, 8, 12]
  assert set(last) == {'step', 'pretext_loss', 'knn', 'feature_std', 'rankme'}
  features = see(params, dataset.validation_images)
  assert last['feature_std'] == pytest.approx(health.feature_std(features), rel=1e-4)
  assert last['rankme'] == pytest.approx(health.rankme(features), rel=1e-4)
  losses = [nt_xent(project(params['projector'], features[at : at + 16])) for at in (0, 16)]
  assert last['pretext_loss'] == pytest.approx(np.mean(losses), rel=1e-5)

  unit = lambda x: x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
  similarity = unit(features) @ unit(see(params, dataset.train_images)).T
  right = []
  for row, label in zip(similarity, dataset.validation_labels):
    near = np.argsort(-row, kind='stable')[: watch.NEIGHBORS]
    votes = np.bincount(dataset.train_labels[near], np.exp(row[near] / 0.07), minlength=10)
    right.append(votes.argmax() == label)
  assert last['knn'] == pytest.approx(np.mean(right))


def test_it_is_optional_and_no_part_of_a_trials_identity(folder, tmp_path):
  plain, without = (load(folder / 'simclr.yaml', words) for words in ((), ['evaluate.pretraining=false']))
  assert outcome(plain) == outcome(without)
  assert 'pretraining' not in to_dict(plain)['evaluate']
  assert to_dict(without)['evaluate']['pretraining'] is False
  assert fitted(folder, tmp_path, 'evaluate.pretraining=false').history['evaluations'] == []


def test_a_record_is_read_back_whether_there_is_a_curve_or_not(folder, tmp_path):
  records = [
    run_trial(
      load(folder / 'simclr.yaml', [*words, 'evaluate.bootstrap=100']), RunFolder(tmp_path / str(len(words)))
    )
    for words in ((), ('evaluate.pretraining=false',))
  ]
  assert [record['status'] for record in records] == ['done', 'done']
  assert set(records[0]['metrics'].pop('pretraining')) == {'loss', 'knn', 'verdict'}
  assert records[0]['id'] == records[1]['id'] and records[0]['metrics'] == records[1]['metrics']
  assert records[0]['evaluations'] and not records[1]['evaluations']


def test_a_batch_larger_than_the_validation_part_has_no_loss_there(folder, tmp_path):
  """MoCo's BatchNorm takes the batch apart: 40 validation images are not 16 groups, and no batch of 48."""
  (folder / 'moco.yaml').write_text(
    'method: {name: moco, hidden: 8, out: 8, splits: 16, queue: 96}\nema: null'
  )
  words = ('batch.labeled=48', 'batch.unlabeled_ratio=1')
  seen = fitted(folder, tmp_path, *words, method='moco').history['evaluations']
  assert [set(e) for e in seen] == [{'step', 'knn', 'feature_std', 'rankme'}] * 3


def test_a_curve_resumes(folder, trained, tmp_path):
  """Bit for bit, as the training does."""
  from ssl_bench.training.loop import Interrupted

  calls = iter(range(1, 100))
  config, dataset = load(folder / 'simclr.yaml'), data.load('fake')
  plan, run_folder = make_plan(config, dataset), RunFolder(tmp_path)
  with pytest.raises(Interrupted):
    train(plan, Run(run_folder, should_stop=lambda: next(calls) == 6))
  assert train(plan, Run(run_folder)).history['evaluations'] == trained.history['evaluations']


@pytest.mark.slow
@pytest.mark.parametrize('name', methods.names())
def test_every_method_that_needs_images_only_has_a_held_out_loss(name):
  tiny = tiny_trial(name)
  streams = {view.stream for view in tiny_method(tiny).views.values()}
  expected = tiny.program.advance and streams == {'unlabeled'} and not tiny.config.text_net
  assert bool(tiny.program.held_out_loss) == bool(expected)
  if tiny.program.held_out_loss:
    state = tiny.program.init(np.uint32(0), tiny.data, tiny.numbers)[0]
    images = tiny.dataset.validation_images[: tiny.program.images_per_step]
    one, again = (float(tiny.program.held_out_loss(state, tiny.numbers, images)) for _ in range(2))
    assert np.isfinite(one) and one == again
