"""What the leaderboard is made of: sections, budgets and rows, as plain tuples of numbers."""

from collections.abc import Mapping
from typing import NamedTuple

from ssl_bench.leaderboard.published import Published
from ssl_bench.leaderboard.read import Settings, Trial
from ssl_bench.leaderboard.reproduced import Reproduced


class Seeds(NamedTuple):
  """How many pairs there are: in all, and in the split with the fewest and with the most."""

  total: int
  fewest: int
  most: int


class Mean(NamedTuple):
  """A mean over `n` splits, and the half width of its 95 % interval (None below 3 splits).

  `seeds` counts the (split_seed, seed) pairs in it; those of one split are averaged first.
  """

  value: float
  half: float | None
  n: int
  seeds: Seeds


class Difference(NamedTuple):
  """A mean of paired differences, and what its interval allows to say.

  `p` is that of Student's paired t-test over splits, to which the interval belongs; `corrected` is the
  verdict where `holm`, the same p-value corrected for all rows of its table, is below 5 %.
  """

  mean: Mean
  verdict: str  # 'better', 'worse', 'not separable' or 'fewer than 3 splits'
  p: float | None = None  # None below 3 splits
  holm: float | None = None  # None where nothing was corrected
  corrected: str = ''  # as `verdict`, '' where nothing was corrected


class PerPoint(NamedTuple):
  """A cost per point of accuracy over `supervised`, and its 95 % bootstrap interval over splits.

  `value` is None where the mean gain is not positive, so that there is no such number; `low` and `high` are
  None there, too, and below 3 splits.  `high` is infinite where the gain may be none.
  """

  value: float | None
  low: float | None
  high: float | None
  splits: int


class Bounds(NamedTuple):
  """A positive number between two bounds: equal where it is known, 0 or infinite where it has no bound."""

  low: float
  high: float

  @property
  def value(self) -> float | None:
    """The number where it is known, else None."""
    return self.low if self.low == self.high else None


class Target(NamedTuple):
  """The accuracy of a task that methods are asked to reach."""

  accuracy: float
  labels: int | None  # at which `supervised` has it, the most that it has; None where a user asked for it
  curve: Mapping[int, float]  # labels -> mean accuracy of `supervised`


class Bins(NamedTuple):
  """A reliability diagram pooled over trials: [bins] each; confidence and accuracy are means in the bin."""

  counts: tuple[float, ...]
  confidence: tuple[float, ...]
  accuracy: tuple[float, ...]


class Row(NamedTuple):
  """One method in one variant at one label budget."""

  method: str
  variant: Settings  # what differs from the method's usual settings in the section; {} for those
  settings: Settings
  stress: Settings  # what is wrong with the data; {} for nothing
  family: str
  labels: int
  sizes: tuple[int | None, int | None, int | None]  # train, validation, test
  trials: tuple[Trial, ...]  # done
  failed: int
  measures: Mapping[str, Mean]
  rank: int | None
  tied: bool  # not shown to be worse than the best of its table that is not `few`, or the best itself
  difference: Difference | None  # in accuracy, to `supervised` under the same stress on the same pairs
  to_usual: Difference | None  # in accuracy, to the method's usual settings on the same pairs
  to_floors: Mapping[str, Difference]  # in accuracy, of a probe: to probes of features that nothing learned
  sees_more_labels: bool
  collapsed: tuple[str, ...]  # the reason of each collapsed trial
  devices: tuple[str, ...]  # kinds, sorted
  shared: bool  # other work ran on the device while it was timed
  training_gflops: float | None
  reliability: Bins | None
  reliability_scaled: Bins | None
  published: tuple[Published, ...]
  per_point: Mapping[str, PerPoint]  # in GFLOPs, seconds and money, as far as they are known
  few: bool = False  # over fewer splits than most rows of its table
  to_target: Bounds | None = None  # labels at which its method reaches the section's target
  saved: Bounds | None = None  # how many times as many labels `supervised` needs for it

  @property
  def accuracy(self) -> Mean | None:
    return self.measures.get('accuracy')


class Budget(NamedTuple):
  """The rows at one number of labels: the ranking, the augmentations swept beside it, the kinds of stress."""

  labels: int
  rows: tuple[Row, ...]
  sweep: tuple[Row, ...]
  stressed: tuple[tuple[Row, ...], ...] = ()


class Section(NamedTuple):
  """What may be ranked together: one dataset under one protocol."""

  dataset: str
  protocol: str
  budgets: tuple[Budget, ...]
  failed: tuple[Trial, ...]
  stale: tuple[Trial, ...]
  usual: Mapping[str, Settings]  # method -> its usual settings here
  target: Target | None = None  # None where there is one number of labels

  @property
  def rows(self) -> tuple[Row, ...]:
    parts = [part for b in self.budgets for part in (b.rows, b.sweep, *b.stressed)]
    return tuple(row for part in parts for row in part)


class Board(NamedTuple):
  """The whole leaderboard."""

  sections: tuple[Section, ...]
  elsewhere: tuple[Published, ...]  # published, not run here
  timing: bool
  reproduced: tuple[Reproduced, ...] = ()  # published tables that were run here
  price: float | None = None  # of one device-hour, in a user's currency
