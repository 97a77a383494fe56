"""The training of a trial, its teacher's first; trials of one run folder share what they have in common."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ssl_bench import data, gang
from ssl_bench.config import Config
from ssl_bench.data.arrays import Dataset
from ssl_bench.evaluation import watch
from ssl_bench.planning import Plan, identity
from ssl_bench.planning.build import streams_seen
from ssl_bench.planning.structure import structure_of
from ssl_bench.records.code import code_of
from ssl_bench.training.checkpoint import UnusableCheckpoint, newest
from ssl_bench.training.loop import Diverged, Fitted, fit
from ssl_bench.trial.run_folder import RunFolder

Report = Callable[[int, dict[str, Any]], None]


def labels_seen(plan: Plan) -> str:
  """`trial` where a training saw the trial's labels and no others, `more` where a teacher did, or `all`.

  Captions are written from labels: a training that reads them sees all.
  """
  if any(training.config.text_net for training in plan.trainings):
    return 'all'
  own = set(plan.labeled)
  teachers = [teacher for teacher in plan.trainings[1:] if teacher.uses_labels]
  if any(teacher.config.dataset != plan.config.dataset for teacher in teachers):
    return 'more'  # of another set
  seen = own.union(*(teacher.labeled for teacher in teachers))
  return 'trial' if seen == own else 'all' if len(seen) == plan.dataset.n_train else 'more'


def teachers_of(config: Config) -> Iterator[Config]:
  """The teacher of a trial, its teacher, and so on."""
  while config.teacher:
    config = config.teacher
    yield config


def name_of(config: Config, dataset: Dataset) -> str:
  """The id of a trial's training, the name of its checkpoints' folder."""
  streams = streams_seen(structure_of(config, dataset))
  return identity.identify_training(config, dataset.fingerprint, streams)


def names_of(config: Config, dataset: Dataset) -> dict[str, Config]:
  """The ids of all trainings that a trial needs, its own and its teachers', each with its config."""
  return {name_of(one, _data_of(one, config, dataset)): one for one in (config, *teachers_of(config))}


def _data_of(one: Config, config: Config, dataset: Dataset) -> Dataset:
  """The data of a trial or of one of its teachers, from those of the trial."""
  return dataset if one.dataset == config.dataset else data.load(one.dataset)


def is_of_other_code(config: Config, dataset: Dataset, run_folder: RunFolder) -> bool:
  """Whether a trial's record, or a checkpoint that it would go on from, is of other code than today's.

  A record or checkpoint from before the code was noted is taken as it is.
  """
  found = run_folder.recorded(identity.identify(config, dataset.fingerprint))
  if found:
    return found['versions'].get('code') not in (None, code_of(config))
  trainings = names_of(config, dataset).items()
  return any(run_folder.trained_by(name) not in (None, code_of(one)) for name, one in trainings)


def is_of_known_code(plan: Plan, run_folder: RunFolder) -> bool:
  """Whether all trainings of a trial are noted to be of today's code."""
  return all(run_folder.trained_by(one.training_id) == code_of(one.config) for one in plan.trainings)


def forget(config: Config, dataset: Dataset, run_folder: RunFolder) -> None:
  """Puts aside a trial's record, and the checkpoints that it needs and other code trained.

  Where none is of other code, the trial is to be trained once more, so its own checkpoints go.  Without a
  record its training has begun anew already, and goes on.
  """
  trial_id = identity.identify(config, dataset.fingerprint)
  trainings = names_of(config, dataset)
  old = [name for name, one in trainings.items() if run_folder.trained_by(name) not in (None, code_of(one))]
  found = run_folder.recorded(trial_id)
  if found and not old and found['versions'].get('code') in (None, code_of(config)):
    old = [name_of(config, dataset)]
  run_folder.put_aside(trial_id, old)


class Run(NamedTuple):
  """How a training is run."""

  folder: RunFolder
  report: Report = lambda step, metrics: None
  should_stop: Callable[[], bool] = lambda: False
  only_restore: bool = False  # train nothing; raises `UnusableCheckpoint` where the training has not ended


def train(plan: Plan, run: Run, teacher: Fitted | None = None) -> Fitted:
  """Trains a trial, or takes up the same training where another trial began or ended it.

  Its teacher is trained first, unless it is given; meanwhile `report` is given step 0.
  """
  if run.only_restore and not (place := run.folder.checkpoints / plan.training_id).is_dir():
    raise UnusableCheckpoint(f'{place} has no checkpoint of step {plan.config.steps}; train it first.')
  if plan.teachers and teacher is None:
    teacher = _train_teacher(plan.teachers[0], run)
  with run.folder.turn(plan.training_id, run.should_stop) as folder:
    gang.on_first(run.folder.note_code, plan.training_id, code_of(plan.config))
    return fit(
      plan,
      gang.on_first(_not_past, folder, run.folder.until),
      teacher=teacher,
      watch=watch_of(plan),
      report=run.report,
      should_stop=run.should_stop,
      only_restore=run.only_restore,
      check=lambda: gang.on_first(run.folder.claims.check),
      until=run.folder.until,
    )


def watch_of(plan: Plan) -> watch.Watch | None:
  """What a training notes on the way: of held-out images, and of pseudo-labels where that is asked for."""
  if plan.uses_labels:
    found = watch.of_classifier(plan.dataset)
    if not plan.config.evaluate.pseudo_labels:
      return found
    return watch.with_pseudo_labels(found, plan.dataset, plan.labeled, plan.config.steps)
  return watch.of_pretraining(plan.dataset) if plan.config.evaluate.pretraining else None


def _not_past(folder: Path, until: int | None) -> Path:
  """The folder of a training, or a further one where it has gone on past the step that is wanted."""
  is_past = until is not None and (newest(folder) or 0) > until
  return folder.with_name(f'{folder.name}-{until}') if is_past else folder


def _train_teacher(plan: Plan, run: Run) -> Fitted:
  whole = run._replace(folder=run.folder.at(None), report=lambda step, metrics: run.report(0, metrics))
  try:
    return train(plan, whole)
  except Diverged as error:
    raise error.of_teacher() from None
