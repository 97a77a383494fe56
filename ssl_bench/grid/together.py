"""Tasks of a manifest whose trainings differ in seeds alone, which one worker trains in one program."""

import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import jax

from ssl_bench import data, gang, measures
from ssl_bench.config import Config, validate
from ssl_bench.grid.manifest import Manifest, Task, Trial
from ssl_bench.planning import Plan, identity, make_plan
from ssl_bench.settings.signature import BadSetting
from ssl_bench.stop import NO_ROOM
from ssl_bench.training.loop import Interrupted
from ssl_bench.training.together import can_join
from ssl_bench.trial.run import keep_trace
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.together import train_together

Tell = Callable[..., None]


def count_together(tasks: Iterable[Task], joining: set[int], most: int) -> int:
  """How many of some tasks are trained beside others, where the trials of the configs `joining` can be.

  One worker is thought of; several may leave each other fewer.
  """
  sizes = Counter(kind_of(task) for task in tasks)
  alike = ((kind, size) for kind, size in sizes.items() if kind in joining and most > 1)
  return sum(size - (size % most == 1) for _, size in alike)


def kind_of(task: Task) -> int:
  """What tasks that differ in seeds alone have in common: the config of their first trial."""
  return task.trials[0].config


def config_of(manifest: Manifest, trial: Trial) -> Config:
  """The config of a trial; raises `BadSetting` where its data, plugins or versions are other ones here."""
  measures.all_measures()
  config = validate(manifest.config_of(trial))
  if identity.identify(config, data.load(config.dataset).fingerprint) != trial.id:
    raise BadSetting(
      f'{manifest.label_of(trial)}: the data or the versions here are not those of the manifest; '
      'run `ssl-bench grid` here.'
    )
  return config


class Together:
  """How many tasks of a manifest a worker takes at once, and how it trains them."""

  def __init__(self, manifest: Manifest, run_folder: RunFolder):
    self.manifest, self.run_folder = manifest, run_folder
    self.told: dict[str, int] = {}  # training -> its steps that were told of, until its trial is run
    self._joins: dict[int, bool] = {}

  def most(self, task: Task) -> int:
    """How many tasks are trained at once where a task is one of them; 1 for a task that is trained alone."""
    if self.manifest.together == 1 or self.manifest.until or gang.size() > 1 or jax.device_count() > 1:
      return 1
    kind = kind_of(task)
    if kind not in self._joins:
      plan = self._plan(task.trials[0])
      self._joins[kind] = plan is not None and can_join(plan)
    return self.manifest.together if self._joins[kind] else 1

  def train(self, chosen: Sequence[tuple[Task, Trial]], tell: Tell, should_stop: Callable[[], bool]) -> None:
    """Trains tasks that this worker has the claims of, each for a trial without a record, as far as it goes.

    What goes wrong shows, and is recorded, where each trial is run afterwards; that seeds cannot be trained
    at once is printed.  Raises `Interrupted` if asked to stop.
    """
    claims, reports = self.run_folder.claims, []
    plans: list[Plan] = []
    for task, trial in chosen:
      plan = self._plan(trial)
      if plan and (not plans or plan.structure == plans[0].structure):
        label = self.manifest.label_of(trial)
        claims.note(task.training, id=trial.id, trial=label, step=0, steps=task.steps)
        plans.append(plan)
        reports.append(self._reporting(task.training, tell))
    if len(plans) < 2:
      return
    label = f'{self.manifest.label_of(chosen[0][1])} and {len(plans) - 1} more seeds'
    tell('begin', label)
    try:
      train_together(plans, self.run_folder, reports, should_stop, grid=self.manifest.grid)
    except Interrupted:
      raise
    except Exception as error:
      if isinstance(error, OSError) and error.errno in NO_ROOM:
        raise
      keep_trace(self.run_folder, f'together-{plans[0].training_id}', traceback.format_exc())
      why = ' '.join(str(error).split())[:300].rstrip('.')
      print(f'{label}: trained one after the other, not in one program ({why}).', flush=True)

  def _reporting(self, training: str, tell: Tell) -> Callable[..., None]:
    def report(step: int, metrics: dict[str, float]) -> None:
      self.run_folder.claims.note(training, step=step)
      tell('step', step - self.told.get(training, 0), step, metrics)
      self.told[training] = step

    return report

  def _plan(self, trial: Trial) -> Plan | None:
    """The plan of a trial; None where its settings or data are wrong, as is told where it is run."""
    try:
      return make_plan(config_of(self.manifest, trial))
    except BadSetting:
      return None
