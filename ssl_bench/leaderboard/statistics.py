"""Means, intervals, paired differences and ranks, over splits; seeds of one split are averaged first."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from ssl_bench.evaluation.intervals import FEWEST, grouped_interval, grouped_intervals, paired_interval
from ssl_bench.leaderboard.hypotheses import holm, paired_p
from ssl_bench.leaderboard.read import Diagram, Pair, Trial
from ssl_bench.leaderboard.rows import Bins, Difference, Mean, Row, Seeds
from ssl_bench.leaderboard.variants import say_variant
from ssl_bench.measures import finite

ALPHA = 0.05


def values(trials: Sequence[Trial], measure: str) -> dict[Pair, float]:
  """The measure of each (split_seed, seed) pair that has it; repeated pairs count once, by their mean."""
  found: dict[Pair, list[float]] = {}
  for t in trials:
    if measure in t.measured:
      found.setdefault(t.pair, []).append(t.measured[measure])
  return {pair: sum(found[pair]) / len(found[pair]) for pair in sorted(found)}


def mean(found: Mapping[Pair, float]) -> Mean:
  """The mean of one value or more, with its interval: seeds within a split are averaged first."""
  middle, half = grouped_interval(list(found.values()), [pair.group for pair in found])
  return Mean(middle, half, *count(found))


def means(trials: Sequence[Trial]) -> dict[str, Mean]:
  """The mean of each measure that a trial has; what `mean` gives of its `values`, of many at once."""
  found: dict[str, dict[Pair, list[float]]] = {}
  for trial in trials:
    for name, value in trial.measured.items():
      found.setdefault(name, {}).setdefault(trial.pair, []).append(value)
  columns: dict[tuple[Pair, ...], dict[str, list[float]]] = {}
  for name, own in found.items():
    pairs = tuple(sorted(own))
    columns.setdefault(pairs, {})[name] = [sum(own[pair]) / len(own[pair]) for pair in pairs]
  every: dict[str, Mean] = {}
  for pairs, values_of in columns.items():
    intervals = grouped_intervals(list(values_of.values()), [pair.group for pair in pairs])
    counted = count(pairs)
    every |= {name: Mean(*interval, *counted) for name, interval in zip(values_of, intervals)}
  return every


def count(pairs: Collection[Pair]) -> tuple[int, Seeds]:
  """How many splits there are, and how many seeds they have."""
  each = Counter([pair.group for pair in pairs]).values()
  return len(each), Seeds(len(pairs), min(each), max(each))


def compare(row: Row, other: Row | None) -> Difference | None:
  """The difference in accuracy of two rows over the pairs that both have, or None without any.

  Differences of one split are averaged first; the interval is over splits.
  """
  if other is None:
    return None
  a, b = values(row.trials, 'accuracy'), values(other.trials, 'accuracy')
  pairs = sorted(a.keys() & b.keys())
  if not pairs:
    return None
  groups = [p.group for p in pairs]
  middle, half = paired_interval([a[p] for p in pairs], [b[p] for p in pairs], groups=groups)
  over = Mean(middle, half, *count(pairs))
  if half is None:
    verdict = f'fewer than {FEWEST} splits'
  else:
    verdict = 'better' if middle > half else 'worse' if -middle > half else 'not separable'
  return Difference(over, verdict, paired_p(middle, half, over.n))


def correct(rows: Sequence[Row]) -> tuple[Row, ...]:
  """The rows with corrected verdicts: those of each column of differences for their number (Holm 1979)."""
  to_floors = [dict(row.to_floors) for row in rows]
  for name in sorted({name for found in to_floors for name in found}):
    for found, difference in zip(to_floors, _corrected([one.get(name) for one in to_floors])):
      if difference:
        found[name] = difference
  differences = _corrected([row.difference for row in rows])
  to_usual = _corrected([row.to_usual for row in rows])
  return tuple(
    row._replace(difference=one, to_usual=two, to_floors=three)
    for row, one, two, three in zip(rows, differences, to_usual, to_floors)
  )


def _corrected(column: Sequence[Difference | None]) -> list[Difference | None]:
  """The differences of a column, with the verdict that stays after Holm's correction for their number."""
  found = list(column)
  tested = {i: one.p for i, one in enumerate(column) if one and one.p is not None}
  for i, p in zip(tested, holm(list(tested.values()))):
    one = column[i]
    assert one is not None
    found[i] = one._replace(holm=p, corrected=one.verdict if p < ALPHA else 'not separable')
  return found


def rank(rows: Sequence[Row]) -> tuple[Row, ...]:
  """The rows by mean accuracy; those without one, and those that saw more labels, unranked at the end.

  Rows over fewer splits than most are `few`: they stand where their mean puts them, and no other rank counts
  them.  Tied are the best of the others and all rows that are not shown to be worse on the splits that both
  have, also where these are too few to tell.  Verdicts on differences are corrected for the number of rows.
  """
  named = sorted(rows, key=lambda r: (r.method, say_variant(r.variant)))
  inside = [row for row in named if row.accuracy and not row.sees_more_labels]
  inside.sort(key=lambda r: -r.measures['accuracy'].value)
  outside = [row for row in named if not row.accuracy or row.sees_more_labels]
  usual = _usual_splits(inside)
  full = [row for row in inside if row.measures['accuracy'].n >= usual]
  ranked = []
  for row in inside:
    mean = row.measures['accuracy']
    place = 1 + sum(other.measures['accuracy'].value > mean.value for other in full)
    to_best = compare(row, full[0])
    tied = row is full[0] or not (to_best and to_best.verdict == 'worse')
    ranked.append(row._replace(rank=place, tied=tied, few=mean.n < usual))
  return correct((*ranked, *outside))


def _usual_splits(rows: Sequence[Row]) -> int:
  """How many splits the most rows have; of equally frequent numbers the larger one."""
  counts = Counter(row.measures['accuracy'].n for row in rows)
  return max(counts, key=lambda n: (counts[n], n), default=0)


def pool(diagrams: Sequence[Diagram]) -> Bins | None:
  """Reliability diagrams of several trials as one, each image counting once."""
  if not diagrams:
    return None
  counts = [[n or 0 for n in d['count']] for d in diagrams]
  columns = range(min(map(len, counts)))
  count = [sum(own[i] for own in counts) for i in columns]

  def weighted(name: str) -> tuple[float, ...]:
    shares = [d[name] for d in diagrams]
    sums = (
      sum(own[i] * (finite(share[i]) or 0) for own, share in zip(counts, shares) if own[i]) for i in columns
    )
    return tuple(total / n if n else 0.0 for total, n in zip(sums, count))

  return Bins(tuple(float(n) for n in count), weighted('confidence'), weighted('accuracy'))
