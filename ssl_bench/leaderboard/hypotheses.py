"""Hypothesis tests on plain arrays: Friedman, Nemenyi, exact Wilcoxon signed-rank, Holm's correction."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from ssl_bench.evaluation.ranks import midranks

Array = NDArray[np.float64]
FARTHEST = 9.0  # from 0, beyond which a standard normal value is not worth a sum
BISECTIONS = 60


class Friedman(NamedTuple):
  """Friedman's test of equal average ranks, and the F statistic of Iman and Davenport with its p-value."""

  ranks: tuple[float, ...]  # average rank of each column; 1 is the best
  chi2: float
  p: float
  f: float
  f_p: float


def friedman(values: ArrayLike) -> Friedman:
  """Friedman's test of [N, k] values, N blocks of k treatments of which higher values are better.

  chi2 = (k - 1) Σ_j (R_j - N (k + 1) / 2)² / (Σ_ij r_ij² - N k (k + 1)² / 4) with rank sums R_j, which is
  Demsar (2006, section 3.2.2) corrected for ties (Conover 1999, section 5.8); Iman and Davenport's
  F = (N - 1) chi2 / (N (k - 1) - chi2).  Raises ValueError unless N >= 2 and k >= 3.

  Example: `friedman([[3, 2, 1], [3, 2, 1]]).ranks` is (1.0, 2.0, 3.0).
  """
  values = np.asarray(values, np.float64)
  if values.ndim != 2 or values.shape[0] < 2 or values.shape[1] < 3:
    raise ValueError(f'a Friedman test needs 2 blocks and 3 treatments or more, not shape {values.shape}.')
  n, k = values.shape
  ranks = np.array([midranks(-block) for block in values])
  between = float(((ranks.sum(0) - n * (k + 1) / 2) ** 2).sum())
  within = float((ranks**2).sum()) - n * k * (k + 1) ** 2 / 4
  chi2 = (k - 1) * between / within if within > 0 else 0.0
  chi2 = min(chi2, float(n * (k - 1)))  # rounding may leave it a little above the largest value
  rest = n * (k - 1) - chi2
  f = (n - 1) * chi2 / rest if rest > 1e-9 * n * k else np.inf
  return Friedman(
    tuple(map(float, ranks.mean(0))),
    chi2,
    float(special.chdtrc(k - 1, chi2)),
    float(f),
    float(special.fdtrc(k - 1, (k - 1) * (n - 1), f)),
  )


@lru_cache(256)
def nemenyi_q(k: int, alpha: float = 0.05) -> float:
  """Critical value of Nemenyi's test of `k` treatments: Studentized range / √2 (Demsar 2006, table 5).

  With infinite degrees of freedom it is the range of k standard normal values, which is at most q with
  probability k ∫ φ(z) (Φ(z) - Φ(z - q))^(k - 1) dz.  `scipy.stats`, which has it, takes half a second to
  import.
  """
  low, high = 0.0, 2 * FARTHEST
  for _ in range(BISECTIONS):
    q = (low + high) / 2
    z, step = np.linspace(-FARTHEST, FARTHEST + q, 1001, retstep=True)
    density = np.exp(-(z**2) / 2) * (special.ndtr(z) - special.ndtr(z - q)) ** (k - 1)
    within = k * density.sum() * step / np.sqrt(2 * np.pi)
    low, high = (q, high) if within < 1 - alpha else (low, q)
  return float(high / np.sqrt(2))


def critical_difference(k: int, n: int, alpha: float = 0.05) -> float:
  """Difference of average ranks from which two of `k` treatments differ over `n` blocks.

  q_α √(k (k + 1) / (6 n)) (Demsar 2006, section 3.2.2).
  """
  return nemenyi_q(k, alpha) * float(np.sqrt(k * (k + 1) / (6 * n)))


def signed_rank(differences: ArrayLike) -> float:
  """Two-sided p-value of Wilcoxon's signed-rank test of [N] paired differences, exact also with ties.

  Differences of zero are dropped, equal sizes share their average rank, and the statistic is compared with
  its distribution over all 2^n signs (Wilcoxon 1945; Demsar 2006, section 3.1.3).  1 without any difference.
  At best it is 2 / 2^n: fewer than 6 differences never reach 0.05.

  Example: `signed_rank([1, 2, 3, 4, 5, 6])` is 0.03125.
  """
  whole = np.asarray(differences, np.float64)
  kept = whole[whole != 0]
  if not len(kept):
    return 1.0
  twice = np.rint(2 * midranks(np.abs(kept))).astype(int)  # ranks may end in one half
  chances = np.ones(1)
  for rank in twice:  # the sum of ranks with a plus, a rank more
    chances = (np.pad(chances, (0, rank)) + np.pad(chances, (rank, 0))) / 2
  above = int(twice[kept > 0].sum())
  lower, upper = chances[: above + 1].sum(), chances[above:].sum()
  return float(min(1.0, 2 * min(lower, upper)))


def holm(p: Sequence[float]) -> tuple[float, ...]:
  """p-values corrected for their number by Holm's step-down method (Holm 1979), in the order given.

  The i-th smallest of m, counted from 0, is multiplied by m - i; none falls below a smaller one; at most 1.

  Example: `holm([0.01, 0.04])` is (0.02, 0.04).
  """
  found, largest = [0.0] * len(p), 0.0
  for i, place in enumerate(sorted(range(len(p)), key=lambda i: (p[i], i))):
    largest = max(largest, min(1.0, (len(p) - i) * p[place]))
    found[place] = largest
  return tuple(found)


def paired_p(mean: float, half: float | None, n: int, level: float = 0.95) -> float | None:
  """Two-sided p-value of Student's t-test of a mean of `n` values with an interval of this half width.

  It is below 1 - level exactly where the interval leaves 0 out; None without an interval.
  """
  if half is None:
    return None
  if half == 0:
    return 1.0 if mean == 0 else 0.0
  t = abs(mean) / half * special.stdtrit(n - 1, (1 + level) / 2)
  return float(2 * special.stdtr(n - 1, -t))
