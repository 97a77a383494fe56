"""Efficiency as flat columns of numbers, for CSV files, JSON and data frames."""

import math
from collections.abc import Iterable
from typing import Any

from ssl_bench.leaderboard import success
from ssl_bench.leaderboard.columns.efficiency import COSTS
from ssl_bench.leaderboard.rows import Board, Bounds, PerPoint, Row

ENDS = ('low', 'high')


def per_row(row: Row) -> dict[str, float | None]:
  """Every number of a row's efficiency by its name; None where there is none, or where it has no bound.

  `gflops_per_point` and its `_low` and `_high`, likewise seconds and money; `labels_to_target` where it is
  known, and its bounds; `labels_saved` likewise; `trials_done`, a share.
  """
  flat: dict[str, float | None] = {}
  for name in COSTS:
    found = row.per_point.get(name, PerPoint(None, None, None, 0))
    flat |= _with_ends(f'{name}_per_point', found.value, found.low, found.high)
  for name, bounds in (('labels_to_target', row.to_target), ('labels_saved', row.saved)):
    known = bounds or Bounds(0.0, math.inf)
    flat |= _with_ends(name, known.value, known.low or None, known.high)
  started = len(row.trials) + row.failed
  return {**flat, 'trials_done': len(row.trials) / started if started else None}


def _with_ends(
  name: str, value: float | None, low: float | None, high: float | None
) -> dict[str, float | None]:
  ends = {f'{name}_{end}': one for end, one in zip(ENDS, (low, high))}
  return {key: None if one is None or math.isinf(one) else one for key, one in {name: value, **ends}.items()}


def names(rows: Iterable[Row]) -> list[str]:
  """The names of those that any of the rows has, in their order; a number and its ends stay together."""
  found = [per_row(row) for row in rows]
  known = {_of(name) for flat in found for name, value in flat.items() if value is not None}
  return [name for name in (found[0] if found else ()) if _of(name) in known]


def _of(name: str) -> str:
  """What an end is of."""
  return name.removesuffix('_low').removesuffix('_high')


def by_method(board: Board) -> list[dict[str, Any]]:
  """Of each dataset and protocol the target, and of each method how its trials ended."""
  return [
    {
      'dataset': section.dataset,
      'protocol': section.protocol,
      'target': section.target.accuracy if section.target else None,
      'target_labels': section.target.labels if section.target else None,
      'methods': [{**one._asdict(), 'share': one.share} for one in success.by_method(section)],
    }
    for section in board.sections
  ]
