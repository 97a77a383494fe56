"""Ranked rows as plain records of numbers, and as a data frame of pandas."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ssl_bench import measures
from ssl_bench.leaderboard import flat
from ssl_bench.leaderboard.aggregate import aggregate
from ssl_bench.leaderboard.read import Record
from ssl_bench.leaderboard.rows import Board, Difference, Row, Section
from ssl_bench.leaderboard.variants import say_variant
from ssl_bench.settings.signature import BadSetting

if TYPE_CHECKING:
  from pandas import DataFrame


def frame(records: Iterable[Record], *, timing: bool = True) -> 'DataFrame':
  """One line a ranked row of the board of `records`: unrounded means, half widths, splits and seeds.

  Columns are those of `flat_rows`; what a row lacks is missing (NaN).  Accuracies are in [0, 1], `_half` is
  the half width of the 95 % interval over splits.  Raises BadSetting where pandas is not installed.

      from pathlib import Path
      from ssl_bench.leaderboard import frame
      from ssl_bench.records.record import gather

      table = frame(gather([Path('leaderboard/records')]).records)
      table[table.labels == 40].sort_values('rank')[['method', 'accuracy', 'accuracy_half', 'splits']]
  """
  return data_frame(flat_rows(aggregate(records, timing=timing)))


def data_frame(rows: Iterable[Mapping[str, Any]]) -> 'DataFrame':
  """Flat dictionaries as a data frame; raises BadSetting where pandas is not installed."""
  try:
    import pandas
  except ImportError:
    raise BadSetting(
      "A data frame needs pandas, which is not installed; run: pip install 'ssl_bench[frame]'."
    ) from None
  return pandas.DataFrame(list(rows))


def flat_rows(board: Board) -> list[dict[str, Any]]:
  """Each ranked row as a flat dictionary with the same keys in the same order; None where there is no number.

  dataset, protocol, labels, method, variant, family, rank, tied, few_splits (fewer than most rows of the
  table), splits, seeds, failed; the difference in accuracy to `supervised` with half width, verdict and
  p-values; efficiency, as `flat.per_row` has it; each measure and its `_half`.
  """
  found = [
    (s, row) for s in board.sections for budget in s.budgets for row in budget.rows if row.rank is not None
  ]
  names = [m.name for m in measures.all_measures() if any(m.name in row.measures for _, row in found)]
  further = flat.names(row for _, row in found)
  return [_flat(section, row, names, further) for section, row in found]


def _flat(section: Section, row: Row, names: Iterable[str], further: Iterable[str]) -> dict[str, Any]:
  accuracy, efficiency = row.measures['accuracy'], flat.per_row(row)
  line: dict[str, Any] = {
    'dataset': section.dataset,
    'protocol': section.protocol,
    'labels': row.labels,
    'method': row.method,
    'variant': say_variant(row.variant),
    'family': row.family,
    'rank': row.rank,
    'tied': row.tied,
    'few_splits': row.few,
    'splits': accuracy.n,
    'seeds': accuracy.seeds.total,
    'failed': row.failed,
    **compared(row.difference),
    **{name: efficiency[name] for name in further},
  }
  for name in names:
    mean = row.measures.get(name)
    line |= {name: mean.value if mean else None, f'{name}_half': mean.half if mean else None}
  return line


def compared(found: Difference | None) -> dict[str, Any]:
  """A difference to `supervised` as flat columns, None where there is no number or verdict."""
  return {
    'to_supervised': found.mean.value if found else None,
    'to_supervised_half': found.mean.half if found else None,
    'verdict': found.verdict if found else None,
    'p': found.p if found else None,
    'p_holm': found.holm if found else None,
    'verdict_holm': (found.corrected or None) if found else None,
  }
