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
  f'Rows with the usual settings of their method, ranked. {BASELINE} comes first; then, one by one, the '
  f'method that leaves the most tasks on which all share {FEWEST} splits or more; of these tables, that with '
  f'the most numbers, with {LEAST_METHODS} methods and {LEAST_TASKS} tasks at least, and of equal ones that '
  'with more methods. Only splits that all methods of the table share on a task are in it.'
)

Splits = Mapping[str, float]  # split -> accuracy in [0, 1], the mean over its seeds


class Task(NamedTuple):
  """One dataset at one number of labels."""

  dataset: str
  labels: int


class Scores(NamedTuple):
  """Accuracies of methods on tasks under one protocol, without a gap.

  `accuracy[i][j]` has the accuracy of method i on task j in each split: split -> accuracy in [0, 1], seeds of
  one split averaged.  All methods have the same splits of a task, so that none has easier ones.
  """

  protocol: str
  methods: tuple[str, ...]
  tasks: tuple[Task, ...]
  accuracy: tuple[tuple[Splits, ...], ...]
  seeds: int  # trials in the whole table
  left_out: tuple[tuple[str, int], ...]  # (method, its tasks) of those that are not in the table
  tasks_left_out: int

  @property
  def splits(self) -> tuple[int, int]:
    """The fewest and the most splits of a task."""
    sizes = [len(cell) for cell in self.accuracy[0]]
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
  cells = {name: {task: _by_split(row) for task, row in rows.items()} for name, rows in found.items()}
  chosen = _chosen(cells)
  if not chosen:
    return None
  names = tuple(sorted(chosen, key=lambda name: (name != BASELINE, name)))
  shared = _splits(cells[names[0]])
  for name in names[1:]:
    shared = _shared(shared, cells[name])
  common = sorted(shared)
  return Scores(
    protocol,
    names,
    tuple(common),
    tuple(tuple(_only(cells[name][task], shared[task]) for task in common) for name in names),
    sum(_trials(found[name][task], shared[task]) for name in names for task in common),
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


def _chosen(cells: Mapping[str, Mapping[Task, Splits]]) -> tuple[str, ...]:
  """The methods of the table that `RULE` keeps."""
  left = dict(cells)
  chosen: list[str] = []
  shared: Mapping[Task, frozenset[str]] | None = None
  best: tuple[int, int] = (0, 0)
  kept: tuple[str, ...] = ()
  while left:
    found = {m: _splits(own) if shared is None else _shared(shared, own) for m, own in left.items()}
    name = min(left, key=lambda m: (bool(chosen) or m != BASELINE, -len(found[m]), -len(left[m]), m))
    shared = found[name]
    del left[name]
    chosen.append(name)
    size = len(chosen) * len(shared), len(chosen)
    if len(chosen) >= LEAST_METHODS and len(shared) >= LEAST_TASKS and size >= best:
      best, kept = size, tuple(chosen)
  return kept


def _splits(cells: Mapping[Task, Splits]) -> dict[Task, frozenset[str]]:
  return {task: frozenset(splits) for task, splits in cells.items()}


def _shared(
  before: Mapping[Task, frozenset[str]], cells: Mapping[Task, Splits]
) -> dict[Task, frozenset[str]]:
  """The splits of each task that a further method has as well, where these are enough."""
  found = {task: splits.intersection(cells[task]) for task, splits in before.items() if task in cells}
  return {task: splits for task, splits in found.items() if len(splits) >= FEWEST}


def _only(cell: Splits, splits: frozenset[str]) -> Splits:
  return {split: value for split, value in cell.items() if split in splits}


def _trials(row: Row, splits: frozenset[str]) -> int:
  """How many pairs of seeds of a row are on some splits."""
  return sum(pair.group in splits for pair in values(row.trials, 'accuracy'))


def _by_split(row: Row) -> dict[str, float]:
  """Split -> accuracy, the mean over its seeds; in the order of split seeds."""
  found: dict[str, list[float]] = {}
  for pair, value in values(row.trials, 'accuracy').items():
    found.setdefault(pair.group, []).append(value)
  return {split: sum(own) / len(own) for split, own in found.items()}
