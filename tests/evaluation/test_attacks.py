"""Attacks on encoders against scikit-learn and plain NumPy, and what a trial records of them."""

from functools import partial

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.metrics import balanced_accuracy_score, roc_auc_score, roc_curve
from sklearn.preprocessing import StandardScaler
from support.cli import write_configs
from support.images import digits, photos
from support.tiny_trial import arrays_on_device

from ssl_bench import api
from ssl_bench.config import load
from ssl_bench.evaluation import predict
from ssl_bench.evaluation.attacks import attributes, inversion, membership
from ssl_bench.evaluation.linear import L2_GRID, linear_probe
from ssl_bench.evaluation.trained import Trained
from ssl_bench.planning import make_plan
from ssl_bench.settings.signature import BadSetting

PHOTOS = photos(24)[:2] / 255.0


def scored(members=300, others=250, apart=0.5, seed=0):
  """Scores with ties, members' larger on average."""
  rng = np.random.default_rng(seed)
  return rng.normal(apart, 1, members).round(1), rng.normal(0, 1, others).round(1)


def test_consistency_is_the_mean_cosine_of_all_pairs_of_views():
  rng = np.random.default_rng(0)
  views = rng.normal(size=(5, 7, 4))
  views[:, 3] = 0  # a dead row
  found = membership.Consistency(7)
  for one in views:
    found.add(one.astype('float32'))
  cosine = lambda a, b: a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12)
  pairs = [(i, j) for i in range(5) for j in range(5) if i != j]
  expected = [np.mean([cosine(views[i, k], views[j, k]) for i, j in pairs]) for k in range(7)]
  np.testing.assert_allclose(found.mean(), expected, atol=1e-6)
  assert found.mean()[3] == 0


@pytest.mark.parametrize(('members', 'others'), [(300, 250), (100, 400), (40, 500)])
def test_the_area_and_the_rate_are_scikit_learns(members, others):
  m, o = scored(members, others)
  truth, both = [1] * members + [0] * others, np.concatenate([m, o])
  told = membership.told(m, o)
  assert told.auc == pytest.approx(roc_auc_score(truth, both), abs=1e-12)
  false, true, _ = roc_curve(truth, both, drop_intermediate=False)
  assert told.tpr == pytest.approx(true[false <= 0.01].max(), abs=1e-12)


def test_the_rate_at_its_ends():
  assert membership.tpr_at(np.ones(5), np.zeros(100)) == 1
  assert membership.tpr_at(np.zeros(5), np.ones(100)) == 0
  assert membership.tpr_at(np.zeros(5), np.zeros(100)) == 0  # scores that tie pass together
  assert membership.tpr_at([2.0], np.arange(99)) is None  # one of 99 is more than 1 %
  assert membership.tpr_at([98.5, 97.0], np.arange(100)) == 0.5  # one other, 99, passes
  assert membership.tpr_at([np.nan, 1.0], np.zeros(100)) is None
  broken = membership.told([np.nan, 1.0, 2.0], np.zeros(100))
  assert np.isnan(broken.auc) and broken.auc_interval is None
  assert membership.told([1.0, 2.0], np.zeros(100)).auc_interval is None


def test_the_interval_has_the_variance_of_all_placements():
  m, o = scored(60, 80)
  wins = (m[:, None] > o) + 0.5 * (m[:, None] == o)
  variance = wins.mean(1).var(ddof=1) / 60 + wins.mean(0).var(ddof=1) / 80
  low, high = membership.auc_interval(m, o)
  assert (low + high) / 2 == pytest.approx(wins.mean())
  assert (high - low) / 2 == pytest.approx(stats.norm.ppf(0.975) * variance**0.5)
  assert membership.auc_interval([3, 4, 5], [0, 1, 2]) == [1, 1]


def test_the_interval_covers_the_area_as_often_as_it_says():
  """The area of two normals d apart is Φ(d / √2)."""
  truth, hits = stats.norm.cdf(0.5 / 2**0.5), 0
  for seed in range(400):
    rng = np.random.default_rng(seed)
    low, high = membership.auc_interval(rng.normal(0.5, 1, 80), rng.normal(0, 1, 80))
    hits += low <= truth <= high
  assert 0.92 <= hits / 400 <= 0.98


def parts_with_attribute(strength, seed=0, sizes=(300, 100, 200)):
  """Features of three parts and a group of three each, planted in one direction; unequal groups."""
  rng = np.random.default_rng(seed)
  groups = [rng.choice(3, n, p=[0.6, 0.3, 0.1]) for n in sizes]
  axis = rng.normal(size=(3, 8))
  return [rng.normal(size=(len(g), 8)) + strength * axis[g] for g in groups], attributes.Groups(*groups)


def test_a_planted_attribute_is_told_as_by_scikit_learn():
  features, groups = parts_with_attribute(1.0)
  told = attributes.told(features, groups, 3)
  scaler = StandardScaler().fit(features[0])
  train, validation, test = map(scaler.transform, features)
  best = None
  for l2 in L2_GRID:
    peer = LogisticRegression(C=1 / (300 * l2), max_iter=5000, tol=1e-8).fit(train, groups.train)
    probs = peer.predict_proba(validation)[np.arange(100), groups.validation]
    if best is None or -np.log(probs).mean() < best[0]:
      best = -np.log(probs).mean(), peer.predict(test)
  assert told.balanced == pytest.approx(balanced_accuracy_score(groups.test, best[1]), abs=1e-12)
  assert told.accuracy == pytest.approx((best[1] == groups.test).mean())
  assert told.chance == pytest.approx(1 / 3) and told.majority == pytest.approx((groups.test == 0).mean())
  assert told.balanced_interval[0] > told.chance + 0.1
  resampled = []
  for seed in range(1000):
    at = np.random.default_rng(seed).integers(200, size=200)
    resampled.append(balanced_accuracy_score(groups.test[at], best[1][at]))
  np.testing.assert_allclose(told.balanced_interval, np.quantile(resampled, [0.025, 0.975]), atol=0.015)


def test_without_a_planted_attribute_the_interval_holds_chance():
  held = [attributes.told(*parts_with_attribute(0.0, seed), 3) for seed in range(20)]
  assert sum(one.balanced_interval[0] <= 1 / 3 <= one.balanced_interval[1] for one in held) >= 17


def test_a_group_that_a_resample_lacks_does_not_count():
  found = attributes.balanced_accuracy(
    np.array([[1.0, 1, 1], [2, 1, 0], [0, 0, 3]]), [True, False, True], [0, 0, 1], 3
  )
  np.testing.assert_allclose(found, [0.75, 2 / 3, 1])


@pytest.mark.parametrize(('n', 'width'), [(60, 10), (30, 50)])
def test_the_decoder_is_scikit_learns_ridge_of_least_leave_one_out_error(n, width):
  rng = np.random.default_rng(0)
  features = rng.normal(size=(n, width)) * rng.uniform(0.1, 9, width) + 3
  features[:, 0] = 2.5  # does not vary
  targets = 0.5 + 0.02 * features @ rng.normal(size=(width, 6)) + rng.normal(0, 0.1, (n, 6))
  made = inversion.fit(features, targets)
  inputs = StandardScaler().fit(features)
  peer = RidgeCV(alphas=[n * l2 for l2 in inversion.L2]).fit(inputs.transform(features), targets)
  assert peer.alpha_ == pytest.approx(n * made.l2)
  further = rng.normal(size=(20, width)) * 2 + 3
  expected = np.clip(peer.predict(inputs.transform(further)), 0, 1)
  np.testing.assert_allclose(made(further), expected, atol=1e-8)
  x, errors = inputs.transform(features), []
  for l2 in inversion.L2:
    rest = [Ridge(n * l2).fit(np.delete(x, i, 0), np.delete(targets, i, 0)) for i in range(n)]
    errors.append(np.mean([(one.predict(x[i : i + 1]) - targets[i]) ** 2 for i, one in enumerate(rest)]))
  assert inversion.L2[int(np.argmin(errors))] == made.l2


def test_what_is_linear_in_the_features_is_drawn_and_what_is_not_there_is_the_mean():
  flat = load_digits().data / 16
  rotated = flat @ np.linalg.qr(np.random.default_rng(0).normal(size=(64, 64)))[0]
  half = len(flat) // 2
  seen = inversion.fit(rotated[:half], flat[:half])(rotated[half:])
  assert inversion.psnr(((seen - flat[half:]) ** 2).mean()) > 30
  blind = inversion.fit(np.ones((half, 3)), flat[:half])(np.ones((len(flat) - half, 3)))
  np.testing.assert_allclose(blind, np.broadcast_to(flat[:half].mean(0), blind.shape))
  with pytest.raises(ValueError, match='finite'):
    inversion.fit([[np.nan]], [[1.0]])


def slow_ssim(x, y, window):
  """One window at a time, from the paper's equation 13 with the unbiased variances of scikit-image."""
  values = []
  for i in range(x.shape[0] - window + 1):
    for j in range(x.shape[1] - window + 1):
      a, b = (z[i : i + window, j : j + window].ravel() for z in (x, y))
      (va, cov), (_, vb) = np.cov(a, b)
      top = (2 * a.mean() * b.mean() + 1e-4) * (2 * cov + 9e-4)
      values.append(top / ((a.mean() ** 2 + b.mean() ** 2 + 1e-4) * (va + vb + 9e-4)))
  return np.mean(values)


@pytest.mark.parametrize('images', [PHOTOS, inversion.pixels(digits())[:3], PHOTOS[:, :5, :9]])
def test_structural_similarity_is_that_of_its_windows(images):
  noisy = np.clip(images + np.random.default_rng(0).normal(0, 0.1, images.shape), 0, 1)
  window = min(7, *images.shape[1:3])
  expected = [
    np.mean([slow_ssim(a[..., c], b[..., c], window) for c in range(a.shape[-1])])
    for a, b in zip(images, noisy)
  ]
  np.testing.assert_allclose(inversion.ssim(images, noisy), expected, atol=1e-9)
  np.testing.assert_allclose(inversion.ssim(images, images), 1)
  found, mse = inversion.errors(images, noisy), np.mean((images - noisy) ** 2)
  assert found == pytest.approx((mse, 10 * np.log10(1 / mse), np.mean(expected)))
  assert inversion.errors(images, images)[:2] == (0, np.inf)


def test_structural_similarity_is_scikit_images():
  metrics = pytest.importorskip('skimage.metrics', reason='needs scikit-image')
  noisy = np.clip(PHOTOS + np.random.default_rng(0).normal(0, 0.1, PHOTOS.shape), 0, 1)
  peer = [metrics.structural_similarity(a, b, data_range=1, channel_axis=-1) for a, b in zip(PHOTOS, noisy)]
  np.testing.assert_allclose(inversion.ssim(PHOTOS, noisy), peer, atol=1e-9)
  found = metrics.peak_signal_noise_ratio(PHOTOS, noisy, data_range=1)
  assert inversion.errors(PHOTOS, noisy).psnr == pytest.approx(found)


@pytest.mark.parametrize(
  ('words', 'sentence'),
  [
    (['evaluate.privacy=[member]'], r"There is no attack 'member' in evaluate\.privacy; did you mean 'mem"),
    (['evaluate.privacy=[inversion, inversion]'], r'evaluate\.privacy names inversion twice'),
    (['evaluate.privacy=[attributes]'], 'fake_8x8x1 does not say of its examples whom they are from'),
    (['evaluate.privacy=[membership]', 'augment.strong=none'], r'augment\.strong=none makes views that are'),
    (['evaluate.privacy=[inversion]', 'stress.shift=cutout(3)'], r'Under stress\.shift test images differ'),
    (
      ['dataset=fake_table', 'net=mlp', 'evaluate.privacy=[inversion]', 'augment={weak: none, strong: none}'],
      'Inversion is for images, and fake_table has rows of a table; leave inversion out of evaluate.privacy',
    ),
  ],
)
def test_an_attack_that_says_nothing_is_one_sentence(tmp_path, words, sentence):
  with pytest.raises(BadSetting, match=sentence):
    make_plan(load(write_configs(tmp_path) / 'supervised.yaml', words))


def trained(tmp_path, method, *words):
  protocol = 'evaluate: {every: 12, last: 1, bootstrap: 100}'
  plan = api.plan(load(write_configs(tmp_path, protocol) / f'{method}.yaml', words))
  return plan, api.train(plan)


def state_at_start(plan, fitted):
  """The state after zero steps, from its own call of the compiled program."""
  arrays = arrays_on_device(plan.dataset, len(plan.labeled))
  return fitted.program.init(np.uint32(plan.config.seed), arrays, fitted.numbers)[0]


@pytest.mark.slow
def test_a_trial_records_what_attacks_find(tmp_path):
  plan, fitted = trained(tmp_path, 'simclr', 'evaluate.privacy=[membership, inversion]', 'steps=30')
  found = api.evaluate(plan, fitted)['attacks']
  assert set(found) == {'membership', 'inversion'}
  dataset, count = plan.dataset, 80  # as many as there are test images
  pick = lambda n: np.sort(np.random.default_rng(0).choice(n, count, replace=False))
  members, others = dataset.train_images[pick(dataset.n_train)], dataset.test_images[pick(80)]
  states = {'auc': fitted.state, 'auc_untrained': state_at_start(plan, fitted)}
  see = lambda state, images: predict.observe(fitted.program, state, fitted.numbers, images).features
  whole = np.concatenate([members, others, members])[:256]  # a chunk, filled up from its beginning
  views = [predict.views(plan.config.augment['strong'], key, whole)[: 2 * count] for key in range(10)]
  for name, state in states.items():
    unit = np.stack([see(state, view) for view in views]).astype(float)
    unit /= np.linalg.norm(unit, axis=2, keepdims=True)
    cosines = np.einsum('vnd,wnd->nvw', unit, unit)[:, ~np.eye(10, dtype=bool)].mean(1)
    truth = np.arange(2 * count) < count
    assert found['membership'][name] == pytest.approx(roc_auc_score(truth, cosines), abs=1e-6)
  assert found['membership']['stream'] == 'unlabeled' and found['membership']['members'] == count
  assert found['membership']['tpr'] is None  # of 80 others, 1 % is less than one
  flat = lambda images: images.reshape(len(images), -1) / 255
  public = dataset.validation_images
  for who, state, images in (
    ('members', fitted.state, members),
    ('others', fitted.state, others),
    ('untrained', states['auc_untrained'], members),
  ):
    inputs = StandardScaler().fit(see(state, public).astype(float))
    inputs.scale_ = np.where(inputs.scale_ == 0, 1, inputs.scale_)
    alphas = [len(public) * l2 for l2 in inversion.L2]
    peer = RidgeCV(alphas=alphas).fit(inputs.transform(see(state, public).astype(float)), flat(public))
    made = np.clip(peer.predict(inputs.transform(see(state, images).astype(float))), 0, 1)
    assert found['inversion'][who]['mse'] == pytest.approx(np.mean((made - flat(images)) ** 2), rel=1e-5)
  mean = np.mean((flat(members) - flat(public).mean(0)) ** 2)
  assert found['inversion']['mean']['mse'] == pytest.approx(mean)
  assert found['inversion']['mean']['psnr'] == pytest.approx(-10 * np.log10(mean))


@pytest.mark.slow
def test_members_are_the_labeled_images_where_training_sees_no_other_and_a_speaker_is_told(tmp_path):
  words = ['dataset=fake_audio', 'augment={weak: none, strong: "gain_audio([-6, 6])"}', 'steps=12']
  plan, fitted = trained(tmp_path, 'supervised', *words, 'evaluate.privacy=[membership, attributes]')
  found, dataset = api.evaluate(plan, fitted)['attacks'], plan.dataset
  assert found['membership']['stream'] == 'labeled' and found['membership']['members'] == len(plan.labeled)
  chosen = Trained(plan, fitted).attacks.chosen
  assert sorted(chosen.positions) == sorted(plan.labeled)
  np.testing.assert_array_equal(chosen.members, dataset.train_images[chosen.positions])
  for name, state in (('balanced', fitted.state), ('untrained', state_at_start(plan, fitted))):
    look = partial(predict.observe, fitted.program, state, fitted.numbers)
    parts = (dataset.train_images, dataset.validation_images, dataset.test_images)
    train, validation, test = (look(images).features for images in parts)
    probe = linear_probe(train, dataset.train_groups, validation, dataset.validation_groups, 2)
    expected = balanced_accuracy_score(dataset.test_groups, probe.logits(test).argmax(1))
    assert found['attributes'][name] == pytest.approx(expected)
  assert found['attributes']['chance'] == 0.5 and found['attributes']['balanced'] > 0.7
