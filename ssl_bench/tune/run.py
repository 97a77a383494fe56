"""Runs a tuning: asks every search what it wants next, and has the grid run it, until none wants anything."""

import time
from typing import NamedTuple

from ssl_bench.grid.engines.local import Local
from ssl_bench.grid.expand import Grid
from ssl_bench.grid.run import run_grid
from ssl_bench.settings import plural
from ssl_bench.stop import AGAIN
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.tune.file import Method, Tuning
from ssl_bench.tune.scores import Scores, Trial, Until, until_of
from ssl_bench.tune.search import Study, check_budget, play

Studies = list[tuple[Method, list[Study]]]


class Tuned(NamedTuple):
  """How a run of a tuning ended."""

  studies: Studies
  scores: Scores
  exit_code: int  # 0 where all studies are over, 1 where nobody takes up some trials, else of who stopped it


def run(
  tuning: Tuning,
  run_folder: RunFolder,
  workers: int | None = None,
  *,
  again: bool = False,
  seconds: float | None = None,
) -> Tuned:
  """Runs what the studies of a tuning want, through the grid: manifests, claims, workers, records.

  Several processes may run one tuning at a time, on one machine or on several that share the run folder: each
  plays the same searches on the same records, and takes what no other is at.

  Args:
    tuning: its file.
    run_folder: where records and rungs are.
    workers: processes.
    again: put aside what other code of a method recorded or trained, and run it again.
    seconds: after which it saves and ends.
  """
  for method in tuning.methods:
    check_budget(tuning.form, method)
  end = None if seconds is None else time.monotonic() + seconds
  scores = Scores(tuning, run_folder)
  while True:
    studies = played(tuning, scores)
    wanted = _wanted(studies, scores)
    if not wanted:
      return Tuned(studies, scores, 0)
    left = None if end is None else end - time.monotonic()
    if left is not None and left <= 0:
      return Tuned(studies, scores, AGAIN)
    until = min(wanted, key=lambda step: (step is None, step))  # rungs before whole trainings
    trials, goal = wanted[until], f'step {until:,}' if until else 'the last step'
    print(f'{plural.count(len(trials), "trial")} to {goal}:', flush=True)
    grid = Grid(tuning.form.name, tuple(trial.config for trial in trials))
    summary = run_grid(grid, run_folder.at(until), Local(workers, left), again=again)
    if summary.exit_code:
      return Tuned(studies, scores, summary.exit_code)
    scores.tried |= {(trial.id, until) for trial in trials}
    if any(scores.accuracy(trial, until) is None for trial in trials):
      return Tuned(studies, scores, 1)  # which trials nobody takes up, and why, the grid has said


def played(tuning: Tuning, scores: Scores) -> Studies:
  """All searches of a tuning, as far as scores are known."""
  numbers = range(tuning.form.studies)
  return [(m, [play(tuning.form, m, number, scores) for number in numbers]) for m in tuning.methods]


def _wanted(studies: Studies, scores: Scores) -> dict[Until, list[Trial]]:
  """The trials that have to be run: by the step to which they go, each once."""
  found: dict[Until, dict[str, Trial]] = {}
  for method, own in studies:
    for values, step in (one for study in own for one in study.wanted):
      until = until_of(method, step)
      for trial in scores.trials(method, values):
        if scores.accuracy(trial, until) is None:
          found.setdefault(until, {})[trial.id] = trial
  return {until: list(trials.values()) for until, trials in found.items()}
