"""Unknown classes: scores against scikit-learn, and what a record of a trial with class mismatch holds."""

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve
from support.cli import write_configs

from ssl_bench import contract as m
from ssl_bench import data
from ssl_bench.config import load
from ssl_bench.data import stress
from ssl_bench.evaluation import open_set
from ssl_bench.evaluation.anomaly import auroc
from ssl_bench.planning import make_plan
from ssl_bench.training import log
from ssl_bench.trial.run import run_trial, train
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.training import Run

RNG = np.random.default_rng(0)
KNOWN, UNKNOWN = 3 * RNG.normal(size=(157, 6)), 2 * RNG.normal(size=(61, 6))


def softmax(logits):
  e = np.exp(np.asarray(logits, np.float64))
  return e / e.sum(1, keepdims=True)


def by_sklearn(known, unknown):
  """AUROC, and the false positive rate at the first threshold that keeps 95 % of the known ones."""
  truth, scores = np.repeat([1, 0], [len(known), len(unknown)]), np.concatenate([known, unknown])
  fpr, tpr, _ = roc_curve(truth, scores, drop_intermediate=False)
  return roc_auc_score(truth, scores), fpr[np.flatnonzero(tpr >= 0.95)[0]]


@pytest.mark.parametrize('decimals', [1, 12])  # with ties, and without
@pytest.mark.parametrize('score', ['confidence', 'negative_energy'])
def test_both_scores_are_told_apart_as_scikit_learn_has_it(score, decimals):
  expected = {
    'confidence': lambda logits: softmax(logits).max(1),
    'negative_energy': lambda logits: np.log(np.exp(logits).sum(1)),
  }[score]
  ours = [getattr(open_set, score)(logits) for logits in (KNOWN, UNKNOWN)]
  for mine, logits in zip(ours, (KNOWN, UNKNOWN)):
    np.testing.assert_allclose(mine, expected(logits))
  known, unknown = (one.round(decimals) for one in ours)
  area, share = by_sklearn(known, unknown)
  assert auroc(-known, -unknown) == pytest.approx(area)
  assert open_set.false_positives(known, unknown) == pytest.approx(share)


def test_scores_that_are_not_finite_are_worth_nothing():
  assert np.isnan(open_set.false_positives([1, np.nan], [0.5]))
  assert open_set.false_positives([3, 2], [1, 1]) == 0 and open_set.false_positives([1, 1], [1, 1]) == 1


def test_the_share_of_unknown_pseudo_labels_is_that_of_counting_images():
  """From the log of three batches, against a count of the images themselves."""
  hidden, classes, unknown = RNG.integers(6, size=90), 6, (4, 5)
  index, mask = RNG.permutation(90), RNG.integers(2, size=90)
  report = lambda part: m.Log(
    {'loss': jnp.float32(1), 'grad_norm': jnp.float32(1)},
    m.PseudoLabels(
      jnp.array(index[part]), jnp.zeros(30, int), jnp.ones(30), jnp.array(mask[part], 'float32')
    ),
  )
  parts = [slice(at, at + 30) for at in (0, 30, 60)]
  measured = [log.measure(report(part), jnp.array(hidden), classes, jnp.int32(0)) for part in parts]
  row, _ = log.means(log.add(log.add(*measured[:2]), measured[2]), 3)
  is_unknown = np.isin(hidden[index], unknown)
  found = open_set.share_kept(row['pseudo/coverage_by_class'], row['pseudo/seen_by_class'], unknown)
  assert found == pytest.approx(mask[is_unknown].mean())
  assert row['pseudo/seen_by_class'] == pytest.approx(np.bincount(hidden, minlength=6) / 90)
  assert open_set.share_kept([1, None], [1, 0], [1]) is None


def test_unknown_images_are_the_test_images_of_classes_without_labels():
  whole = data.load('digits')
  known = stress.mismatched_classes(0.5, 10, 3).labeled
  found = stress.without_unknown(whole, known)
  is_known = np.isin(whole.test_labels, known)
  np.testing.assert_array_equal(found.unknown_images, whole.test_images[~is_known])
  np.testing.assert_array_equal(found.test_images, whole.test_images[is_known])
  assert found.train_images is whole.train_images and whole.unknown_images is None
  again = stress.without_unknown(found, known)
  np.testing.assert_array_equal(again.unknown_images, found.unknown_images)


class Trial:
  """One trial's record, and its trained state looked at again."""

  def __init__(self, folder, method, mismatch):
    words = () if mismatch is None else (f'stress.mismatch={mismatch}',)
    config = load(write_configs(folder / 'configs') / f'{method}.yaml', words)
    run_folder = RunFolder(folder / 'runs')
    self.record = run_trial(config, run_folder)
    self.plan = make_plan(config, data.load('fake'))
    self.fitted = train(self.plan, Run(run_folder))  # taken from its checkpoint


@pytest.mark.slow
def test_a_trial_with_mismatch_has_them_in_its_record(tmp_path):
  """Recomputed from the classifier's logits; half of the unlabeled classes have no labels."""
  trial = Trial(tmp_path, 'fixmatch', 0.5)
  assert trial.record['status'] == 'done', trial.record['error']
  found = trial.record['metrics']['open_set']
  known = stress.mismatched_classes(0.5, 10, 0).labeled
  whole, (program, numbers, state, *_) = data.load('fake'), trial.fitted
  logits = np.asarray(program.observe(state, numbers, whole.test_images)['logits'], np.float64)
  is_known = np.isin(whole.test_labels, known)
  scores = {'confidence': softmax(logits).max(1), 'energy': np.log(np.exp(logits).sum(1))}
  for name, score in scores.items():
    area, share = by_sklearn(score[is_known], score[~is_known])
    assert found[f'{name}_auroc'] == pytest.approx(area, abs=1e-3)
    assert found[f'{name}_fpr'] == pytest.approx(share, abs=2 / (~is_known).sum())
  assert found['count'] == (~is_known).sum() == 32
  last = trial.record['curve'][-1]
  unknown = [c for c in range(10) if c not in known and last['pseudo/seen_by_class'][c]]
  assert len(unknown) == 2 and sum(last['pseudo/seen_by_class']) == pytest.approx(1)
  kept = [last['pseudo/coverage_by_class'][c] for c in unknown]
  assert min(kept) <= found['pseudo_labeled'] <= max(kept)


@pytest.mark.slow
def test_without_mismatch_there_is_no_open_set_and_a_probe_has_one_too(tmp_path):
  assert 'open_set' not in Trial(tmp_path / 'plain', 'supervised', None).record['metrics']
  found = Trial(tmp_path / 'probe', 'simclr', 0.0).record['metrics']['open_set']
  assert set(found) == {'confidence_auroc', 'confidence_fpr', 'energy_auroc', 'energy_fpr', 'count'}
  assert 0 <= found['energy_auroc'] <= 1
