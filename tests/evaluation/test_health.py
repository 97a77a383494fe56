"""Health of features against closed forms and plain loops."""

import numpy as np
import pytest
from scipy.linalg import fractional_matrix_power
from scipy.special import digamma, gammaln
from scipy.stats import entropy, linregress
from sklearn.decomposition import PCA

from ssl_bench.evaluation import health


def gaussian(n=1000, d=16, seed=0):
  return np.random.default_rng(seed).normal(size=(n, d))


def test_std_is_one_on_the_uniform_sphere_and_zero_in_collapse():
  assert health.feature_std(gaussian(5000, 32)) == pytest.approx(1, abs=0.02)
  assert health.feature_std(np.ones((10, 4))) == pytest.approx(0, abs=1e-12)
  assert health.feature_std(100 * gaussian()) == pytest.approx(health.feature_std(gaussian()))


def test_rankme_of_orthonormal_features_is_their_dimension_and_of_one_direction_one():
  orthonormal = np.linalg.qr(gaussian(50, 8))[0]
  assert health.rankme(orthonormal) == pytest.approx(8, abs=1e-4)
  assert health.rankme(orthonormal.T) == pytest.approx(8, abs=1e-4)
  assert health.rankme(np.outer(np.arange(1, 9), np.arange(1, 6))) == pytest.approx(1, abs=1e-4)
  assert health.rankme(np.zeros((5, 3))) == 0


@pytest.mark.parametrize('shape', [(200, 16), (10, 30)])
def test_rankme_is_the_papers_formula(shape):
  features = gaussian(*shape) * np.geomspace(1, 0.01, shape[1]) + 3
  sigma = np.linalg.svd(features, compute_uv=False)
  p = sigma / sigma.sum() + 1e-7
  assert health.rankme(features) == pytest.approx(np.exp(-np.sum(p * np.log(p))), rel=1e-5)
  assert health.rankme(features) == pytest.approx(np.exp(entropy(sigma)), rel=1e-3)
  centered = np.linalg.svd(features - features.mean(0), compute_uv=False)
  assert health.rankme(features, centered=True) == pytest.approx(np.exp(entropy(centered)), rel=1e-3)


def test_a_common_mean_hides_the_rank_unless_centered():
  features = gaussian() + 50
  assert health.rankme(features) < 3
  assert health.rankme(features, centered=True) == pytest.approx(health.rankme(gaussian()), rel=0.01)


@pytest.mark.parametrize('d', [2, 3, 4])
def test_entropy_of_the_uniform_sphere_is_the_log_of_its_area(d):
  area = np.log(2) + d / 2 * np.log(np.pi) - gammaln(d / 2)
  found = [health.embedding_entropy(gaussian(2000, d, seed)) for seed in range(4)]
  assert np.mean(found) == pytest.approx(area, abs=0.06)


def test_entropy_of_an_arc_is_the_log_of_its_length():
  angles = np.random.default_rng(0).uniform(0, 0.5, 2000)
  found = health.embedding_entropy(np.stack([np.cos(angles), np.sin(angles)], -1))
  assert found == pytest.approx(np.log(0.5), abs=0.06)


def test_duplicates_lower_the_entropy_and_keep_it_finite():
  features = gaussian(100, 8)
  twice = health.embedding_entropy(np.concatenate([features, features]))
  assert np.isfinite(twice)
  assert twice < health.embedding_entropy(features)
  assert np.isfinite(health.embedding_entropy(np.ones((50, 8))))


def test_alignment_and_uniformity_equal_plain_loops():
  a, b = gaussian(40, 6), gaussian(40, 6, seed=1)
  z, w = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
  assert health.alignment(a, b) == pytest.approx(np.mean([np.sum((p - q) ** 2) for p, q in zip(z, w)]))
  pairs = [np.exp(-2 * np.sum((z[i] - z[j]) ** 2)) for i in range(40) for j in range(40) if i != j]
  assert health.uniformity(a) == pytest.approx(np.log(np.mean(pairs)))


def test_alignment_and_uniformity_at_their_ends():
  assert health.alignment(gaussian(), 3 * gaussian()) == pytest.approx(0, abs=1e-12)
  assert health.alignment(gaussian(), -gaussian()) == pytest.approx(4)
  assert health.uniformity(np.ones((9, 4))) == pytest.approx(0, abs=1e-12)
  assert health.uniformity(np.eye(9)) == pytest.approx(-4)


def half_dead(features):
  """Every other row, and every other dimension, of zeros."""
  rows, dimensions = features.copy(), features.copy()
  rows[::2], dimensions[:, ::2] = 0, 0
  return rows, dimensions


def test_dead_features_are_a_point_and_no_sphere():
  """A row of zeros coincides with every other one: by plain loops over what F.normalize gives."""
  features = gaussian(60, 16)
  z = half_dead(features)[0]
  z = z / np.maximum(np.sqrt((z**2).sum(1)), 1e-12)[:, None]
  squared = np.array([[((p - q) ** 2).sum() for q in z] for p in z])
  away = ~np.eye(60, dtype=bool)
  rows = half_dead(features)[0]
  assert health.uniformity(rows) == pytest.approx(np.log(np.exp(-2 * squared[away]).mean()))
  nearest = np.where(away, squared, np.inf).min(1)
  assert (nearest[::2] == 0).all() and (nearest[1::2] > 0).all()
  rho = np.maximum(np.sqrt(nearest), 1e-8)
  sphere = 7.5 * np.log(np.pi) - gammaln(8.5) + digamma(60) - digamma(1)
  assert health.embedding_entropy(rows) == pytest.approx(15 * np.log(rho).mean() + sphere)
  assert health.uniformity(0 * features) == 0
  assert health.feature_std(0 * features) == 0
  assert health.embedding_entropy(0 * features) == pytest.approx(15 * np.log(1e-8) + sphere)
  assert health.alignment(features, 0 * features) == pytest.approx(1)


@pytest.mark.parametrize('live', [gaussian(400, 16), np.maximum(gaussian(400, 64), 0)], ids=['plain', 'relu'])
def test_what_is_half_dead_looks_worse_than_what_lives_and_better_than_what_is_dead(live):
  for broken in half_dead(live):
    for lower_is_better, measure in (
      (True, health.uniformity),
      (False, health.embedding_entropy),
      (False, health.feature_std),
    ):
      values = [measure(live), measure(broken), measure(0 * live)]
      assert values == sorted(values, reverse=not lower_is_better), measure.__name__


def test_many_rows_are_sampled_in_the_same_way_each_time(monkeypatch):
  features = gaussian(6000, 4)
  first = health.uniformity(features), health.embedding_entropy(features)
  assert first == (health.uniformity(features), health.embedding_entropy(features))
  monkeypatch.setattr(health, '_ROWS', 6000)
  assert health.uniformity(features) == pytest.approx(first[0], abs=0.02)
  assert health.embedding_entropy(features) == pytest.approx(first[1], abs=0.1)


def test_healthy_features_are_not_flagged():
  for features in (gaussian(), np.maximum(gaussian(400, 64), 0), gaussian(20, 512), gaussian() + 3):
    collapsed, reason = health.collapse(features)
    assert not collapsed, reason
  assert reason.startswith('Features are spread out: std × √d is 0.')


@pytest.mark.parametrize('features, reason', [
  (np.zeros((50, 8)), 'hardly differ'),
  (np.ones((50, 8)) + 1e-3 * gaussian(50, 8), 'hardly differ'),
  (np.outer(gaussian(50, 1), gaussian(1, 64)), 'few directions'),
  (gaussian(200, 2) @ gaussian(2, 64), 'few directions'),
  (gaussian(50, 8) * (np.arange(50) % 2)[:, None], 'of 25 of 50 images are all zero'),
  (1e-15 * gaussian(50, 8), 'hardly differ'),
  (np.where(np.eye(8) > 0, np.nan, 1), '8 of 64 feature values are not finite'),
  (np.full((2, 2), np.inf), '4 of 4'),
])  # fmt: skip
def test_collapsed_features_are_flagged_with_the_reason(features, reason):
  collapsed, said = health.collapse(features)
  assert collapsed
  assert reason in said


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_features_that_are_not_finite_give_nan(bad):
  features = gaussian(20, 4)
  features[3, 1] = bad
  measures = (health.feature_std, health.rankme, health.embedding_entropy, health.uniformity)
  assert np.isnan([measure(features) for measure in measures]).all()
  assert np.isnan(health.alignment(features, gaussian(20, 4)))


@pytest.mark.parametrize('alpha', [0.5, 1.0, 2.0])
def test_alpha_is_the_exponent_of_a_planted_power_law(alpha):
  """Orthogonal columns of variances j^-alpha; then the fit of SciPy on the spectrum of scikit-learn."""
  centered = gaussian(400, 24) - gaussian(400, 24).mean(0)
  columns = np.linalg.qr(centered)[0] * np.arange(1, 25.0) ** (-alpha / 2)
  assert health.alpha_req(columns + 7) == pytest.approx(alpha, rel=1e-6)
  features = gaussian(300, 20) @ gaussian(20, 20, 1)
  spectrum = PCA().fit(features).explained_variance_
  fitted = linregress(np.log(np.arange(1, 21)), np.log(spectrum))
  assert health.alpha_req(features) == pytest.approx(-fitted.slope, rel=1e-6)


def test_a_spectrum_of_one_direction_has_no_decay_and_rounding_is_no_direction():
  assert np.isnan(health.alpha_req(np.outer(np.arange(9.0), np.arange(1, 4))))
  assert np.isnan(health.alpha_req(np.ones((9, 3)))) and np.isnan(health.alpha_req([[np.nan, 1], [1, 2]]))
  tiny = gaussian(200, 6) * [1, 1, 1, 1, 1, 1e-5]
  assert health.alpha_req(tiny) == pytest.approx(health.alpha_req(tiny[:, :5]), rel=1e-3)


def lidar_in_loops(views):
  """The paper's definition: scatter by loops, an explicit inverse square root, and SciPy's entropy."""
  q, n, d = views.shape
  means, between, within = views.mean(0), np.zeros((d, d)), np.zeros((d, d))
  for i in range(n):
    off = means[i] - means.mean(0)
    between += np.outer(off, off) / n
    for j in range(q):
      own = views[j, i] - means[i]
      within += np.outer(own, own) / (n * q)
  within += 1e-4 * np.trace(between + within) / d * np.eye(d)
  half = fractional_matrix_power(within, -0.5)
  return np.exp(entropy(np.linalg.eigvalsh(half @ between @ half).clip(0)))


def test_lidar_is_the_papers_definition_and_has_no_unit():
  rng = np.random.default_rng(2)
  views = gaussian(60, 6) * [3, 2, 1, 1, 0.5, 0.1] + 0.4 * rng.normal(size=(5, 60, 6)) + 3
  assert health.lidar(views) == pytest.approx(lidar_in_loops(views), rel=1e-6)
  assert health.lidar(1e3 * views) == pytest.approx(health.lidar(views), rel=1e-6)


def test_lidar_does_not_count_what_augmentation_changes():
  """Two directions differ between images; in six others only views differ, which RankMe counts as well."""
  rng = np.random.default_rng(3)
  views = np.zeros((20, 300, 8))
  views[:, :, :2] = rng.normal(size=(300, 2)) + 0.1 * rng.normal(size=(20, 300, 2))
  views[:, :, 2:] = rng.normal(size=(20, 300, 6))
  assert health.lidar(views) == pytest.approx(2, abs=0.1) and health.rankme(views[0]) > 7


def test_lidar_of_collapsed_and_of_broken_features():
  assert health.lidar(np.ones((3, 8, 4))) == 0
  assert health.lidar(np.random.default_rng(0).normal(size=(4, 1, 3))) == 0  # one image differs from none
  assert np.isnan(health.lidar(np.full((2, 3, 4), np.inf)))
