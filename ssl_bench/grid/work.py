"""Work: what a worker does with a manifest, wherever it runs, until no task of it is left."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from ssl_bench import gang
from ssl_bench.grid.manifest import Manifest, Task, Trial
from ssl_bench.grid.together import Together, config_of, kind_of
from ssl_bench.plugins.things import fault
from ssl_bench.records import record
from ssl_bench.records.code import code_of
from ssl_bench.settings.signature import BadSetting
from ssl_bench.stop import NO_ROOM
from ssl_bench.training.loop import Interrupted
from ssl_bench.trial.claims import CRASHED, ENDED, REFUSED, Claim, Superseded
from ssl_bench.trial.run import run_trial
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.rung import run_rung

WAIT = 1.0  # seconds between two looks for a task, where all that are left are somebody else's
MOST_DEATHS = 3  # workers that may die or crash at one task; then nobody takes it up any more

Tell = Callable[..., None]


def work(
  manifest: Manifest,
  run_folder: RunFolder,
  *,
  tell: Tell = lambda *message: None,
  should_stop: Callable[[], bool] = lambda: False,
  shared: bool = False,
) -> dict[str, str]:
  """Runs every trial of a manifest that has no record, one task at a time, until none is left.

  A task that another worker holds is waited for, and taken over where that worker dies.  Returns what became
  of each task, by its training: recorded, refused, or lost.

  Args:
    manifest: the tasks.
    run_folder: where claims, checkpoints and records are.
    tell: is given ('begin', label), ('step', steps since the last word, the step, what it reported)
      and ('end', a record's id, status, error and accuracy).
    should_stop: asked often, by all processes of a gang at once; true saves what is trained and raises
      `Interrupted`.
    shared: whether other trials run on the machine meanwhile.

  Raises:
    Interrupted: asked to stop.
    BadSetting: this process cannot do the work: its data, plugins or code are not those of the manifest, or
      the disk takes no more.  What is recorded stays, and nothing is recorded of the trial.
  """
  run_folder = run_folder.at(manifest.until)
  worker = _Worker(manifest, run_folder, tell, should_stop, shared, Together(manifest, run_folder))
  left, program, over = list(manifest.tasks), None, dict[str, str]()
  while True:
    outlook = gang.on_first(look, left, run_folder)
    over |= outlook.over
    left = [task for task in left if task.training not in outlook.over]
    if not left:
      return over
    if should_stop():
      raise Interrupted(0)
    free = [task for task in left if task.training not in outlook.held]
    try:
      tasks = gang.on_first(worker.take, by_choice(free, outlook.programs, program))
      if not tasks:
        time.sleep(WAIT)
      else:
        program = tasks[0].program
        worker.run_all(tasks)
    except OSError as error:
      if error.errno not in NO_ROOM:
        raise
      place = error.filename or run_folder.path
      advice = 'Make room, and the same command goes on from what was saved.'
      raise BadSetting(f'{place}: {error.strerror}. {advice}') from None


class Outlook(NamedTuple):
  """What has become of tasks, by the name of their training."""

  over: dict[str, str]  # those that nobody takes up any more -> recorded, refused or lost
  held: dict[str, Claim]  # those that a worker is at
  programs: set[str]  # what those compile


def look(tasks: Sequence[Task], run_folder: RunFolder) -> Outlook:
  """What has become of some tasks: one look at the names of the records and claims, and into few of them."""
  outlook = Outlook({}, {}, set())
  recorded, claims = run_folder.names(), run_folder.claims.all()
  for task in tasks:
    missing = [trial for trial in task.trials if not is_recorded(trial, recorded, run_folder)]
    number = claims.get(task.training, -1)
    claim = run_folder.claims.at(task.training, number) if missing and number >= 0 else None
    if claim and number > task.claim:
      told = set(claim.note.get('recorded', ()))  # a record may be seen later than the claim that tells of it
      missing = [trial for trial in missing if trial.id not in told]
    if not missing:
      outlook.over[task.training] = 'recorded'
    elif claim and not run_folder.claims.is_free(task.training, claim):
      outlook.held[task.training] = claim
      outlook.programs.add(task.program)
    elif claim and number > task.claim and claim.end == REFUSED:
      outlook.over[task.training] = 'refused'
    elif claim and run_folder.claims.deaths(task.training, after=task.claim) >= MOST_DEATHS:
      outlook.over[task.training] = 'lost'
  return outlook


def is_recorded(trial: Trial, recorded: set[str], run_folder: RunFolder) -> bool:
  """Whether a trial has a record that is not the failed one for which it is run again."""
  if trial.id not in recorded:
    return False
  return trial.failed is None or record.glance(run_folder.record_of(trial.id)).finished != trial.failed


def by_choice(tasks: Sequence[Task], others: set[str], program: str | None) -> list[Task]:
  """Those of the program that a worker has compiled; then of programs that no other has; then the others."""
  return sorted(tasks, key=lambda task: (task.program != program, task.program in others))


class _Worker(NamedTuple):
  """Whoever runs tasks of a manifest, and whom it tells and asks meanwhile."""

  manifest: Manifest
  run_folder: RunFolder
  tell: Tell
  should_stop: Callable[[], bool]
  shared: bool
  together: Together

  def take(self, tasks: Sequence[Task]) -> list[Task]:
    """The first of some tasks whose claim this worker has now, and those that it trains together with it."""
    take = self.run_folder.claims.take
    first = next((task for task in tasks if take(task.training)), None)
    if first is None:
      return []
    taken, most = [first], self._most(first)
    for task in tasks:
      if len(taken) == most:
        break
      is_alike = task is not first and kind_of(task) == kind_of(first)
      if is_alike and self._most(task) > 1 and take(task.training):
        taken.append(task)
    return taken

  def _most(self, task: Task) -> int:
    """How many tasks are trained at once where a task is one of them."""
    most = self.together.most(task)
    if most > 1 and self.run_folder.claims.deaths(task.training, after=task.claim) >= MOST_DEATHS - 1:
      return 1  # of several that killed their workers, the others are spared one more
    return most

  def run_all(self, tasks: Sequence[Task]) -> None:
    """Runs tasks that this worker has the claims of, and gives those back; several train together first."""
    left, how = [*tasks], dict[str, str]()
    try:
      if len(tasks) > 1:
        try:
          self._train_together(tasks)
        except Exception as error:
          how = _end_by(error)
          raise
      while left:
        self.run(left.pop(0))
    except Superseded:
      pass
    finally:
      for task in left:
        with suppress(OSError):
          self.run_folder.claims.give(task.training, **how)

  def _train_together(self, tasks: Sequence[Task]) -> None:
    """Each for its first trial that has no record."""
    names, chosen = self.run_folder.names(), []
    for task in tasks:
      missing = (trial for trial in task.trials if not is_recorded(trial, names, self.run_folder))
      if trial := next(missing, None):
        chosen.append((task, trial))
    self.together.train(chosen, self.tell, self.should_stop)

  def run(self, task: Task) -> None:
    """Runs the trials of a task that this worker has the claim of, and gives the claim back."""
    recorded: list[str] = []
    refused: list[str] = []  # why
    how = dict[str, str]()
    try:
      names = gang.on_first(self.run_folder.names)
      for trial in task.trials:
        if gang.on_first(is_recorded, trial, names, self.run_folder):
          recorded.append(trial.id)
          continue
        found = self._run_trial(task, trial)
        if found['id']:
          recorded.append(trial.id)
        else:
          refused.append(found['error'])
        told = {'id': trial.id, 'status': found['status'], 'error': found['error']}
        part = 'validation' if trial.split_seed in record.TUNING else 'test'
        name = 'accuracy' if part == 'test' else 'accuracy_on_validation'
        self.tell('end', told | {'accuracy': found['metrics'].get(name), 'part': part})
      how = {'end': REFUSED if refused else ENDED}
    except Superseded:
      pass
    except Exception as error:
      how = _end_by(error)
      raise
    finally:
      if gang.is_first():
        with suppress(OSError):  # of a disk that is full; the claim ends with this process
          self.run_folder.claims.give(task.training, **how, recorded=recorded, refused=refused)

  def _run_trial(self, task: Task, trial: Trial) -> dict[str, Any]:
    """The record of a trial, or the like of one where its settings or a checkpoint cannot be used."""
    label, claims = self.manifest.label_of(trial), self.run_folder.claims
    self.tell('begin', label)
    claims.note(task.training, id=trial.id, trial=label, step=0, steps=task.steps)
    before = self.together.told.pop(task.training, 0)

    def report(step: int, metrics: dict[str, Any]) -> None:
      nonlocal before
      claims.note(task.training, step=step)
      self.tell('step', step - before, step, metrics)
      before = step

    config = gang.on_all(config_of, self.manifest, trial)
    gang.check_same((trial.id, code_of(config)), 'their data or code')
    run = run_trial if self.run_folder.until is None else run_rung
    try:
      return run(
        config,
        self.run_folder,
        grid=self.manifest.grid,
        shared=self.shared,
        report=report,
        should_stop=self.should_stop,
      )
    except BadSetting as error:  # of its pattern or its checkpoint; nothing is recorded
      return {'id': None, 'status': 'failed', 'error': str(error), 'metrics': {}}


def _end_by(error: Exception) -> dict[str, str]:
  """How a claim ends by an error: LEFT where a worker was stopped or cannot do the work, else CRASHED."""
  is_asked = isinstance(error, Interrupted | BadSetting) or getattr(error, 'errno', None) in NO_ROOM
  return {} if is_asked else {'end': CRASHED, 'crashed': fault(error)}
