"""Methods compared over tasks: average ranks, and which of them are separable."""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from ssl_bench.leaderboard.complete import Scores
from ssl_bench.leaderboard.hypotheses import critical_difference, friedman, holm, signed_rank

ALPHA = 0.05


class Pairwise(NamedTuple):
  """Two methods over all tasks: their mean difference in accuracy, and Wilcoxon's p-value, also corrected."""

  first: str
  second: str
  difference: float  # mean over tasks of first - second
  p: float
  holm: float  # over all pairs


class Blocks(NamedTuple):
  """Friedman's test once more with one block a dataset: accuracies averaged over its budgets."""

  datasets: int
  p: float  # of Iman and Davenport's F


class Comparison(NamedTuple):
  """Methods over tasks, from the best average rank to the worst."""

  methods: tuple[str, ...]
  ranks: tuple[float, ...]  # average over tasks; 1 is the best
  tasks: int
  chi2: float  # Friedman's, corrected for ties
  p: float
  f: float  # of Iman and Davenport
  f_p: float
  critical: float  # Nemenyi's critical difference of average ranks at 5 %
  cliques: tuple[tuple[str, ...], ...]  # maximal runs of methods that Nemenyi's test does not separate
  pairs: tuple[Pairwise, ...]
  pair_cliques: tuple[tuple[str, ...], ...]  # the same by Wilcoxon's tests, corrected by Holm
  by_dataset: Blocks | None  # None below 3 datasets


def compare(scores: Scores) -> Comparison:
  """Friedman's test, Nemenyi's critical difference and all pairs by Wilcoxon with Holm's correction.

  Demsar, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7 (2006), sections 3.1.3 and
  3.2.  Ranks of a task are those of mean accuracies over splits, equal ones sharing their average rank.
  Pairs are also tested by Wilcoxon's signed ranks, whose verdict on two methods does not depend on the others
  (Benavoli, Corani and Mangili, JMLR 17 (2016)).
  """
  means = scores.means()
  tested = friedman(means)
  order = sorted(range(len(scores.methods)), key=lambda i: (tested.ranks[i], scores.methods[i]))
  methods = tuple(scores.methods[i] for i in order)
  ranks = tuple(tested.ranks[i] for i in order)
  critical = critical_difference(len(methods), len(means), ALPHA)
  pairs = _pairs(methods, means[:, order])
  separable = {(pair.first, pair.second) for pair in pairs if pair.holm < ALPHA}
  return Comparison(
    methods,
    ranks,
    len(means),
    tested.chi2,
    tested.p,
    tested.f,
    tested.f_p,
    critical,
    _cliques(methods, lambda i, j: ranks[j] - ranks[i] < critical),
    pairs,
    _cliques(methods, lambda i, j: (methods[i], methods[j]) not in separable),
    _by_dataset(scores, means),
  )


def _pairs(methods: Sequence[str], means: np.ndarray) -> tuple[Pairwise, ...]:
  """All pairs, the one with the better rank first."""
  places = list(combinations(range(len(methods)), 2))
  # Accuracies are counts over test sets: what differs only by rounding is a tie.
  differences = [np.round(means[:, i] - means[:, j], 12) for i, j in places]
  p = [signed_rank(d) for d in differences]
  return tuple(
    Pairwise(methods[i], methods[j], float(d.mean()), one, corrected)
    for (i, j), d, one, corrected in zip(places, differences, p, holm(p))
  )


def _cliques(methods: Sequence[str], together: Callable[[int, int], bool]) -> tuple[tuple[str, ...], ...]:
  """Maximal runs of neighbors in rank of which all pairs are `together`, two methods at least."""
  found: list[tuple[int, int]] = []
  for start in range(len(methods)):
    end = start
    while end + 1 < len(methods) and all(together(i, end + 1) for i in range(start, end + 1)):
      end += 1
    if end > start and (not found or end > found[-1][1]):
      found.append((start, end))
  return tuple(tuple(methods[start : end + 1]) for start, end in found)


def _by_dataset(scores: Scores, means: np.ndarray) -> Blocks | None:
  """Budgets of one dataset are nested and share their splits, so they are no independent blocks."""
  names = scores.datasets
  if len(names) < 3:
    return None
  of_dataset = [[task.dataset == name for task in scores.tasks] for name in names]
  averaged = np.array([means[np.array(mine)].mean(0) for mine in of_dataset])
  return Blocks(len(names), friedman(averaged).f_p)
