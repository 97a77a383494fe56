"""Domain adaptation: labels of one set, unlabeled and test images of another."""

import numpy as np
import pytest
from support.cli import write_configs

from ssl_bench import api, data
from ssl_bench.config import load, to_dict
from ssl_bench.data import stress
from ssl_bench.data.conform import conform
from ssl_bench.planning import make_plan
from ssl_bench.planning.arrays import arrays_of
from ssl_bench.settings.signature import BadSetting

TARGET = 'stress={target: fake_9x10x3}'


def test_unlabeled_and_test_images_are_the_targets_in_the_form_of_the_source():
  source, target = data.load('fake'), data.load('fake_9x10x3')
  found = stress.onto(source, target)
  np.testing.assert_array_equal(found.test_images, conform(target.test_images, source))
  np.testing.assert_array_equal(found.test_labels, target.test_labels)
  np.testing.assert_array_equal(found.test_index, target.test_index)
  seen = found.stream_images()[found.stream]
  np.testing.assert_array_equal(seen, conform(target.train_images, source))
  assert (found.hidden_labels() == -1).all() and found.n_unlabeled == target.n_train
  for part in ('train', 'validation'):
    assert getattr(found, f'{part}_images') is getattr(source, f'{part}_images')
    assert getattr(found, f'{part}_labels') is getattr(source, f'{part}_labels')
  again = stress.onto(found, target)
  for one, other in zip(found, again):
    np.testing.assert_array_equal(one, other)


def test_a_step_draws_labels_of_the_source_and_unlabeled_images_of_the_target(tmp_path):
  plan = make_plan(load(write_configs(tmp_path) / 'fixmatch.yaml', [TARGET]))
  arrays = arrays_of(plan.dataset, plan.labeled)
  assert arrays['stream'].min() == plan.dataset.n_train > plan.labeled.max()
  np.testing.assert_array_equal(
    arrays['image'][arrays['pool'][: len(plan.labeled)]], data.load('fake').train_images[plan.labeled]
  )


def test_a_training_that_sees_no_unlabeled_image_is_that_of_the_source_alone(tmp_path):
  configs = write_configs(tmp_path)
  for method, same in (('supervised', True), ('fixmatch', False), ('simclr', False)):
    plain, moved = (make_plan(load(configs / f'{method}.yaml', words)) for words in ([], [TARGET]))
    assert (plain.training_id == moved.training_id) is same and plain.trial_id != moved.trial_id
  assert 'stress' not in to_dict(load(configs / 'fixmatch.yaml', ['stress={target: null}']))


@pytest.mark.parametrize(
  ('words', 'sentence'),
  [
    (['stress={target: digitz}'], "There is no dataset 'digitz'"),
    (['stress={target: digits}'], r'stress\.target: digits has other classes than fake_8x8x1; leave it out'),
    (['stress={target: wine}'], r'stress\.target: wine has rows of a table, and fake_8x8x1 has images'),
    (['stress={target: fake, mismatch: 0.5}'], 'target says which images are without labels; leave mismatch'),
  ],
)
def test_a_target_that_cannot_be_is_one_sentence(tmp_path, words, sentence):
  with pytest.raises(BadSetting, match=sentence) as error:
    make_plan(load(write_configs(tmp_path) / 'fixmatch.yaml', words))
  assert '\n' not in str(error.value)


@pytest.mark.slow
def test_it_is_tested_on_the_target(tmp_path):
  plan = api.plan(load(write_configs(tmp_path) / 'fixmatch.yaml', [TARGET]))
  fitted = api.train(plan)
  metrics, target = api.evaluate(plan, fitted), data.load('fake_9x10x3')
  logits = api.TrainedNetwork(plan, fitted).logits(conform(target.test_images, data.load('fake')))
  assert metrics['accuracy'] == pytest.approx((logits.argmax(1) == target.test_labels).mean())
