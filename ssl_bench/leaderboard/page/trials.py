"""The trials behind the rows as columns, and the learning curves of some of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ssl_bench.leaderboard.page.measured import Shown
from ssl_bench.leaderboard.page.words import Words, thinned, whole
from ssl_bench.leaderboard.read import Trial
from ssl_bench.leaderboard.rows import Row
from ssl_bench.measures import finite

Curves = Callable[[str], Mapping[str, Any] | None]  # id of a record -> its curves, None where there are none

POINTS = 16  # of a learning curve
WHOLE = 2500  # trials up to which each has its curves, and all of its measures
FEW = 4  # trials of a row that have curves where there are more
LINES = (  # of curves: the list, the number in it, decimals kept
  ('curve', 'loss', 4),
  ('evaluations', 'validation_accuracy', 4),
  ('evaluations', 'test_accuracy', 4),
)


def columns(
  rows: Sequence[Row], shown: Sequence[Shown], files: Mapping[str, str], words: Words
) -> dict[str, Any]:
  """The columns of all trials, row by row; `files` gives the path of a record by its id."""
  trials = [trial for row in rows for trial in row.trials]
  told = [one for one in shown if len(trials) <= WHOLE or one.measure.main]
  numbers = {one.measure.name: [one.number(t.measured.get(one.measure.name)) for t in trials] for one in told}
  return {
    'id': [trial.id for trial in trials],
    'split_seed': [trial.pair.split_seed for trial in trials],
    'seed': [trial.pair.seed for trial in trials],
    'split': words.each(trial.pair.group for trial in trials),
    'commit': words.each(trial.commit for trial in trials),
    'jax': words.each(trial.jax for trial in trials),
    'device': words.each(trial.device for trial in trials),
    'finished': words.each(trial.finished for trial in trials) if any(t.finished for t in trials) else 0,
    'folder': words.each(_folder(files.get(trial.id, ''), trial.id) for trial in trials),
    'measures': {name: column for name, column in numbers.items() if any(n is not None for n in column)},
    'whole': len(trials) <= WHOLE,
  }


def _folder(path: str, name: str) -> str:
  """The folder of a record's file, with its last slash; '' where the file is not known."""
  return path.removesuffix(f'{name}.json') if path.endswith(f'{name}.json') else ''


def curves(rows: Sequence[Row], read: Curves) -> dict[str, Any]:
  """Curves by the place of their trial: [[steps, values], …] as `LINES` has them, 0 where there is none.

  Equal lists of steps are written once.  Where there are more than `WHOLE` trials, the first `FEW` of each
  row have curves.
  """
  trials = [(row, place, trial) for row in rows for place, trial in enumerate(row.trials)]
  steps: dict[tuple[int, ...], int] = {}
  found: dict[str, Any] = {}
  for at, (_, place, trial) in enumerate(trials):
    if (len(trials) <= WHOLE or place < FEW) and (tree := read(trial.id)):
      lines = [_line(tree.get(part) or (), name, digits, steps) for part, name, digits in LINES]
      if any(lines):
        found[str(at)] = lines
  return {'steps': [list(one) for one in steps], 'lines': [name for _, name, _ in LINES], 'of': found}


def _line(
  rows: Sequence[Mapping[str, Any]], name: str, digits: int, steps: dict[tuple[int, ...], int]
) -> list[Any] | int:
  """[number of the list of steps, values]."""
  known = [(row['step'], value) for row in rows if (value := finite(row.get(name))) is not None]
  if len(known) < 2:
    return 0
  kept = thinned(known, POINTS)
  at = steps.setdefault(tuple(step for step, _ in kept), len(steps))
  return [at, [whole(value, digits) for _, value in kept]]


def told_of(trials: Sequence[Trial]) -> str:
  """The sentence that says what of so many trials is kept; '' where nothing is left out."""
  if len(trials) <= WHOLE:
    return ''
  return (
    f'This board has {len(trials):,} trials, more than {WHOLE:,}: the first {FEW} trials of each row have '
    'learning curves here, and a trial its main measures. Its record holds all.'
  )
