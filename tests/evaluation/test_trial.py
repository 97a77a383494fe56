"""A whole trial of each family: every measure is there, and those that others can compute agree with them."""

import json

import jax
import numpy as np
import pytest
from scipy.stats import linregress
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from support.cli import records, write_configs

from ssl_bench import data, measures
from ssl_bench.config import load
from ssl_bench.contract import without_average
from ssl_bench.evaluation.cost import QUIET, beside
from ssl_bench.evaluation.judged import Judged
from ssl_bench.evaluation.predict import observe
from ssl_bench.planning import make_plan
from ssl_bench.records import predictions
from ssl_bench.trial.run import evaluate, run_trial, train
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.training import Run

pytestmark = pytest.mark.slow

PROTOCOL = """
steps: 40
optimizer: {name: sgd, lr: 0.1}
evaluate: {every: 10, last: 3, bootstrap: 100}
checkpoint: {every: 40}
"""
CALIBRATED = {'nll', 'brier', 'ece', 'ece_interval', 'ece_adaptive', 'ece_classwise', 'mce'}
BOTH = CALIBRATED | {
  'accuracy', 'accuracy_by_class', 'accuracy_on_validation', 'temperature', 'scaled',
  'isotonic', 'reliability', 'reliability_scaled',
  'classifier', 'linear', 'linear_budget', 'knn', 'health', 'collapsed', 'collapse_reason',
}  # fmt: skip
SELECTED = {
  'accuracy_validation_selected', 'step_validation_selected', 'accuracy_median_last', 'median_over',
  'accuracy_best_on_test',
}  # fmt: skip


class Trial:
  """One trial's record, and its trained state looked at again."""

  def __init__(self, folder, method):
    self.config = load(write_configs(folder / 'configs', PROTOCOL) / f'{method}.yaml')
    self.dataset, self.run_folder = data.load('fake'), RunFolder(folder / 'runs')
    self.plan = make_plan(self.config, self.dataset)
    self.labeled = self.plan.labeled
    self.record = run_trial(self.config, self.run_folder)
    self.metrics = self.record['metrics']
    self.fitted = train(self.plan, Run(self.run_folder))  # taken from its checkpoint

  def see(self, images, state=None):
    return observe(self.fitted.program, state or self.fitted.state, self.fitted.numbers, images)


@pytest.fixture(scope='module')
def semi(tmp_path_factory):
  return Trial(tmp_path_factory.mktemp('semi'), 'fixmatch')


@pytest.fixture(scope='module')
def selfs(tmp_path_factory):
  return Trial(tmp_path_factory.mktemp('selfs'), 'simclr')


def probs_of(logits):
  e = np.exp(logits.astype('float64') - logits.max(1, keepdims=True))
  return e / e.sum(1, keepdims=True)


def test_a_semi_supervised_trial_has_every_measure(semi):
  assert semi.record['status'] == 'done' and semi.record['family'] == 'semi-supervised'
  assert set(semi.metrics) >= BOTH | SELECTED | {'raw', 'pseudo_labels'}
  assert semi.metrics['classifier'] == 'own'
  assert set(semi.metrics['pseudo_labels']) == {
    'precision', 'coverage', 'skew', 'precision_by_class', 'coverage_by_class', 'agreement',
  }  # fmt: skip
  assert [e['step'] for e in semi.record['evaluations']] == [10, 20, 30, 40]


def test_a_self_supervised_trial_stands_in_the_same_table(selfs):
  assert selfs.record['status'] == 'done' and selfs.record['family'] == 'self-supervised'
  assert set(selfs.metrics) >= BOTH and not set(selfs.metrics) & (SELECTED | {'raw', 'pseudo_labels'})
  assert selfs.metrics['classifier'] == 'probe with the same labels'
  assert selfs.metrics['accuracy'] == selfs.metrics['linear_budget']['accuracy']
  # There is no classifier to look at on the way.
  assert [e['step'] for e in selfs.record['evaluations']] == [10, 20, 30, 40]
  assert all(
    {*e} == {'step', 'pretext_loss', 'knn', 'feature_std', 'rankme'} for e in selfs.record['evaluations']
  )


def test_a_pretraining_has_its_last_look_a_verdict_and_signs_of_health(selfs):
  last, found = selfs.record['evaluations'][-1], selfs.metrics['pretraining']
  assert (found['loss'], found['knn']) == (last['pretext_loss'], last['knn'])
  assert found['verdict'].startswith('Loss ') and 'to 40 the held-out loss goes from' in found['verdict']
  spectrum = PCA().fit(selfs.see(selfs.dataset.test_images).features).explained_variance_
  kept = np.log(spectrum[spectrum > 1e-6 * spectrum[0]])
  slope = linregress(np.log(np.arange(1, len(kept) + 1)), kept).slope
  assert selfs.metrics['health']['alpha_req'] == pytest.approx(-slope, rel=1e-3)
  assert 1 <= selfs.metrics['health']['lidar'] <= 16


def test_both_are_described_whole(semi, selfs):
  for trial in (semi, selfs):
    record = trial.record
    assert record['split'] == {
      'hash': record['split']['hash'],
      'labeled': 20,
      'train': 240,
      'validation': 40,
      'test': 80,
    }
    assert record['labels'] == 20 and record['versions']['dataset'] == 'fake_8x8x1/1.0.0'
    assert record['versions']['fingerprint'] == trial.dataset.fingerprint
    assert record['augment_resolved']['weak'] == 'crop(padding=1, mode=reflect)'
    assert {'jax', 'flax', 'optax', 'numpy'} <= set(record['environment']['packages'])
    for measure in [record['metrics'], record['metrics']['scaled'], record['metrics']['isotonic']]:
      assert set(measure) >= CALIBRATED
      low, high = measure['ece_interval']
      assert 0 <= low <= high <= 1
    assert sum(record['metrics']['reliability']['count']) == 80
    assert set(record['metrics']['knn']) == {'20', '200'}
    (written,) = records(trial.run_folder.records).values()  # which refuses NaN and Infinity
    assert written['metrics'] == record['metrics']
  assert semi.record['split'] == selfs.record['split']


def test_accuracy_and_calibration_are_scikit_learns_on_the_logits(semi):
  logits, labels = semi.see(semi.dataset.test_images).logits, semi.dataset.test_labels
  probs = probs_of(logits)
  assert semi.metrics['accuracy'] == pytest.approx(accuracy_score(labels, logits.argmax(1)), abs=1e-12)
  assert semi.metrics['nll'] == pytest.approx(log_loss(labels, probs, labels=range(10)), rel=1e-5)
  brier = brier_score_loss(labels, probs, labels=list(range(10)), scale_by_half=False)
  assert semi.metrics['brier'] == pytest.approx(brier, rel=1e-5)
  by_class = [accuracy_score(labels[labels == c], logits[labels == c].argmax(1)) for c in range(10)]
  np.testing.assert_allclose(semi.metrics['accuracy_by_class'], by_class)
  scaled = probs_of(logits / semi.metrics['temperature'])
  assert semi.metrics['scaled']['nll'] == pytest.approx(log_loss(labels, scaled, labels=range(10)), rel=1e-5)


def test_predictions_are_kept_beside_the_record(semi, selfs):
  for trial in (semi, selfs):
    kept = predictions.read(trial.run_folder.record_of(trial.record['id']), trial.record)
    np.testing.assert_array_equal(kept.labels, trial.dataset.test_labels)
    np.testing.assert_array_equal(kept.validation_labels, trial.dataset.validation_labels)
    np.testing.assert_array_equal(kept.positions, trial.dataset.test_index)
    right = kept.log_probs.argmax(1) == kept.labels
    assert trial.metrics['accuracy'] == pytest.approx(right.mean(), abs=1e-12)
    assert trial.metrics['nll'] == pytest.approx(
      log_loss(kept.labels, probs_of(kept.log_probs), labels=range(10)), rel=1e-3
    )
  again = measures.measured_again(Judged(kept, trial.config.evaluate.bootstrap))['metrics']
  assert again['risk'] and all(again[name] == trial.metrics[name] for name in again)  # to the last bit
  logits = semi.see(semi.dataset.validation_images).logits
  kept = predictions.read(semi.run_folder.record_of(semi.record['id']), semi.record)
  np.testing.assert_allclose(probs_of(kept.validation_log_probs), probs_of(logits), atol=1e-3)


def test_scaling_is_fitted_on_validation(semi):
  logits, labels = semi.see(semi.dataset.validation_images).logits, semi.dataset.validation_labels

  def nll(temperature):
    return log_loss(labels, probs_of(logits / temperature), labels=range(10))

  best = nll(semi.metrics['temperature'])
  assert all(best <= nll(semi.metrics['temperature'] * factor) + 1e-9 for factor in (0.9, 0.99, 1, 1.01, 1.1))


def test_the_average_is_evaluated_and_the_raw_weights_beside_it(semi):
  images, labels = semi.dataset.test_images, semi.dataset.test_labels
  raw = semi.see(images, without_average(semi.fitted.state)).logits
  assert semi.metrics['raw']['accuracy'] == pytest.approx(accuracy_score(labels, raw.argmax(1)), abs=1e-12)
  assert semi.metrics['raw']['nll'] == pytest.approx(
    log_loss(labels, probs_of(raw), labels=range(10)), rel=1e-5
  )
  assert semi.metrics['raw']['nll'] != semi.metrics['nll']
  averaged = semi.fitted.state.memory['ema']
  moved = jax.tree.leaves(
    jax.tree.map(lambda a, b: float(abs(a - b).max()), averaged, semi.fitted.state.params)
  )
  assert max(moved) > 1e-4


@pytest.mark.parametrize('name', ['semi', 'selfs'])
def test_probes_are_scikit_learns_on_standardized_features(name, request):
  trial = request.getfixturevalue(name)
  dataset, metrics = trial.dataset, trial.metrics
  train, test = trial.see(dataset.train_images).features, trial.see(dataset.test_images).features
  scaler = StandardScaler().fit(train)
  for measure, index in (('linear', slice(None)), ('linear_budget', trial.labeled)):
    x, y = scaler.transform(train[index]), dataset.train_labels[index]
    strength = metrics[measure]['l2']
    probe = LogisticRegression(C=1 / (strength * len(y)), tol=1e-8, max_iter=5000).fit(x, y)
    theirs = probe.score(scaler.transform(test), dataset.test_labels)
    assert metrics[measure]['accuracy'] == pytest.approx(theirs, abs=1.5 / 80), measure
  unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (train, test)]
  nearest = KNeighborsClassifier(20, metric='cosine').fit(unit[0], dataset.train_labels)
  assert metrics['knn']['20'] == pytest.approx(nearest.score(unit[1], dataset.test_labels), abs=0.1)


def test_what_was_seen_on_the_way_is_selected_as_it_says(semi):
  evaluations, metrics = semi.record['evaluations'], semi.metrics
  assert metrics['accuracy_best_on_test'] == max(e['test_accuracy'] for e in evaluations)
  assert metrics['accuracy_median_last'] == np.median([e['test_accuracy'] for e in evaluations[-3:]])
  assert metrics['median_over'] == 3
  best = max(e['validation_accuracy'] for e in evaluations)
  chosen = [e for e in evaluations if e['validation_accuracy'] == best][-1]
  assert metrics['accuracy_validation_selected'] == chosen['test_accuracy']
  assert metrics['step_validation_selected'] == chosen['step']
  assert evaluations[-1]['test_accuracy'] == metrics['accuracy']  # the final model, the main number


def test_test_labels_change_measures_and_not_the_model(semi):
  other = semi.dataset._replace(test_labels=(semi.dataset.test_labels + 1) % 10)
  moved = evaluate(semi.plan._replace(dataset=other), semi.fitted)['metrics']
  same = ('temperature', 'health', 'collapsed', 'linear_l2')
  assert moved['accuracy'] != semi.metrics['accuracy']
  for name in same:
    assert moved.get(name) == semi.metrics.get(name)
  assert moved['linear']['l2'] == semi.metrics['linear']['l2']


def test_cost_counts_an_epoch_as_one_pass_over_the_training_part(semi, selfs):
  for trial in (semi, selfs):
    cost = trial.record['cost']
    assert cost['steps_per_epoch'] == 240 // 16
    assert cost['gflops_per_epoch'] == pytest.approx(cost['gflops_per_step'] * 15)
    assert cost['seconds_per_epoch'] == pytest.approx(15 / cost['steps_per_second'])
    assert cost['images_per_second'] == pytest.approx(16 * cost['steps_per_second'])
    assert cost['peak_memory_bytes'] > 0
    assert cost['shared'] == (beside(trial.fitted.history['segments']) > QUIET)
    # A multiplication and an addition for every weight and image, once forward and about twice backward.
    weights, views = 64 * 16, (8 + 16 + 16) if trial is semi else 32
    assert 1 < 1e9 * cost['gflops_per_step'] / (2 * weights * views) < 30
    assert cost['gflops_per_1000_views'] == pytest.approx(1000 * cost['gflops_per_step'] / views)
    # What predicts: one layer with scale and shift, and a classifier where there is one; no projector.
    weights = 64 * 16 + (16 * 10 if trial is semi else 0)
    assert cost['parameters'] == weights + 2 * 16 + (10 if trial is semi else 0)
    assert 1 < 1e9 * cost['gflops_per_image'] / (2 * weights) < 1.3
    assert cost['inference_images_per_second'] > 0 and 'teacher_gflops' not in cost


def test_a_method_that_computes_nothing_costs_nothing(tmp_path):
  """Rows of a table come through unchanged, for which XLA counts no operation at all."""
  folder = write_configs(tmp_path / 'configs', PROTOCOL)
  table = ['dataset=fake_table', 'steps=1', 'augment.weak=none', 'augment.strong=none']
  config = load(folder / 'raw_pixels.yaml', table)
  record = run_trial(config, RunFolder(tmp_path / 'runs'))
  assert record['status'] == 'done', record['error']
  assert record['cost']['gflops_per_image'] == 0 and record['cost']['parameters'] == 0


def test_a_failed_trial_is_recorded_with_its_sentence_and_run_again(tmp_path):
  config = load(write_configs(tmp_path / 'configs', PROTOCOL) / 'fixmatch.yaml', ['seed=5'])
  run_folder = RunFolder(tmp_path / 'runs')
  run_folder.path.mkdir()
  run_folder.checkpoints.write_text('in the way')
  failed = run_trial(config, run_folder)
  assert failed['status'] == 'failed' and failed['metrics'] == {} and 'checkpoints' in failed['error']
  (note,) = (run_folder.path / 'failures').iterdir()
  assert 'Traceback' in note.read_text() and note.stem == failed['id']
  assert json.loads((run_folder.records / f'{failed["id"]}.json').read_text())['status'] == 'failed'
  run_folder.checkpoints.unlink()
  assert run_trial(config, run_folder)['status'] == 'done'
