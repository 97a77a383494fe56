"""Pseudo-labels over training: plain loops, and a real training whose labels NumPy recomputes."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest
from support.cli import write_configs
from support.tiny_trial import tiny_trial
from support.training import arrays, stop_after

from ssl_bench import data, methods
from ssl_bench.config import load
from ssl_bench.evaluation import pseudo_labels
from ssl_bench.evaluation.calibration import ece
from ssl_bench.evaluation.pseudo_labels import confirmation, confirmed, draw
from ssl_bench.planning import make_plan
from ssl_bench.planning.structure import BatchSize
from ssl_bench.training import log
from ssl_bench.training.loop import Interrupted, fit
from ssl_bench.trial.run import run_trial, train
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.training import Run, watch_of

RNG = np.random.default_rng(0)
PLAIN = """
net: {name: mlp, widths: [16], norm: none}
augment: {weak: none, strong: none}
evaluate: {every: 4, last: 2, pseudo_labels: true}
ema: null
optimizer: {name: sgd, lr: 0.1}
"""


def test_the_error_of_hard_masks_is_the_ece_of_the_images_that_are_left():
  probs = RNG.dirichlet(np.ones(4), 300)
  truth, mask = RNG.integers(4, size=300), RNG.integers(2, size=300)
  right = probs.argmax(1) == truth
  found = pseudo_labels.ece(probs.max(1), right, mask)
  assert found == pytest.approx(ece(probs[mask > 0], truth[mask > 0]))
  assert pseudo_labels.ece([0.9], [True], [0.0]) is None


def test_soft_masks_weigh_images_in_a_plain_loop():
  confidence, right, mask = RNG.uniform(size=200), RNG.integers(2, size=200), RNG.uniform(size=200)
  total = 0.0
  for b in range(15):
    inside = (confidence > b / 15) & (confidence <= (b + 1) / 15)
    total += abs(sum(m * (r - c) for c, r, m in zip(confidence[inside], right[inside], mask[inside])))
  assert pseudo_labels.ece(confidence, right, mask) == pytest.approx(total / mask.sum())


def test_confirmation_follows_single_images_through_their_looks():
  """A dictionary of the last pseudo-label of each image, over twelve random looks."""
  truth, last, again, wrong = RNG.integers(3, size=50), {}, 0, 0
  kept, rows = np.full(50, -1), []
  for _ in range(12):
    label, has_one = RNG.integers(3, size=50), RNG.integers(2, size=50).astype(bool)
    share, count = confirmation(kept, label, has_one, truth)
    rows.append({'pseudo_confirmation': share, 'pseudo_confirmation_of': count})
    kept = np.where(has_one, label, kept)
    for i in np.flatnonzero(has_one):
      if i in last and last[i] != truth[i]:
        wrong, again = wrong + 1, again + (label[i] == last[i])
      last[i] = label[i]
  assert rows[0] == {'pseudo_confirmation': None, 'pseudo_confirmation_of': 0}
  assert confirmed(rows) == pytest.approx(again / wrong) and confirmed(rows[:1]) is None


def test_skew_is_the_total_variation_of_classes():
  counts = {'seen': [10, 30, 0], 'kept': [5, 15, 0], 'claimed': [4, 8, 8], 'correct': [4, 8, 0]}
  counts = {name: np.array(value, 'float32') for name, value in counts.items()}
  found = log.pseudo_labels(counts)
  assert found['pseudo/labeled_by_class'] == pytest.approx([0.2, 0.4, 0.4])
  assert found['pseudo/seen_by_class'] == pytest.approx([0.25, 0.75, 0])
  assert found['pseudo/skew'] == pytest.approx(0.5 * (0.05 + 0.35 + 0.4))
  nothing = log.pseudo_labels({**counts, 'claimed': np.zeros(3), 'correct': np.zeros(3)})
  assert nothing['pseudo/skew'] is None


def test_a_sample_is_whole_batches_of_images_whose_class_is_known():
  dataset, size = data.load('fake'), BatchSize(8, 16)
  found = draw(dataset, np.array([5, 9, 11]), size)
  assert len(found.truth) == 240 and len(found.batches) == 15
  index = np.concatenate([batch['unlabeled']['index'] for batch in found.batches])
  assert sorted(index) == list(range(240)) and (found.truth == dataset.train_labels[index]).all()
  first = found.batches[0]
  np.testing.assert_array_equal(first['unlabeled']['image'], dataset.train_images[index[:16]])
  np.testing.assert_array_equal(first['labeled']['label'], dataset.train_labels[[5, 9, 11, 5, 9, 11, 5, 9]])
  few = dataset._replace(stream=np.arange(100, 110, dtype='int32'))
  assert draw(few, np.arange(3), size) is None
  part = draw(dataset._replace(stream=np.arange(100, 120, dtype='int32')), np.arange(3), size)
  where = part.batches[0]['unlabeled']['index']
  np.testing.assert_array_equal(part.batches[0]['unlabeled']['image'], dataset.train_images[100 + where])


def test_where_a_step_sees_the_whole_set_images_without_a_class_do_not_count():
  """The last 60 of 240 have none here; the method says class 1 of all, with confidence 0.5."""
  dataset = data.load('fake')
  extra = dataset._replace(
    train_images=dataset.train_images[:180],
    train_labels=dataset.train_labels[:180],
    unlabeled_images=dataset.train_images[180:],
  )
  assert draw(extra, np.arange(4), BatchSize(4, 240)) is None
  sample = draw(extra, np.arange(4), BatchSize(4, 240, whole=True))
  (batch,) = sample.batches
  np.testing.assert_array_equal(batch['unlabeled']['image'], dataset.train_images)
  said = {'label': np.ones(240, int), 'confidence': np.full(240, 0.5), 'mask': np.ones(240)}
  program = SimpleNamespace(pseudo_labels=lambda state, numbers, batch: {'index': np.arange(240), **said})
  kept = {}
  right = (dataset.train_labels[:180] == 1).mean()
  assert sample.look(program, None, None, kept)['pseudo_ece'] == pytest.approx(0.5 - right)
  assert kept['labels'] == [1] * 180 + [-1] * 60
  found = sample.look(program, None, None, kept)
  assert (found['pseudo_confirmation'], found['pseudo_confirmation_of']) == (1, round(180 * (1 - right)))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  text = 'method: {name: fixmatch, threshold: 0.4}'
  return write_configs(tmp_path_factory.mktemp('pseudo') / 'configs', PLAIN, fixmatch=text)


@pytest.fixture(scope='module')
def trained(folder, tmp_path_factory):
  plan = make_plan(load(folder / 'fixmatch.yaml'), data.load('fake'))
  return plan, fit(plan, tmp_path_factory.mktemp('whole'), watch=watch_of(plan))


@pytest.mark.slow
def test_the_last_look_is_what_numpy_computes_from_the_weights(trained):
  """FixMatch's pseudo-labels of plain views are those of the network itself, above its threshold."""
  plan, fitted = trained
  params = jax.tree.map(lambda x: np.asarray(x, 'float64'), fitted.state.params)
  (layer,), (head,) = params['encoder'].values(), params['head'].values()
  flat = plan.dataset.train_images.reshape(240, -1) / 127.5 - 1
  logits = np.maximum(flat @ layer['kernel'] + layer['bias'], 0) @ head['kernel'] + head['bias']
  probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
  confidence, label, used = probs.max(1), probs.argmax(1), probs.max(1) >= 0.4
  assert 0 < used.sum() < 240
  rows = fitted.history['evaluations']
  expected = ece(probs[used], plan.dataset.train_labels[used])
  assert rows[-1]['pseudo_ece'] == pytest.approx(expected, abs=1e-4)
  sample = draw(plan.dataset, plan.labeled, plan.structure.batch)
  index = np.concatenate([batch['unlabeled']['index'] for batch in sample.batches])
  kept = np.array(fitted.history['kept']['labels'])
  np.testing.assert_array_equal(kept[used[index]], label[index][used[index]])
  assert [row['step'] for row in rows] == [4, 8, 12] and rows[0]['pseudo_confirmation_of'] == 0
  assert confidence.shape == (240,)


@pytest.mark.slow
def test_a_look_changes_nothing_of_the_training(trained, tmp_path):
  plan, fitted = trained
  without = fit(plan, tmp_path)
  for one, other in zip(arrays(fitted.state), arrays(without.state), strict=True):
    np.testing.assert_array_equal(one, other)
  assert without.history['curve'] == fitted.history['curve']


@pytest.mark.slow
def test_nobody_looks_without_being_asked(trained, folder, tmp_path):
  """The program of a look is compiled for seconds; a trial keeps its identity with it."""
  config = load(folder / 'fixmatch.yaml', ['evaluate.pseudo_labels=false'])
  plan = make_plan(config, data.load('fake'))
  assert (plan.trial_id, plan.training_id) == (trained[0].trial_id, trained[0].training_id)
  rows = fit(plan, tmp_path, watch=watch_of(plan)).history['evaluations']
  assert [sorted(row) for row in rows] == [['step', 'test_accuracy', 'validation_accuracy']] * 3


@pytest.mark.slow
def test_there_are_at_most_twenty_looks(folder, tmp_path):
  """Of 60 evaluations, one in three, and the last is among them."""
  config = load(folder / 'fixmatch.yaml', ['steps=60', 'evaluate.every=1', 'checkpoint.every=60'])
  plan = make_plan(config, data.load('fake'))
  rows = fit(plan, tmp_path, watch=watch_of(plan)).history['evaluations']
  assert len(rows) == 60 and [row['step'] for row in rows if 'pseudo_ece' in row] == list(range(3, 61, 3))


@pytest.mark.slow
def test_what_is_noted_resumes_bit_for_bit(trained, tmp_path):
  plan, fitted = trained
  with pytest.raises(Interrupted):
    fit(plan, tmp_path, watch=watch_of(plan), should_stop=stop_after(6))
  again = fit(plan, tmp_path, watch=watch_of(plan))
  assert again.history['evaluations'] == fitted.history['evaluations']
  assert again.history['kept'] == fitted.history['kept']


@pytest.mark.slow
def test_a_record_has_them(folder, tmp_path):
  run_folder = RunFolder(tmp_path)
  config = load(folder / 'fixmatch.yaml', ['evaluate.bootstrap=100'])
  record = run_trial(config, run_folder)
  assert record['status'] == 'done', record['error']
  found, rows = record['metrics']['pseudo_labels'], record['evaluations']
  assert found['ece'] == rows[-1]['pseudo_ece'] and found['confirmation'] == confirmed(rows)
  last = record['curve'][-1]
  gaps = [abs(a - b) for a, b in zip(last['pseudo/labeled_by_class'], last['pseudo/seen_by_class'])]
  assert found['skew'] == last['pseudo/skew'] == pytest.approx(sum(gaps) / 2)
  plan = make_plan(config, data.load('fake'))
  assert train(plan, Run(run_folder)).history['evaluations'] == rows


@pytest.mark.slow
@pytest.mark.parametrize('name', methods.names())
def test_every_method_that_reports_pseudo_labels_can_be_asked_for_them(name):
  tiny = tiny_trial(name)
  if not tiny.program.advance:
    assert tiny.program.pseudo_labels is None
    return
  state, totals = tiny.program.init(np.uint32(0), tiny.data, tiny.numbers)
  assert bool(tiny.program.pseudo_labels) == ('pseudo' in totals)
  if tiny.program.pseudo_labels:
    pool = np.asarray(tiny.data['pool'])[: int(tiny.config.labels)]
    sample, kept = draw(tiny.dataset, pool, tiny.program.structure.batch), {}
    one = sample.look(tiny.program, state, tiny.numbers, kept)
    again = sample.look(tiny.program, state, tiny.numbers, kept)
    assert one['pseudo_ece'] == again['pseudo_ece'] and one['pseudo_confirmation_of'] == 0
    assert again['pseudo_confirmation'] in (None, 1.0)  # the same state makes the same errors
