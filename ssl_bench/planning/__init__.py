"""A plan: all that is known of a trial before it trains, checked where it is made, and passed on."""

from typing import NamedTuple

import numpy as np

from ssl_bench import data, numerics
from ssl_bench.config import Config
from ssl_bench.data.arrays import Dataset
from ssl_bench.planning import checks, identity
from ssl_bench.planning.attacks import check_attacks
from ssl_bench.planning.build import streams_seen
from ssl_bench.planning.shifts import check_shifts
from ssl_bench.planning.split import labeled_of, of_teacher, stressed
from ssl_bench.planning.structure import Structure, structure_of
from ssl_bench.planning.transfer import check_transfer
from ssl_bench.settings.signature import BadSetting


class Plan(NamedTuple):
  """A trial that is known and has not run."""

  config: Config
  dataset: Dataset  # under the config's stress
  labeled: np.ndarray  # int32 [labels], positions in the training part
  structure: Structure  # what is compiled, and the key of the compile cache
  streams: frozenset[str]  # that training sees, its teachers' among them: 'labeled', 'unlabeled'
  training_id: str  # trials that differ only in settings that training never uses share it
  trial_id: str
  teachers: tuple['Plan', ...] = ()  # the trainings that come first

  @property
  def uses_labels(self) -> bool:
    """Whether the method or its teacher learns from labels: if not, one training serves all label budgets."""
    return 'labeled' in self.streams

  @property
  def trainings(self) -> tuple['Plan', ...]:
    """This training and all those that come before it."""
    return (self, *(one for teacher in self.teachers for one in teacher.trainings))


def make_plan(config: Config, dataset: Dataset | None = None) -> Plan:
  """The plan of a trial, checked.

  Args:
    config: the trial.
    dataset: its data set as `data.load` gives it; loaded where it is left out.

  Raises:
    BadSetting: the settings do not fit the data, or each other.
  """
  numerics.check()
  plan = _plan(config, dataset or data.load(config.dataset))
  checks.check_probes(plan)
  check_shifts(plan)
  check_attacks(plan)
  check_transfer(plan)
  return plan


def _plan(config: Config, dataset: Dataset) -> Plan:
  dataset = stressed(config, dataset)
  labeled = labeled_of(config, dataset)
  checks.check_kinds(config, dataset)
  structure = structure_of(config, dataset, len(labeled))
  streams = streams_seen(structure)
  plan = Plan(
    config=config,
    dataset=dataset,
    labeled=labeled,
    structure=structure,
    streams=streams,
    training_id=identity.identify_training(config, dataset.fingerprint, streams),
    trial_id=identity.identify(config, dataset.fingerprint),
  )
  checks.check_plan(plan)
  if config.teacher is None:
    return plan
  try:
    return plan._replace(teachers=(_plan(config.teacher, of_teacher(config, dataset)),))
  except BadSetting as error:
    raise BadSetting(f'teacher: {error}') from None
