"""How many trials of a method came to a result, of those that left a record."""

from collections import Counter
from typing import NamedTuple

from ssl_bench.evaluation.slices import wilson
from ssl_bench.leaderboard.rows import Section


class Success(NamedTuple):
  """The trials of a method by how they ended, and the share that is done with Wilson's 95 % interval."""

  method: str
  started: int
  done: int
  failed: int
  diverged: int
  low: float
  high: float

  @property
  def share(self) -> float:
    return self.done / self.started


def by_method(section: Section) -> tuple[Success, ...]:
  """Of every method of a section with its trials in sweeps and under stress; stale ones are left out."""
  ended: dict[str, Counter[str]] = {}
  trials = {trial.id: trial for row in section.rows for trial in row.trials}
  trials |= {trial.id: trial for trial in section.failed}
  for trial in trials.values():
    ended.setdefault(trial.method, Counter())[trial.status] += 1
  found = []
  for method in sorted(ended):
    counts = ended[method]
    started, done = counts.total(), counts['done']
    failed = started - done - counts['diverged']
    found.append(Success(method, started, done, failed, counts['diverged'], *wilson(done, started)))
  return tuple(found)
