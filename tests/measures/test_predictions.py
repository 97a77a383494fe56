"""Measures of kept predictions: what a record holds of them equals scikit-learn on the probabilities."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score, roc_auc_score

from ssl_bench import measures
from ssl_bench.evaluation.judged import Judged
from ssl_bench.evaluation.predictions import Predictions, rounded
from ssl_bench.records import record
from ssl_bench.records.checks import check_values
from ssl_bench.records.strict_json import loads
from ssl_bench.settings.signature import BadSetting

COMMITTED = Path(__file__).parents[2] / 'leaderboard' / 'records' / 'digits' / 'supervised'
ROWS = {row.name: row for row in measures.all_measures() if row.reads == 'predictions'}


def make(n=400, classes=10, groups=True, seed=0):
  """Predictions that are right about two times in three, of test images from two speakers."""
  rng = np.random.default_rng(seed)

  def part(count):
    labels = rng.integers(classes, size=count).astype('int32')
    return rounded(1.5 * rng.normal(size=(count, classes)) + 4 * np.eye(classes)[labels]), labels

  (test, labels), (validation, validation_labels) = part(n), part(n // 2)
  of = rng.integers(2, size=n).astype('int32') if groups else None
  names = ('ann', 'bob') if groups else ()
  return Predictions(test, labels, np.arange(n, dtype='int32'), validation, validation_labels, of, names)


@pytest.fixture(scope='module')
def kept():
  return make()


@pytest.fixture(scope='module')
def found(kept):
  return measures.measured_again(Judged(kept, 200))


def probs_of(kept):
  probs = np.exp(kept.log_probs.astype(float))
  return probs / probs.sum(1, keepdims=True)


def test_every_measure_is_there_and_what_a_record_may_hold(found):
  numbers = [name for name, row in ROWS.items() if row.function and measures.at(found, *row.path) is None]
  assert not numbers and len(ROWS) > 15
  check_values(found)


def test_risk_and_classes_agree_with_scikit_learn(kept, found):
  probs, metrics = probs_of(kept), found['metrics']
  right = probs.argmax(1) == kept.labels
  assert metrics['risk']['auroc'] == pytest.approx(roc_auc_score(right, probs.max(1)))
  assert metrics['risk']['risk_coverage']['risk'][-1] == pytest.approx(1 - right.mean())
  assert metrics['macro_f1'] == pytest.approx(f1_score(kept.labels, probs.argmax(1), average='macro'))
  np.testing.assert_array_equal(
    metrics['by_class']['confusion'], confusion_matrix(kept.labels, probs.argmax(1))
  )
  of_three = probs.argmax(1) == 3
  gap = (probs.max(1) - right)[of_three].mean()
  assert metrics['by_class']['gap_by_prediction'][3] == pytest.approx(gap)
  low, high = metrics['by_class']['gap_by_prediction_interval'][3]
  assert low < gap < high


def test_the_threshold_of_validation_decides_of_test_images(kept, found):
  """By trying every confidence of a validation image."""
  validation = np.exp(kept.validation_log_probs.astype(float))
  sure = (validation / validation.sum(1, keepdims=True)).max(1)
  wrong = validation.argmax(1) != kept.validation_labels
  lowest = min(level for level in sure if wrong[sure >= level].mean() <= 0.05)
  probs = probs_of(kept)
  taken = probs.max(1) >= lowest
  chosen = found['metrics']['risk']
  assert chosen['review_5_chosen'] == pytest.approx(1 - taken.mean())
  assert chosen['error_5_chosen'] == pytest.approx((probs.argmax(1) != kept.labels)[taken].mean())


def test_the_worst_group_is_read_from_the_list_by_group(kept, found):
  right = probs_of(kept).argmax(1) == kept.labels
  by_group = [right[kept.groups == group].mean() for group in (0, 1)]
  assert found['metrics']['by_group']['groups'] == ['ann', 'bob']
  assert found['metrics']['by_group']['accuracy_by_group'] == pytest.approx(by_group)
  assert measures.number_of(found, measures.get('worst_group')) == pytest.approx(min(by_group))


def test_a_dataset_without_groups_has_none_and_many_classes_no_matrix():
  found = measures.measured_again(Judged(make(groups=False, classes=21), 100))['metrics']
  assert 'by_group' not in found and 'confusion' not in found['by_class']
  assert found['macro_f1'] > 0


def test_predictions_that_are_all_right_have_no_error_to_tell():
  labels = np.arange(40, dtype='int32') % 4
  sure = rounded(9 * np.eye(4)[labels])
  found = measures.measured_again(Judged(Predictions(sure, labels, labels, sure, labels), 100))
  told = found['metrics']['risk']
  assert (told['aurc'], told['review_1'], told['auroc']) == (0, 0, None)
  check_values(found)


@pytest.mark.parametrize(
  ('path', 'value', 'sentence'),
  [
    (('by_class', 'confusion'), '[[1, 2], [0]]', 'as many columns as rows'),
    (('by_class', 'confusion'), '[[1, 2], [0, 0]]', 'is of 3 images, and split.test is 400'),
    (('by_class', 'confusion'), '[[1.5]]', 'must be a whole number'),
    (('risk', 'risk_coverage'), '{"coverage": [1], "risk": []}', 'lists of different lengths'),
    (('risk', 'risk_coverage'), '{"coverage": [2]}', 'less than or equal to 1'),
    (('by_class', 'gap_by_prediction'), '[0.1, null, -2]', 'greater than or equal to -1'),
    (('by_class', 'gap_by_prediction_interval'), '[null, [0.5, 0.1]]', 'the lower first'),
    (('by_class', 'gap_by_prediction_interval'), '[[0.5]]', 'the lower first'),
    (('by_group', 'groups'), '[1]', 'must be text'),
  ],
)
def test_lists_that_no_record_can_hold_are_one_sentence(path, value, sentence, written):
  written(path, loads(value), sentence)


@pytest.fixture
def written(tmp_path):
  """Writes a committed record with one more value, which is refused with a sentence."""
  tree = json.loads(next(COMMITTED.glob('*.json')).read_text())

  def write(path, value, sentence):
    measures.put(tree, ('metrics', *path), value)
    place = tmp_path / f'{tree["id"]}.json'
    place.write_text(json.dumps(tree))
    with pytest.raises(BadSetting, match=sentence):
      record.read(place)

  return write
