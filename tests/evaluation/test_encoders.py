"""Drift of an encoder against SciPy and plain formulas, and the verdict on a head."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import linalg, stats
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from ssl_bench.evaluation.drift import encoders
from ssl_bench.evaluation.probes import Features
from ssl_bench.settings.signature import BadSetting


def random_rotation(d, seed=0):
  return stats.ortho_group.rvs(d, random_state=seed)


def pair(n=60, d=5, e=5, noise=0.5):
  rng = np.random.default_rng(1)
  a = rng.normal(size=(n, d)) * np.arange(1, d + 1) + 3
  b = a @ rng.normal(size=(d, e)) + noise * rng.normal(size=(n, e)) - 1
  return a, b


@pytest.mark.parametrize('e', [5, 3])
def test_cka_is_the_hilbert_schmidt_independence_criterion_of_gram_matrices(e):
  a, b = pair(e=e)
  n = len(a)
  center = np.eye(n) - np.full((n, n), 1 / n)
  hsic = lambda k, l: np.trace(k @ center @ l @ center) / (n - 1) ** 2
  k, l = a @ a.T, b @ b.T
  assert encoders.linear_cka(a, b) == pytest.approx(hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l)))
  assert encoders.linear_cka(a, 7 * a @ random_rotation(5) + 2) == pytest.approx(1)
  assert np.isnan(encoders.linear_cka(a, np.ones((n, 2))))


def test_procrustes_is_scipys():
  a, b = pair()
  x, y = (part - part.mean(0) for part in (a, b))
  x, y = x / np.linalg.norm(x), y / np.linalg.norm(y)
  turn, _ = linalg.orthogonal_procrustes(x, y)
  assert encoders.procrustes(a, b) == pytest.approx(np.linalg.norm(x @ turn - y) ** 2)
  assert encoders.procrustes(a, 7 * a @ random_rotation(5) + 2) == pytest.approx(0, abs=1e-9)
  assert np.isnan(encoders.procrustes(a, np.ones((60, 5))))
  theirs, _ = linalg.orthogonal_procrustes(a - a.mean(0), b - b.mean(0))
  np.testing.assert_allclose(encoders.rotation(a, b).matrix, theirs, atol=1e-9)
  np.testing.assert_allclose(encoders.rotation(a, b)(a), (a - a.mean(0)) @ theirs + b.mean(0), atol=1e-9)


def test_features_of_another_width_are_filled_up_with_zeros():
  a, b = pair(e=3)
  filled = np.column_stack([b, np.zeros((60, 2))])
  assert encoders.procrustes(a, b) == pytest.approx(encoders.procrustes(a, filled))
  np.testing.assert_allclose(encoders.rotation(a, b)(a), encoders.rotation(a, filled)(a)[:, :3], atol=1e-9)


def test_sets_of_other_images_are_refused():
  with pytest.raises(BadSetting, match='of the same images; there are 60 and 59 rows'):
    encoders.linear_cka(pair()[0], pair()[1][:59])


@pytest.fixture(scope='module')
def trial():
  """Features of three classes that overlap a little, and their labels."""
  rng = np.random.default_rng(0)
  means = 3 * rng.normal(size=(3, 6))
  labels = {part: rng.integers(3, size=size).astype('int32') for part, size in PARTS.items()}
  seen = Features(*(means[labels[part]] + rng.normal(size=(PARTS[part], 6)) for part in PARTS))
  named = {f'{part}_labels': own for part, own in labels.items()}
  return seen, SimpleNamespace(classes=3, **named)


PARTS = {'train': 300, 'validation': 200, 'test': 2000}


def changed(seen, change):
  return Features(*map(change, seen))


def test_a_head_stays_on_the_same_features_and_behind_the_rotation_of_turned_ones(trial):
  seen, dataset = trial
  same = encoders.head(seen, seen, dataset)
  assert same.verdict == 'keep' and same.old == same.as_is == same.refitted and same.change == (0, 0)
  turned = encoders.head(seen, changed(seen, lambda x: x @ random_rotation(6) + 4), dataset)
  assert turned.verdict == 'rotate' and turned.rotated == turned.old > turned.as_is + 0.1
  assert turned.refitted == pytest.approx(turned.old, abs=0.01)
  narrow = encoders.head(seen, changed(seen, lambda x: x[:, :5]), dataset)
  assert narrow.as_is is None and narrow.change is None


def test_a_head_is_fitted_again_where_the_features_are_others(trial):
  seen, dataset = trial
  rng = np.random.default_rng(5)
  found = encoders.head(seen, changed(seen, lambda x: rng.normal(size=x.shape)), dataset)
  assert found.verdict == 'refit' and found.rotated < 0.5


def test_its_numbers_are_those_of_scikit_learn_and_scipy(trial):
  """The old head by scikit-learn at the chosen penalty, the rotation by SciPy, the interval by Student."""
  seen, dataset = trial
  new = changed(seen, lambda x: np.tanh(x) @ random_rotation(6, 2))
  found = encoders.head(seen, new, dataset)
  scaler = StandardScaler().fit(seen.train)
  l2 = encoders.with_all_labels(seen, dataset).l2
  model = LogisticRegression(C=1 / (300 * l2), tol=1e-10, max_iter=5000)
  model.fit(scaler.transform(seen.train), dataset.train_labels)
  right = lambda features: model.predict(scaler.transform(features)) == dataset.test_labels
  turn, _ = linalg.orthogonal_procrustes(new.train - new.train.mean(0), seen.train - seen.train.mean(0))
  turned = (new.test - new.train.mean(0)) @ turn + seen.train.mean(0)
  expected = right(seen.test).mean(), right(new.test).mean(), right(turned).mean()
  np.testing.assert_allclose((found.old, found.as_is, found.rotated), expected, atol=1e-3)
  change = right(turned).astype(float) - right(seen.test)
  low, high = stats.t.interval(0.95, len(change) - 1, change.mean(), stats.sem(change))
  assert found.change_rotated.mean == pytest.approx(change.mean(), abs=1e-3)
  assert found.change_rotated.half_width == pytest.approx((high - low) / 2, rel=0.05)


def test_a_margin_is_what_a_head_may_lose(trial):
  """Features whose head loses about three points: within a margin of ten, not of one."""
  seen, dataset = trial
  rng = np.random.default_rng(0)
  noisy = changed(seen, lambda x: x + 1.5 * rng.normal(size=x.shape))
  found = encoders.head(seen, noisy, dataset)
  assert found.verdict == 'refit' and 0.01 < found.old - found.as_is < 0.08
  assert encoders.head(seen, noisy, dataset, margin=0.1).verdict == 'keep'
  with pytest.raises(BadSetting, match='Features of the test part must be finite, for each of its 2000'):
    encoders.head(seen, seen._replace(test=seen.test[1:]), dataset)
