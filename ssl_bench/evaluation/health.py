"""What features [N, D] look like without any label: how far they spread, and over how many dimensions.

Compare these numbers between runs of one method only: they tell a broken run from a sound one, and do not
rank methods.  Features that are not finite give NaN, and the verdict `collapsed`.

Features are l2-normalized as torch's F.normalize does it, z / max(‖z‖, 1e-12): a row of zeros, which a dead
network gives, stays at the origin, at distance 0 from every other such row and 1 from the sphere.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma, gammaln

Array = NDArray[np.float64]

SMALL_STD, SMALL_RANK, MANY_ZEROS = 0.1, 0.05, 0.5
_SHORTEST = 1e-12  # F.normalize's: shorter rows do not reach the sphere
_ROWS = 2048  # measures over pairs look at no more rows than this
_CHUNK = 512


class Collapse(NamedTuple):
  """The verdict, and the sentence that says why."""

  collapsed: bool
  reason: str


def feature_std(features: ArrayLike) -> float:
  """Mean over dimensions of the std of l2-normalized features, times sqrt(D) (Chen & He 2021, fig. 2).

  1 is healthy (a uniform distribution on the sphere), 0 is complete collapse, rows of zeros alone among it.
  """
  points = _normalized(features)
  return float(points.std(0).mean() * math.sqrt(points.shape[1]))


def rankme(features: ArrayLike, centered: bool = False) -> float:
  """Effective number of dimensions, in [1, min(N, D)] (Garrido et al. 2023, arXiv 2210.02885, eq. 1).

  exp(-sum_k p_k log p_k) with p_k = sigma_k / sum sigma + 1e-7 over the singular values sigma of features.
  The paper does not center; `centered` subtracts the mean first, without which one large mean hides all else.
  0 where all singular values are 0.
  """
  points = _finite(features)
  if np.isnan(points).any():
    return math.nan
  if centered:
    points = points - points.mean(0)
  sigma = np.sqrt(_spectrum(points))
  if sigma.sum() == 0:
    return 0.0
  p = sigma / sigma.sum() + 1e-7
  return float(np.exp(-(p * np.log(p)).sum()))


def embedding_entropy(features: ArrayLike) -> float:
  """Differential entropy of l2-normalized features on the unit sphere, in nats (Kozachenko & Leonenko 1987).

      H = (D - 1) mean_i log rho_i + log V_{D-1} + psi(N) - psi(1),   V_m = pi^{m/2} / Gamma(m/2 + 1)

  rho_i is the distance to the nearest other row, D - 1 the dimension of the sphere, V_m the volume of the
  unit ball in m dimensions.  At most the log of the sphere's area, log(2 pi^{D/2} / Gamma(D/2)), up to the
  estimator's error.  rho_i is at least 1e-8 (the rounding of the distance), so duplicates (rows of zeros too)
  give a low number and not minus infinity.  Over at most 2,048 rows, drawn by a fixed seed.  N >= 2.
  """
  points = _sample(_normalized(features))
  n, m = len(points), points.shape[1] - 1
  nearest = np.concatenate([np.min(block, -1) for block in _squared_distances(points)])
  rho = np.maximum(np.sqrt(nearest), 1e-8)
  log_volume = m / 2 * math.log(math.pi) - gammaln(m / 2 + 1)
  return float(m * np.log(rho).mean() + log_volume + digamma(n) - digamma(1))


def alignment(a: ArrayLike, b: ArrayLike) -> float:
  """Mean squared distance of two views' l2-normalized features [N, D] (Wang & Isola 2020, eq. 4, alpha 2).

  In [0, 4]; 0 where both views have the same features, 2 where they are orthogonal.
  """
  return float(((_normalized(a) - _normalized(b)) ** 2).sum(-1).mean())


def uniformity(features: ArrayLike, t: float = 2.0) -> float:
  """log mean_{i != j} exp(-t ||z_i - z_j||^2) of l2-normalized features (Wang & Isola 2020, eq. 5).

  In [-4 t, 0]; 0 is collapse, onto a point of the sphere or the origin; lower is more uniform, -2 t where all
  pairs are orthogonal.  Over at most 2,048 rows, drawn by a fixed seed.  N >= 2.
  """
  points = _sample(_normalized(features))
  n = len(points)
  total = sum(np.exp(-t * block).sum() for block in _squared_distances(points))
  return float(np.log(total / (n * (n - 1))))


def alpha_req(features: ArrayLike) -> float:
  """Decay of the spectrum: minus the slope of log λ_j on log j, j = 1, 2, … (Agrawal et al. 2022), >= 0.

  λ are the eigenvalues of the covariance of features, the largest first, which the paper finds to follow a
  power law j^-α.  The least-squares fit is over those above 1e-6 λ_1, which float32 can carry; that choice is
  ours.  A small α is a flat spectrum.  NaN where fewer than two eigenvalues are left.
  """
  points = _finite(features)
  if np.isnan(points).any():
    return math.nan
  eigenvalues = _spectrum(points - points.mean(0))[::-1]
  kept = eigenvalues[eigenvalues > 1e-6 * eigenvalues[0]]
  if len(kept) < 2:
    return math.nan
  return float(-np.polyfit(np.log(np.arange(1, len(kept) + 1)), np.log(kept), 1)[0])


def lidar(views: ArrayLike) -> float:
  """LiDAR: effective rank of Σ_w^(-1/2) Σ_b Σ_w^(-1/2) (Thilak et al. 2023, arXiv 2312.04000), >= 0.

  views [q, n, d] are features of q views of n images, and every image is a class of its own: Σ_b is the
  covariance [d, d] of the images' means, Σ_w that of views around them, plus δ on its diagonal.  Effective
  rank as in `rankme`, of the eigenvalues.  So a direction counts by how much it differs between images in
  units of what augmentation does to it, and noise that RankMe counts does not.  δ is 1e-4 of the mean
  variance of a feature, ours, so that the unit of the features does not matter.  At most min(d, n - 1).
  0 where no feature varies, NaN where one is not finite.  The paper takes 1,000 images and 50 views.
  """
  views = _finite(views)
  if np.isnan(views).any():
    return math.nan
  q, n, width = views.shape
  means = views.mean(0)
  between, within = means - means.mean(0), (views - means).reshape(q * n, width)
  variance = ((between**2).sum() / n + (within**2).sum() / (q * n)) / width
  if variance == 0:
    return 0.0
  root = np.linalg.cholesky(within.T @ within / (q * n) + 1e-4 * variance * np.eye(width))
  eigenvalues = _spectrum(scipy.linalg.solve_triangular(root, between.T, lower=True))
  if eigenvalues.sum() == 0:
    return 0.0
  p = eigenvalues / eigenvalues.sum()
  return float(np.exp(-(p * np.log(np.where(p > 0, p, 1))).sum()))


def collapse(features: ArrayLike) -> Collapse:
  """Whether features [N, D] have collapsed, and why.

  They have where a value is not finite, std x sqrt(D) < 0.1, at least half of the rows are zeros, or RankMe <
  0.05 min(N, D).  RankMe is the centered one: a common mean is no collapse as long as features vary around
  it, and where they do not, the first test says so.
  """
  features = np.asarray(features, np.float64)
  wrong = features.size - int(np.isfinite(features).sum())
  if wrong:
    return Collapse(True, f'{wrong:,} of {features.size:,} feature values are not finite.')
  std, rank, full = feature_std(features), rankme(features, centered=True), min(features.shape)
  seen = f'std × √d is {std:.3g} (1 is healthy), centered RankMe {rank:.3g} of {full}'
  if std < SMALL_STD:
    return Collapse(True, f'Features hardly differ between images: {seen}.')
  dead = int((np.linalg.norm(features, axis=1) < _SHORTEST).sum())
  if dead >= MANY_ZEROS * len(features):
    return Collapse(True, f'Features of {dead:,} of {len(features):,} images are all zero: {seen}.')
  if rank < SMALL_RANK * full:
    return Collapse(True, f'Features vary along a few directions only: {seen}.')
  return Collapse(False, f'Features are spread out: {seen}.')


def _spectrum(points: Array) -> Array:
  """The squared singular values [min(N, D)] of points [N, D], the smallest first; none below 0."""
  gram = points.T @ points if len(points) >= points.shape[1] else points @ points.T
  return np.maximum(np.linalg.eigvalsh(gram), 0)


def _finite(features: ArrayLike) -> Array:
  """float64, all NaN if any value is not finite."""
  features = np.asarray(features, np.float64)
  return features if np.isfinite(features).all() else np.full_like(features, np.nan)


def _sample(points: Array) -> Array:
  if len(points) <= _ROWS:
    return points
  return points[np.sort(np.random.default_rng(0).choice(len(points), _ROWS, replace=False))]


def _normalized(features: ArrayLike) -> Array:
  """Rows divided by their Euclidean length or 1e-12, the larger; all NaN if any value is not finite."""
  points = _finite(features)
  return points / np.maximum(np.linalg.norm(points, axis=-1, keepdims=True), _SHORTEST)


def _squared_distances(points: Array) -> Iterator[Array]:
  """Blocks [rows, N] of the squared distances of every pair, at least 0; inf where a row meets itself."""
  squares = (points**2).sum(-1)
  for start in range(0, len(points), _CHUNK):
    mine = slice(start, start + _CHUNK)
    block = squares[mine, None] + squares - 2 * points[mine] @ points.T
    block = np.maximum(block, 0)
    rows = np.arange(len(block))
    block[rows, start + rows] = np.inf
    yield block
