"""A complete table of methods by tasks, which comparisons over several data sets need."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ssl_bench.evaluation.intervals import FEWEST
from ssl_bench.leaderboard.aggregate import BASELINE
from ssl_bench.leaderboard.rows import Board, Row
from ssl_bench.leaderboard.statistics import values

LEAST_METHODS = 3  # below, there is nothing to correct for
LEAST_TASKS = 6  # below, no two-sided signed-rank test reaches 5 %
RULE = (
  f'Rows with the usual settings of their method, ranked, over {FEWEST} splits or more. '
  f'{BASELINE} comes first; then, one by one, the method that leaves the most tasks on which all have a '
  f'result; of these tables, that with the most numbers, with {LEAST_METHODS} methods and {LEAST_TASKS} '
  'tasks at least, and of equal ones that with more methods.'
)


class Task(NamedTuple):
  """One dataset at one number of labels."""

  dataset: str
  labels: int


class Scores(NamedTuple):
  """Accuracies of methods on tasks under one protocol, without a gap.

  `accuracy[i][j]` has the accuracy of method i on task j in each split: split -> accuracy in [0, 1], seeds of
  one split averaged.
  """

  protocol: str
  methods: tuple[str, ...]
  tasks: tuple[Task, ...]
  accuracy: tuple[tuple[Mapping[str, float], ...], ...]
  seeds: int  # trials in the whole table
  left_out: tuple[tuple[str, int], ...]  # (method, its tasks) of those that are not in the table
  tasks_left_out: int

  @property
  def splits(self) -> tuple[int, int]:
    """The fewest and the most splits of a cell."""
    sizes = [len(cell) for row in self.accuracy for cell in row]
    return min(sizes), max(sizes)

  @property
  def datasets(self) -> tuple[str, ...]:
    return tuple(dict.fromkeys(task.dataset for task in self.tasks))

  def means(self) -> np.ndarray:
    """Mean accuracy over splits [tasks, methods]."""
    return np.array([[np.mean(list(cell.values())) for cell in row] for row in self.accuracy]).T


def protocols(board: Board) -> tuple[str, ...]:
  """The protocols of a board, as its sections have them."""
  return tuple(dict.fromkeys(section.protocol for section in board.sections))


def complete(board: Board, protocol: str) -> Scores | None:
  """The scores of a protocol, by `RULE`; None where fewer than 3 methods or 6 tasks are left."""
  found = _rows(board, protocol)
  chosen = _chosen({name: frozenset(rows) for name, rows in found.items()})
  if not chosen:
    return None
  common = sorted(frozenset.intersection(*(frozenset(found[name]) for name in chosen)))
  names = tuple(sorted(chosen, key=lambda name: (name != BASELINE, name)))
  rows = [[found[name][task] for task in common] for name in names]
  return Scores(
    protocol,
    names,
    tuple(common),
    tuple(tuple(_by_split(row) for row in line) for line in rows),
    sum(row.measures['accuracy'].seeds.total for line in rows for row in line),
    tuple(sorted((name, len(found[name])) for name in found if name not in names)),
    len({task for of_method in found.values() for task in of_method}) - len(common),
  )


def _rows(board: Board, protocol: str) -> dict[str, dict[Task, Row]]:
  """method -> task -> its row with usual settings, where it is ranked over enough splits."""
  found: dict[str, dict[Task, Row]] = {}
  for section in board.sections:
    for budget in section.budgets if section.protocol == protocol else ():
      for row in budget.rows:
        if not row.variant and row.rank is not None and row.accuracy and row.accuracy.n >= FEWEST:
          found.setdefault(row.method, {})[Task(section.dataset, budget.labels)] = row
  return found


def _chosen(tasks: Mapping[str, frozenset[Task]]) -> tuple[str, ...]:
  """The methods of the table that `RULE` keeps."""
  left = dict(tasks)
  chosen: list[str] = []
  common: frozenset[Task] = frozenset[Task]().union(*tasks.values())
  best: tuple[int, int] = (0, 0)
  kept: tuple[str, ...] = ()
  while left:
    now = common
    name = min(left, key=lambda m: (bool(chosen) or m != BASELINE, -len(now & left[m]), -len(left[m]), m))
    common &= left.pop(name)
    chosen.append(name)
    size = len(chosen) * len(common), len(chosen)
    if len(chosen) >= LEAST_METHODS and len(common) >= LEAST_TASKS and size >= best:
      best, kept = size, tuple(chosen)
  return kept


def _by_split(row: Row) -> dict[str, float]:
  """Split -> accuracy, the mean over its seeds; in the order of split seeds."""
  found: dict[str, list[float]] = {}
  for pair, value in values(row.trials, 'accuracy').items():
    found.setdefault(pair.group, []).append(value)
  return {split: sum(own) / len(own) for split, own in found.items()}
