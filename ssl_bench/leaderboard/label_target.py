"""Labels to reach a target accuracy: read off a method's mean accuracies, and never beyond them."""

import math
from collections.abc import Mapping, Sequence

from ssl_bench.leaderboard.rows import Bounds, Budget, Mean, Row, Target
from ssl_bench.leaderboard.variants import canonical

ROUNDING = 1e-9  # by which equal accuracies may differ


def reaching(curve: Mapping[int, float], target: float) -> Bounds:
  """The number of labels from which on a curve stays at or above the target.

  Between two measured numbers of labels the curve is a line over the logarithm of labels.  Where every
  measured accuracy reaches the target, the fewest labels are an upper bound; where that with the most labels
  does not, these are a lower bound.

  Args:
    curve: labels -> mean accuracy in [0, 1]; one at least.
    target: accuracy in [0, 1].

  Example:
    >>> reaching({10: 0.5, 1000: 0.9}, 0.7)
    Bounds(low=100.0, high=100.0)
  """
  budgets = sorted(curve)
  below = [labels for labels in budgets if curve[labels] < target - ROUNDING]
  if not below:
    return Bounds(0.0, float(budgets[0]))
  before = below[-1]
  if before == budgets[-1]:
    return Bounds(float(before), math.inf)
  after = budgets[budgets.index(before) + 1]
  share = min(1.0, (target - curve[before]) / (curve[after] - curve[before]))
  labels = round(math.exp(math.log(before) + share * (math.log(after) - math.log(before))), 9)
  return Bounds(labels, labels)


def saved(own: Bounds, baseline: Bounds) -> Bounds:
  """How many times as many labels the baseline needs, as far as the bounds of both say."""
  low = baseline.low / own.high if math.isfinite(own.high) else 0.0
  return Bounds(low, baseline.high / own.low if own.low else math.inf)


def target_of(budgets: Sequence[Budget], baseline: str, asked: float | None = None) -> Target | None:
  """The target of a task: what is asked, or what the baseline reaches with its most labels.

  None where the baseline has no usual row, or where there is one number of labels and nothing is asked.
  """
  curve = {budget.labels: mean.value for budget in budgets if (mean := _usual(budget.rows, baseline))}
  if asked is None and (not curve or len(budgets) < 2):
    return None
  most = max(curve, default=0)
  return Target(curve[most] if asked is None else asked, None if asked is not None else most, curve)


def _usual(rows: Sequence[Row], method: str) -> Mean | None:
  return next((row.accuracy for row in rows if row.method == method and not row.variant), None)


def with_target(budgets: Sequence[Budget], target: Target | None) -> tuple[Budget, ...]:
  """The budgets, and in each ranked row the labels at which its method reaches the target."""
  if target is None:
    return tuple(budgets)
  curves: dict[tuple[str, str], dict[int, float]] = {}
  for budget in budgets:
    for row in budget.rows:
      if row.rank is not None and row.accuracy:
        curves.setdefault(_name(row), {})[budget.labels] = row.accuracy.value
  found = {name: reaching(curve, target.accuracy) for name, curve in curves.items()}
  base = reaching(target.curve, target.accuracy) if target.curve else None

  def added(row: Row) -> Row:
    own = found.get(_name(row)) if row.rank is not None else None
    return row._replace(to_target=own, saved=saved(own, base) if own and base else None)

  return tuple(budget._replace(rows=tuple(map(added, budget.rows))) for budget in budgets)


def _name(row: Row) -> tuple[str, str]:
  return row.method, canonical(row.variant)
