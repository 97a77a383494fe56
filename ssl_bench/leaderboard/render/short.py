"""The rankings in short: seven columns at most, the best rows and the baselines."""

from collections.abc import Sequence

from ssl_bench.leaderboard.aggregate import BASELINE, FLOORS
from ssl_bench.leaderboard.columns import Column, of
from ssl_bench.leaderboard.columns.ranking import ACCURACY, RANK, SPLITS, TO_SUPERVISED, added
from ssl_bench.leaderboard.render.cells import DASH, whole, words
from ssl_bench.leaderboard.render.tables import Table, of_rows
from ssl_bench.leaderboard.rows import Budget, Row
from ssl_bench.leaderboard.variants import say_variant

WIDEST = 7  # columns
LONGEST = 110  # characters of a variant that are spelled out

LABELS = Column('labels', '', lambda row: whole(row.labels))
NAME = Column('method', '', lambda row: words(name(row)), numeric=False, prose=True)


def short(title: str, rows: Sequence[Row], *, labels: bool = False) -> Table:
  """The rows under at most seven columns; those in which no row has a number are left out."""
  columns = [RANK, NAME, ACCURACY, TO_SUPERVISED, *added(), SPLITS, of('ece'), of('gflops_per_epoch')]
  shown = [c for c in columns if c in (RANK, NAME) or any(c.cell(row).text != DASH for row in rows)]
  return of_rows(title, ((LABELS,) if labels else ()) + tuple(shown[: WIDEST - labels]), rows)


def best(budget: Budget, most: int) -> tuple[Row, ...]:
  """The first rows of a ranking that are not over fewer splits than most, and its baselines, in its order."""
  first = [row for row in budget.rows if not row.few][:most]
  baselines = [row for row in budget.rows if row.method in (BASELINE, *FLOORS) and not row.variant]
  kept = {id(row) for row in (*first, *baselines)}
  return tuple(row for row in budget.rows if id(row) in kept)


def name(row: Row) -> str:
  """The method, what differs from its usual settings, and what a reader has to know of its trials."""
  said = say_variant(row.variant)
  if len(said) > LONGEST:
    said = f'{len(row.variant)} settings differ'
  notes = [said] if said else []
  if row.sees_more_labels:
    notes.append('saw more labels')
  if row.collapsed:
    notes.append(f'collapsed {len(row.collapsed)} of {len(row.trials)}')
  if submitted := sum(trial.submitted for trial in row.trials):
    notes.append(
      'submitted' if submitted == len(row.trials) else f'{submitted} of {len(row.trials)} submitted'
    )
  if row.failed:
    notes.append(f'{row.failed} failed')
  return f'{row.method} [{"; ".join(notes)}]' if notes else row.method
