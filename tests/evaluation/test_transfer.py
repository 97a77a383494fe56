"""Transfer against scikit-learn, Pillow and NumPy, and what a trial records of it."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy import stats
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from support.cli import write_configs
from support.images import digits, photos

from ssl_bench import api, data
from ssl_bench.config import digest, load, outcome, to_dict
from ssl_bench.data.conform import check_conform, conform
from ssl_bench.evaluation import transfer
from ssl_bench.evaluation.linear import L2_GRID
from ssl_bench.evaluation.probes import ArrayKey, Features
from ssl_bench.planning import make_plan
from ssl_bench.planning.transfer import check_transfer
from ssl_bench.records import record
from ssl_bench.records.checks import deciding
from ssl_bench.settings.signature import BadSetting
from ssl_bench.trial.run import run_trial
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.training import labels_seen

CONVNET = 'net: {name: convnet, width: 4}\nevaluate: {every: 12, last: 1, bootstrap: 100}'


def like(shape, kind='image', **more):
  fields = {'name': 'here', 'kind': kind, 'columns': None, 'channels': shape[-1] if shape else 1, **more}
  return SimpleNamespace(train_images=np.zeros((1, *shape), more.get('dtype', 'uint8')), **fields)


def test_images_are_brought_to_a_shape_as_pillow_does_it():
  gray = conform(photos(48), like((20, 24, 1)))
  assert gray.shape == (16, 20, 24, 1) and gray.dtype == np.uint8
  for image, ours in zip(photos(48), gray):
    expected = Image.fromarray(image).convert('L').resize((24, 20), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(ours[..., 0], np.asarray(expected))
  colored = conform(digits(), like((28, 28, 3)))
  for image, ours in zip(digits(), colored):
    expected = Image.fromarray(image[..., 0]).resize((28, 28), Image.Resampling.BILINEAR).convert('RGB')
    np.testing.assert_array_equal(ours, np.asarray(expected))
  assert conform(digits(), like((8, 8, 1))) is not None
  np.testing.assert_array_equal(conform(digits(), like((8, 8, 1))), digits())
  assert conform(digits()[:0], like((28, 28, 3))).shape == (0, 28, 28, 3)


def test_series_are_brought_to_a_length_as_numpy_does_it():
  series = np.random.default_rng(0).normal(size=(3, 11, 2)).astype('float32')
  for length in (7, 11, 30, 1):
    ours = conform(series, like((length, 2), 'series'))
    places = np.linspace(0, 10, length)
    for one, mine in zip(series, ours):
      expected = np.stack([np.interp(places, np.arange(11), channel) for channel in one.T], 1)
      np.testing.assert_allclose(mine, expected, atol=1e-5)


def test_texts_and_sounds_are_cut_or_padded_behind():
  texts = np.arange(1, 13, dtype='uint8').reshape(2, 6, 1, 1)
  np.testing.assert_array_equal(conform(texts, like((4, 1, 1), 'tokens')), texts[:, :4])
  longer = conform(texts, like((8, 1, 1), 'tokens'))
  np.testing.assert_array_equal(longer[:, :6], texts)
  assert not longer[:, 6:].any() and longer.dtype == np.uint8
  sounds = np.arange(-5, 5, dtype='int16').reshape(2, 5)
  np.testing.assert_array_equal(conform(sounds, like((7,), 'audio')), np.pad(sounds, ((0, 0), (0, 2))))


@pytest.mark.parametrize(
  ('here', 'there', 'sentence'),
  [
    (like((8, 8, 1)), like((9,), 'table'), 'there has rows of a table, and here has images; leave there out'),
    (like((9, 1), 'series'), like((9, 2), 'series'), 'there has series of 2 channels, and here of 1'),
    (like((), 'graph'), like((), 'graph'), 'a network on a graph reads the nodes of its own graph alone'),
    (
      like((3,), 'table', columns=(1, 2)),
      like((3,), 'table', columns=(2, 1)),
      'the rows of there have other columns than those of here',
    ),
  ],
)
def test_what_no_network_for_one_set_reads_of_another_is_one_sentence(here, there, sentence):
  there.name = 'there'
  with pytest.raises(BadSetting, match=sentence) as error:
    check_conform(there, here, 'evaluate.transfer')
  assert str(error.value).startswith('evaluate.transfer: ')
  check_conform(like((5, 5, 3)), like((8, 8, 1)), 'evaluate.transfer')


def planted(classes=4, width=6, seed=0):
  """Features of three parts in classes, the classes of different sizes, and labels as a set has them."""
  rng = np.random.default_rng(seed)
  centers = rng.normal(size=(classes, width))
  sizes = {'train': (30, 20, 11, 3), 'validation': (12,) * classes, 'test': (25,) * classes}
  labels = {part: rng.permutation(np.repeat(np.arange(classes), n)) for part, n in sizes.items()}
  scale = 10.0 ** np.arange(-2, width - 2)  # so that it matters on what features are standardized
  parts = {part: (centers[y] + rng.normal(size=(len(y), width))) * scale for part, y in labels.items()}
  names = {f'{part}_labels': y.astype('int32') for part, y in labels.items()}
  return Features(**parts), SimpleNamespace(classes=classes, **names)


def sklearn_probe(features, dataset, few, on):
  """Test accuracy of the logistic regression of least validation NLL, with scikit-learn."""
  scaler = StandardScaler().fit(on)
  train, validation, test = (scaler.transform(part) for part in features)
  fitted = {}
  for l2 in L2_GRID:
    model = LogisticRegression(C=1 / (len(few) * l2), solver='newton-cholesky', tol=1e-6)
    with warnings.catch_warnings(action='ignore', category=ConvergenceWarning):  # it is at its optimum
      model.fit(train[few], dataset.train_labels[few])
    fitted[log_loss(dataset.validation_labels, model.predict_proba(validation))] = model
  return accuracy_score(dataset.test_labels, fitted[min(fitted)].predict(test))


def test_few_shot_probes_are_scikit_learns():
  features, dataset = planted()
  found = transfer.few_shot(features, dataset)
  key = ArrayKey(dataset.train_labels)
  assert list(found) == [1, 2, 5]
  for shots, interval in found.items():
    accuracies = []
    for number in range(10):
      few = np.concatenate([own[:shots] for own in transfer.draw(key, dataset.classes, number)])
      assert np.bincount(dataset.train_labels[few]).tolist() == np.minimum([30, 20, 11, 3], shots).tolist()
      accuracies.append(sklearn_probe(features, dataset, few, features.train))
    assert interval.mean == pytest.approx(np.mean(accuracies), abs=1e-3)
    low, high = stats.t.interval(0.95, 9, np.mean(accuracies), stats.sem(accuracies))
    assert interval.half_width == pytest.approx((high - low) / 2, abs=2e-3)
  draws = {tuple(np.concatenate(transfer.draw(key, dataset.classes, number))) for number in range(10)}
  assert len(draws) == 10


def test_linear_and_neighbors_are_scikit_learns():
  features, dataset = planted(seed=1)
  found = transfer.probe(features, dataset)
  everything = np.arange(len(dataset.train_labels))
  assert found.linear == pytest.approx(sklearn_probe(features, dataset, everything, features.train))
  votes = KNeighborsClassifier(
    20, metric='cosine', weights=lambda d: np.exp((1 - d) / 0.07), algorithm='brute'
  )
  votes.fit(features.train, dataset.train_labels)
  assert found.knn == pytest.approx(accuracy_score(dataset.test_labels, votes.predict(features.test)))


def test_a_config_without_transfer_is_what_it_was(tmp_path):
  path = write_configs(tmp_path) / 'simclr.yaml'
  plain, asked = load(path), load(path, ['evaluate.transfer=[digits]'])
  assert 'transfer' not in to_dict(plain)['evaluate'] and load(path, ['evaluate.transfer=[]']) == plain
  one, other = make_plan(plain), make_plan(asked)
  assert one.training_id == other.training_id and one.trial_id != other.trial_id
  # The other set's data decide a number, so the id covers them.
  fake, other_set = data.load('fake').fingerprint, data.load('digits').fingerprint
  versions = {'protocol': 1, 'method': 1, 'fingerprint': fake}
  assert one.trial_id == digest(outcome(plain), versions)
  assert other.trial_id == digest(outcome(asked), {**versions, 'other_data': {'digits': other_set}})


@pytest.mark.parametrize(
  ('dataset', 'asked', 'sentence'),
  [
    ('fake', 'digitz', "There is no dataset 'digitz'"),
    ('fake', 'digits, digits', r'evaluate\.transfer names digits twice'),
    (
      'fake',
      'wine',
      r'evaluate\.transfer: wine has rows of a table, and fake_8x8x1 has images; leave wine out\.',
    ),
    ('fake', 'mnist', r'mnist is not (here|prepared)|data prepare mnist'),
    ('fake_series', 'internal_bleeding', 'internal_bleeding has no labels to fit a probe with; leave it out'),
  ],
)
def test_a_set_that_cannot_be_probed_is_one_sentence_before_training(
  tmp_path, monkeypatch, dataset, asked, sentence
):
  if asked == 'internal_bleeding':
    pytest.importorskip('aeon', reason='internal_bleeding is read from aeon (extra series)')
  monkeypatch.setenv('SSL_BENCH_DATA', str(tmp_path / 'nothing'))
  path = write_configs(tmp_path) / 'supervised.yaml'
  with pytest.raises(BadSetting, match=sentence) as error:
    config = load(path, [f'evaluate.transfer=[{asked}]'])
    check_transfer(SimpleNamespace(config=config, dataset=data.load(dataset)))
  assert '\n' not in str(error.value)


def test_a_teacher_of_another_set_must_have_weights_of_the_same_shape(tmp_path):
  path = write_configs(tmp_path) / 'supervised.yaml'  # a perceptron, whose weights know the size of images
  words = ['init=teacher', 'teacher={config: simclr.yaml, dataset: fake_9x9x1}']
  with pytest.raises(BadSetting, match="goes on from its teacher's; take a teacher that trains a net"):
    make_plan(load(path, words))


def test_a_teacher_that_saw_labels_of_another_set_makes_a_row_that_saw_more(tmp_path):
  path = write_configs(tmp_path, CONVNET) / 'fixmatch.yaml'
  for teacher, seen in (('simclr', 'trial'), ('supervised', 'more')):
    words = ['init=teacher', f'teacher={{config: {teacher}.yaml, dataset: fake_9x10x1}}']
    assert labels_seen(make_plan(load(path, words))) == seen


@pytest.mark.slow
def test_a_trial_records_what_its_frozen_encoder_is_worth_elsewhere(tmp_path):
  configs = write_configs(tmp_path / 'configs', CONVNET, random_weights='method: random_weights\nema: null')
  config = load(configs / 'simclr.yaml', ['evaluate.transfer=[fake, fake_9x10x3]', 'optimizer.groups={}'])
  folder = RunFolder(tmp_path / 'runs')
  found = record.read(folder.record_of(run_trial(config, folder)['id']))
  metrics = found['metrics']['transfer']
  network = api.load_trained(folder.record_of(found['id']))
  for name in ('fake', 'fake_9x10x3'):
    there = data.load(name)
    parts = [getattr(there, f'{part}_images') for part in ('train', 'validation', 'test')]
    features = Features(*(network.features(conform(part, network.plan.dataset)) for part in parts))
    everything = np.arange(there.n_train)
    assert metrics['linear'][name] == pytest.approx(
      sklearn_probe(features, there, everything, features.train)
    )
    assert metrics['few_5'][name] == transfer.few_shot(features, there)[5].mean
  assert (
    metrics['linear']['fake'] == found['metrics']['linear']['accuracy']
  )  # the same features, the same probe
  assert found['metrics']['few_shot']['2'] == metrics['few_2']['fake']
  assert metrics['mean']['linear'] == metrics['linear']['fake_9x10x3']  # without the own set
  gain = metrics['linear']['fake_9x10x3'] - metrics['random']['linear']['fake_9x10x3']
  assert metrics['mean']['gain'] == pytest.approx(gain) and 'forgetting' not in metrics
  untrained = api.plan(load(configs / 'random_weights.yaml'))
  floor = api.evaluate(untrained, api.train(untrained))
  assert metrics['random']['linear']['fake'] == floor['linear']['accuracy']
  assert metrics['random']['knn']['fake'] == floor['knn']['20']

  # Trained on, on a set of other images: what is lost of the first, and what the record says of both.
  words = ['dataset=fake_9x10x1', 'init=teacher', 'teacher={config: simclr.yaml, dataset: fake}']
  config = load(configs / 'simclr.yaml', [*words, 'evaluate.transfer=[fake]'])
  later = run_trial(config, folder)
  assert later['status'] == 'done', later['error']
  metrics = later['metrics']['transfer']
  assert set(later['versions']['other_data']) == {'fake'} and later['labels_seen'] == 'trial'
  assert later['id'] == digest(outcome(config), deciding(later['versions']))
  network = api.load_trained(folder.record_of(later['id']))
  there = data.load('fake')
  accuracies = []
  for one in (network.fitted.teacher, network.fitted):  # both read the set as it is
    parts = [getattr(there, f'{part}_images') for part in ('train', 'validation', 'test')]
    seen = [transfer.predict.observe(one.program, one.state, one.numbers, images) for images in parts]
    features = Features(*(found.features for found in seen))
    everything = np.arange(there.n_train)
    accuracies.append(sklearn_probe(features, there, everything, features.train))
  lost = found['metrics']['linear']['accuracy'] - accuracies[1]  # the first trial is the teacher's training
  assert accuracies[0] == pytest.approx(found['metrics']['linear']['accuracy'])
  assert metrics['forgetting']['fake'] == pytest.approx(lost)
  assert metrics['mean']['forgetting'] == pytest.approx(lost)
  assert found['versions']['other_data'] == {'fake_9x10x3': data.load('fake_9x10x3').fingerprint}


@pytest.mark.slow
def test_what_began_on_another_set_learns_a_classifier_of_its_own(tmp_path):
  """Pretrained on one set, fine-tuned on another with the same weights: only the start differs."""
  configs = write_configs(tmp_path / 'configs', CONVNET)
  words = ['dataset=fake_9x10x1', 'init=teacher', 'teacher={config: simclr.yaml, dataset: fake, steps: 6}']
  plan = api.plan(load(configs / 'supervised.yaml', words))
  assert [one.dataset.shape for one in plan.trainings] == [(9, 10, 1), (8, 8, 1)]
  own = api.plan(load(configs / 'simclr.yaml', ['steps=6']))
  assert plan.teachers[0].training_id == own.training_id  # shared with that set's own trials
  fitted = api.train(plan)
  assert np.isfinite(api.evaluate(plan, fitted)['accuracy'])
  begun = fitted.program.init(np.uint32(0), *transfer.on_device(plan, fitted.teacher))[0]
  teacher = fitted.teacher.state.params['encoder']
  for name, weights in begun.params['encoder'].items():
    for part, value in weights.items():
      np.testing.assert_array_equal(value, teacher[name][part])
