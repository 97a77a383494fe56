"""Stress on the data: the published definitions, nested levels, and what of a trial it reaches."""

import jax
import numpy as np
import pytest
from support.tiny_trial import make_config

from ssl_bench import data, parallel
from ssl_bench.data import stress
from ssl_bench.data.fake import fake
from ssl_bench.data.split import labeled_indices
from ssl_bench.planning import batch, identity
from ssl_bench.planning.arrays import arrays_of
from ssl_bench.planning.split import describe_split, labeled_of, stressed
from ssl_bench.planning.structure import structure_of
from ssl_bench.settings.signature import BadSetting

DIGITS = data.load('digits')
FIXMATCH = {'name': 'fixmatch'}


def config_of(labels=40, split_seed=3, method=FIXMATCH, **settings):
  return make_config(method, dataset='digits', labels=labels, split_seed=split_seed, stress=settings)


def given(**settings):
  config = config_of(**settings)
  return config, stressed(config, DIGITS), labeled_of(config, DIGITS)


def counts(labels):
  return np.bincount(labels, minlength=10)


def test_without_stress_everything_is_as_it_was():
  config = make_config(FIXMATCH, dataset='digits', labels=40)
  assert stressed(config, DIGITS) is DIGITS
  none = make_config(FIXMATCH, dataset='digits', labels=40, stress={})
  labeled = labeled_of(none, DIGITS)
  np.testing.assert_array_equal(labeled, labeled_of(config, DIGITS))
  for name, array in arrays_of(stressed(none, DIGITS), labeled).items():
    np.testing.assert_array_equal(array, arrays_of(DIGITS, labeled)[name])


def test_label_noise_is_exact_symmetric_and_nested():
  wrong = {}
  for share in (0.1, 0.25, 0.5, 1.0):
    _, dataset, labeled = given(label_noise=share)
    wrong[share] = np.flatnonzero(dataset.given_labels != DIGITS.train_labels)
    assert set(wrong[share]) <= set(labeled) and len(wrong[share]) == round(share * 40)
    np.testing.assert_array_equal(dataset.train_labels, DIGITS.train_labels)
    np.testing.assert_array_equal(dataset.hidden_labels(), DIGITS.train_labels)
    np.testing.assert_array_equal(dataset.test_labels, DIGITS.test_labels)
  assert set(wrong[0.1]) <= set(wrong[0.25]) <= set(wrong[0.5])
  seen = np.concatenate([stress.noisy(np.full(1000, 4), 1.0, range(10), seed) for seed in range(9)])
  expected = len(seen) / 9
  others = np.delete(counts(seen), 4)
  assert counts(seen)[4] == 0 and (abs(others - expected) < 5 * np.sqrt(expected)).all()


def test_a_mismatch_is_that_of_oliver_et_al():
  sizes = set()
  for mismatch in (0.0, 0.25, 0.5, 0.75, 1.0):
    config, dataset, labeled = given(mismatch=mismatch)
    known, sources = stress.mismatched_classes(mismatch, 10, config.split_seed)
    assert len(known) == 6 and len(sources) == 4
    assert len(set(sources) - set(known)) == round(4 * mismatch)
    assert (
      set(DIGITS.train_labels[labeled]) == set(known)
      and np.ptp(counts(DIGITS.train_labels[labeled])[list(known)]) <= 1
    )
    stream = dataset.train_labels[dataset.stream]
    assert set(stream) == set(sources) and np.ptp(counts(stream)[list(sources)]) == 0
    sizes.add(len(stream))
    inside = labeled[np.isin(DIGITS.train_labels[labeled], sources)]
    assert set(inside) <= set(dataset.stream)
    assert set(dataset.test_labels) == set(dataset.validation_labels) == set(known) and dataset.classes == 10
    np.testing.assert_array_equal(dataset.test_images, DIGITS.test_images[np.isin(DIGITS.test_labels, known)])
    assert len(dataset.test_index) == len(dataset.test_labels) == 240
  assert sizes == {4 * counts(DIGITS.train_labels).min()}


def test_the_labeled_images_do_not_depend_on_how_much_is_mismatched():
  first, *rest = (given(mismatch=share)[2] for share in (0.0, 0.5, 1.0))
  assert all((first == other).all() for other in rest)


@pytest.mark.parametrize('ratio', [1, 10, 100, 0.1])
def test_the_tail_is_exponential(ratio):
  found = np.array(stress.long_tail(4000, ratio, 10))
  assert found.sum() == 4000
  exact = 4000 * ratio ** (-np.arange(10) / 9) / (ratio ** (-np.arange(10) / 9)).sum()
  assert (abs(found - exact) < 1).all()
  assert found[0] / found[9] == pytest.approx(ratio, rel=0.15)


def test_a_tail_keeps_the_budget_and_every_class():
  assert stress.long_tail(10, 1000.0, 10) == [1] * 10
  for total in (10, 11, 20, 40):
    tail = stress.long_tail(total, 50, 10)
    assert sum(tail) == total and min(tail) >= 1 and sorted(tail, reverse=True) == tail


def test_imbalance_of_labeled_and_unlabeled_images():
  largest = counts(DIGITS.train_labels).min()
  for labeled_ratio, unlabeled_ratio in [(10, 10), (10, 1), (1, 10), (10, 0.1)]:
    _, dataset, labeled = given(imbalance={'labeled': labeled_ratio, 'unlabeled': unlabeled_ratio})
    assert counts(DIGITS.train_labels[labeled]).tolist() == stress.long_tail(40, labeled_ratio, 10)
    weights = float(unlabeled_ratio) ** (-np.arange(10) / 9)
    tail = counts(dataset.train_labels[dataset.stream])
    np.testing.assert_array_equal(tail, np.rint(largest * weights / weights.max()))
    assert set(labeled) <= set(dataset.stream)
  _, dataset, _ = given(imbalance={'labeled': 10})
  assert dataset.stream is None


def test_fewer_unlabeled_images_are_nested_balanced_and_hold_the_labeled_ones():
  streams = [set(given(unlabeled=n)[1].stream) for n in (100, 300, 0.5)]
  assert [len(s) for s in streams] == [100, 300, 598] and streams[0] < streams[1] < streams[2]
  assert np.ptp(counts(DIGITS.train_labels[list(streams[0])])) <= 1
  assert set(given(unlabeled=100)[2]) <= streams[0]
  everything = given(unlabeled=1.0)[1].stream
  np.testing.assert_array_equal(everything, np.arange(1197))
  tail = given(imbalance=10, unlabeled=0.5)[1]
  whole = counts(DIGITS.train_labels[given(imbalance=10)[1].stream])
  np.testing.assert_allclose(counts(DIGITS.train_labels[tail.stream]), whole / 2, atol=1)


def test_a_shift_reaches_all_images_of_training_but_the_labeled_ones():
  _, dataset, labeled = given(shift='solarize(threshold=0, probability=1.0)')
  others = np.setdiff1d(np.arange(1197), labeled)
  np.testing.assert_array_equal(dataset.stream_images()[others], 255 - DIGITS.train_images[others])
  np.testing.assert_array_equal(dataset.stream_images()[labeled], DIGITS.train_images[labeled])
  np.testing.assert_array_equal(dataset.train_images, DIGITS.train_images)  # what probes are fitted on
  one, other = (given(shift='crop(2)')[1].stream_images() for _ in range(2))
  np.testing.assert_array_equal(one, other)


ALL = {'label_noise': 0.25, 'shift': 'cutout(4)', 'unlabeled': 0.5, 'imbalance': 10}


def test_stress_is_a_pure_function_and_is_in_the_hash():
  config, dataset, labeled = given(**ALL)
  again = stressed(config, dataset)
  for name, value in dataset._asdict().items():
    np.testing.assert_array_equal(getattr(again, name), value)
  found = describe_split(config, dataset, labeled)['split']
  assert (found['labeled'], found['wrong'], found['classes']) == (40, 10, 10)
  assert found['unlabeled'] == dataset.n_unlabeled
  hashes = {found['hash']}
  for name in ALL:
    other, less, chosen = given(**{k: v for k, v in ALL.items() if k != name})
    hashes.add(describe_split(other, less, chosen)['split']['hash'])
  assert len(hashes) == 1 + len(ALL)


def test_batches_hold_what_training_is_given():
  config, dataset, labeled = given(
    label_noise=0.5, unlabeled=0.3, shift='solarize(threshold=0, probability=1.0)'
  )
  structure, arrays = structure_of(config, dataset), arrays_of(dataset, labeled)
  assert structure.data.unlabeled == len(arrays['stream']) == len(arrays['label']) == 359
  draw = batch.drawer(structure, parallel.make_mesh())
  labels = {}
  for step in range(5):
    seen = draw(jax.tree.map(jax.numpy.asarray, arrays), jax.random.key(0), step, 40)
    index = np.asarray(seen['unlabeled']['index'])
    where = dataset.stream[index]
    expected = np.where(
      np.isin(where, labeled)[:, None, None, None],
      DIGITS.train_images[where],
      255 - DIGITS.train_images[where],
    )
    np.testing.assert_array_equal(seen['unlabeled']['image'], expected)
    np.testing.assert_array_equal(arrays['label'][index], DIGITS.train_labels[where])
    for image, label in zip(np.asarray(seen['labeled']['image']), np.asarray(seen['labeled']['label'])):
      labels[image.tobytes()] = label
  for i in labeled:
    assert labels[DIGITS.train_images[i].tobytes()] == dataset.given_labels[i]


def test_extra_unlabeled_images_have_no_class_to_choose_by():
  extra = fake(unlabeled=60)
  stream = stress.unlabeled_positions(extra, split_seed=0, budget=0.5)
  assert len(stream) == 150 and (stream >= 240).sum() == 30  # the same share of them
  for settings in ({'mismatch': 0.5}, {'imbalance': 10.0}):
    with pytest.raises(BadSetting, match='nobody knows the class'):
      stress.unlabeled_positions(extra, split_seed=0, **settings)


@pytest.mark.parametrize(('settings', 'says'), [
  ({'mismatch': 0.3}, 'the shares are 0, 0.25, 0.5, 0.75, 1, not 0.3'),
  ({'mismatch': 0.5, 'imbalance': 2}, 'leave one out'),
  ({'imbalance': {'labeled': 1e6}, 'labels': 600}, 'class 0 would have'),
  ({'unlabeled': 5000}, 'at most 1197'),
  ({'unlabeled': 1.5}, 'fraction up to 1'),
  ({'label_noise': 1.5}, 'less than or equal to 1'),
  ({'shift': 'cutoff(3)'}, "did you mean 'cutout'"),
  ({'shift': 'resized_crop(size=4)'}, 'leave size out'),
  ({'noise': 0.5}, "did you mean 'label_noise'"),
])  # fmt: skip
def test_what_cannot_be_is_refused_with_a_sentence(settings, says):
  with pytest.raises(BadSetting, match=says):
    given(**settings)


def test_labels_are_drawn_as_ever_where_the_stress_says_nothing_of_them():
  for fold in (None, np.arange(0, 1197, 2)):
    how = {'split_seed': 1, 'classes': 10, 'fold': fold}
    one = stress.labeled_positions(DIGITS.train_labels, 40, **how)
    np.testing.assert_array_equal(one, labeled_indices(DIGITS.train_labels, 40, **how))


def test_a_training_is_shared_where_the_stress_is_not_seen():
  def training(streams, **settings):
    return identity.identify_training(config_of(**settings), 'f' * 64, streams)

  labeled = lambda **s: training({'labeled'}, **s)
  assert labeled(shift='none') == labeled(unlabeled=0.5) == labeled(imbalance={'unlabeled': 10}) == labeled()
  assert labeled(mismatch=0.0) == labeled(mismatch=1.0) != labeled()
  assert labeled(imbalance=10) == labeled(imbalance={'labeled': 10}) != labeled()
  assert labeled(label_noise=0.25) != labeled()
  unlabeled = lambda **s: training({'unlabeled'}, **s)
  half = unlabeled(unlabeled=0.5)
  for settings in ({'label_noise': 0.5}, {'imbalance': {'labeled': 5}}, {'split_seed': 9}):
    assert unlabeled(**settings) == unlabeled()
  assert unlabeled(unlabeled=0.5, labels=20) == half != unlabeled(unlabeled=0.5, split_seed=9)
  assert unlabeled(shift='none', labels=20) != unlabeled(shift='none')  # the labeled images stay as they are
  both = lambda **s: training({'labeled', 'unlabeled'}, **s)
  kinds = [{}, {'label_noise': 0.5}, {'shift': 'none'}, {'unlabeled': 0.5}, {'mismatch': 0.0}]
  assert len({both(**s) for s in [*kinds, {'mismatch': 1.0}]}) == 1 + len(kinds)
