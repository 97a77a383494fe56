"""Whether a pretraining went on lowering its held-out loss while its features got worse."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

HELD = 1_000  # validation images at most that a pretraining looks at
NORMAL = 1.96  # of 95 %
FALLS, STAYS, RISES = 'Loss falls, probe falls', 'Loss falls, probe does not', 'Loss does not fall'


class Verdict(NamedTuple):
  """Whether the loss fell while the probe fell, and the sentence that says so."""

  falls: bool
  said: str


def judge(evaluations: Sequence[Mapping[str, Any]], validation: int) -> Verdict | None:
  """The verdict on a training's looks at held-out images; None without two looks at both loss and kNN.

  The looks compared are the one of the best kNN accuracy, the first of equal ones, and the last; where the
  last is the best, the first and the last.  The probe falls where kNN is worse at the last by more than 1.96
  standard errors of the difference of two shares of so many images, taken as independent; they are the same
  images, so small falls go unnoticed rather than the other way round.

  Args:
    evaluations: rows with `step`, `pretext_loss` and `knn`, as `watch.of_pretraining` notes them.
    validation: images of the validation part, of which at most `HELD` were looked at.
  """
  seen = [look for row in evaluations if (look := _look(row))]
  if len(seen) < 2 or validation < 1:
    return None
  best, last = max(seen, key=lambda look: look.knn), seen[-1]
  first = seen[0] if best is last else best
  spread = sum(look.knn * (1 - look.knn) for look in (first, last)) / min(validation, HELD)
  is_worse = first.knn - last.knn > NORMAL * math.sqrt(spread)
  found = RISES if last.loss >= first.loss else FALLS if is_worse else STAYS
  return Verdict(
    found == FALLS,
    f'{found}: from step {first.step:,} to {last.step:,} the held-out loss goes from {first.loss:.4g} to '
    f'{last.loss:.4g}, kNN on validation from {100 * first.knn:.1f} to {100 * last.knn:.1f} %',
  )


class _Look(NamedTuple):
  step: int
  loss: float
  knn: float


def _look(row: Mapping[str, Any]) -> _Look | None:
  """A row that has both numbers, which a record may hold as words where they are not finite."""
  loss, knn = (row.get(name) for name in ('pretext_loss', 'knn'))
  if not all(isinstance(value, (int, float)) and math.isfinite(value) for value in (loss, knn)):
    return None
  return _Look(row['step'], float(loss or 0), float(knn or 0))
