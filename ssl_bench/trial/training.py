"""The training of a trial, its teacher's first; trials of one room share what they have in common."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ssl_bench.config import Config, teacher_of
from ssl_bench.data.arrays import Dataset
from ssl_bench.evaluate import watch
from ssl_bench.records import record
from ssl_bench.records.code import code_of
from ssl_bench.train.given import labeled_of, stressed
from ssl_bench.train.loop import Diverged, Fitted, fit
from ssl_bench.train.structure import streams_seen, uses_labels
from ssl_bench.trial.run_folder import Room

Report = Callable[[int, dict[str, Any]], None]


def labels_seen(config: Config, dataset: Dataset) -> str:
  """`trial` where a training saw the trial's labels and no others, `more` where a teacher did, or `all`.

  Captions are written from labels: a training that reads them sees all.
  """
  if any(one.text_net for one in (config, *teachers(config))):
    return 'all'
  own = set(labeled_of(config, dataset))
  seen = own.union(*(labeled_of(t, dataset) for t in teachers(config) if uses_labels(t, dataset)))
  return 'trial' if seen == own else 'all' if len(seen) == dataset.n_train else 'more'


def teachers(config: Config) -> Iterator[Config]:
  """The teacher of a trial, its teacher, and so on."""
  while teacher := teacher_of(config):
    yield teacher
    config = teacher


def name_of(config: Config, dataset: Dataset) -> str:
  """The id of a trial's training, the name of its checkpoints' folder."""
  return record.identify_training(config, dataset.fingerprint, streams_seen(config, dataset))


def names_of(config: Config, dataset: Dataset) -> dict[str, Config]:
  """The ids of all trainings that a trial needs, its own and its teachers', each with its config."""
  return {name_of(one, dataset): one for one in (config, *teachers(config))}


def is_of_other_code(config: Config, dataset: Dataset, room: Room) -> bool:
  """Whether a trial's record, or a checkpoint that it would go on from, is of other code than today's.

  A record or checkpoint from before the code was noted is taken as it is.
  """
  found = room.recorded(record.identify(config, dataset.fingerprint))
  if found:
    return found['versions'].get('code') not in (None, code_of(config))
  trainings = names_of(config, dataset).items()
  return any(room.trained_by(name) not in (None, code_of(one)) for name, one in trainings)


def is_of_known_code(config: Config, dataset: Dataset, room: Room) -> bool:
  """Whether all trainings of a trial are noted to be of today's code."""
  return all(room.trained_by(name) == code_of(one) for name, one in names_of(config, dataset).items())


def forget(config: Config, dataset: Dataset, room: Room) -> None:
  """Puts aside a trial's record, and the checkpoints that it needs and other code trained.

  Where none is of other code, the trial is to be trained once more, so its own checkpoints go.  Without a
  record its training has begun anew already, and goes on.
  """
  identity = record.identify(config, dataset.fingerprint)
  trainings = names_of(config, dataset)
  old = [name for name, one in trainings.items() if room.trained_by(name) not in (None, code_of(one))]
  found = room.recorded(identity)
  if found and not old and found['versions'].get('code') in (None, code_of(config)):
    old = [name_of(config, dataset)]
  room.put_aside(identity, old)


def teach(
  config: Config,
  dataset: Dataset,
  room: Room,
  report: Report,
  should_stop: Callable[[], bool],
  only_restore: bool = False,
) -> Fitted | None:
  """The trained teacher of a trial, from its checkpoint where there is one, or None where it has no teacher.

  Meanwhile `report` is told step 0.
  """
  teacher = teacher_of(config)
  if teacher is None:
    return None
  waiting: Report = lambda step, metrics: report(0, metrics)
  own = teach(teacher, dataset, room, waiting, should_stop, only_restore)
  try:
    dataset = stressed(teacher, dataset)
    labeled = labeled_of(teacher, dataset)
    return train(teacher, dataset, labeled, room, waiting, should_stop, own, only_restore)
  except Diverged as error:
    raise error.of_teacher() from None


def train(
  config: Config,
  dataset: Dataset,
  labeled: np.ndarray,
  room: Room,
  report: Report,
  should_stop: Callable[[], bool],
  teacher: Fitted | None = None,
  only_restore: bool = False,
) -> Fitted:
  """Trains, or takes up the same training where another trial began or ended it.

  With `only_restore` it trains nothing, and `UnusableCheckpoint` is raised where the training has not ended.
  """
  look = watch.of_classifier if uses_labels(config, dataset) else watch.of_pretraining
  looked_at = uses_labels(config, dataset) or config.evaluate.pretraining
  name = name_of(config, dataset)
  with room.turn(name, should_stop) as folder:
    room.claim(name, code_of(config))
    return fit(
      config,
      dataset,
      labeled,
      folder,
      teacher=teacher,
      watch=look(dataset) if looked_at else None,
      report=report,
      should_stop=should_stop,
      only_restore=only_restore,
    )
