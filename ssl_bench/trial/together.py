"""The trainings of several trials that differ in seeds alone, in one program, as far as that goes.

Nothing is recorded here: afterwards each trial is run as any other one, which finds its training at its end,
or goes on from where it is.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

from ssl_bench.planning import Plan
from ssl_bench.records.code import code_of
from ssl_bench.training import memory
from ssl_bench.training.checkpoint import UnusableCheckpoint
from ssl_bench.training.program import Program, compile_program
from ssl_bench.training.together import Member, fit_together
from ssl_bench.trial.journal import Journal
from ssl_bench.trial.run import describe
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.training import Report, watch_of


def train_together(
  plans: Sequence[Plan],
  run_folder: RunFolder,
  reports: Sequence[Report],
  should_stop: Callable[[], bool] = lambda: False,
  *,
  grid: str | None = None,
) -> None:
  """Trains trials that can join each other and differ in seeds alone; see `training.together.fit_together`.

  Args:
    plans: the trials, each of a training of its own.
    run_folder: where checkpoints are.
    reports: of each trial, given the step and what was noted.
    should_stop: asked often; true saves and raises `Interrupted`.
    grid: the name of the grid, for who follows the trials.
  """
  with ExitStack() as held:
    members = []
    for plan, report in zip(plans, reports, strict=True):
      folder = held.enter_context(run_folder.turn(plan.training_id, should_stop))
      try:
        run_folder.note_code(plan.training_id, code_of(plan.config))
      except UnusableCheckpoint:  # which is told where the trial is run
        continue
      known = {**describe(plan), 'grid': grid, 'training': plan.training_id}
      images = partial(_images, compile_program(plan.structure))
      journal = held.enter_context(Journal(run_folder.live, known, images, memory.in_use, stays=True))
      members.append(Member(plan, folder, watch_of(plan), journal.telling(report)))
    if len(members) > 1:
      fit_together(members, should_stop=should_stop, check=run_folder.claims.check)


def _images(program: Program) -> int:
  return program.images_per_step
