"""A survey: what a run folder holds of the trials of a grid already, found without reading every file twice.

Trials that differ in nothing but seeds are alike: their plan is checked once, and their ids are digests of
one text.  So a sweep of 100,000 trials is surveyed in seconds.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ssl_bench.config import Config, digest, to_dict
from ssl_bench.data.arrays import Dataset
from ssl_bench.grid.expand import UNSEEDED
from ssl_bench.planning import identity
from ssl_bench.planning.build import streams_seen
from ssl_bench.planning.structure import structure_of
from ssl_bench.records import record
from ssl_bench.records.code import code_of
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.training import names_of

Datasets = Mapping[str, Dataset]


class Group(NamedTuple):
  """What trials that differ only in seeds have in common."""

  config: Config  # with the seeds of the first of them
  program: str  # a word for what they compile, to keep alike trials in one process


class Found(NamedTuple):
  """A trial of a grid, with its ids and what its record says."""

  config: Config
  group: int  # which of the survey's groups it is of
  id: str
  training: str
  record: record.Glance | None


class Survey(NamedTuple):
  """All trials of a grid, and their groups."""

  trials: tuple[Found, ...]
  groups: tuple[Group, ...]


def survey(configs: Sequence[Config], run_folder: RunFolder, datasets: Datasets) -> Survey:
  """What a run folder holds of some trials; reads the records of those that have one."""
  recorded = run_folder.names()
  groups: dict[str, tuple[int, Group, Any]] = {}
  trials = []
  for config in configs:
    text = config.model_copy(update=UNSEEDED).model_dump_json()
    dataset = datasets[config.dataset]
    if text not in groups:
      streams = streams_seen(structure_of(config, dataset))
      ids = identity.OfSeeds(config, dataset.fingerprint, streams)
      groups[text] = len(groups), Group(config, program_of(config)), ids
    place, _, ids = groups[text]
    seeds = {'split_seed': config.split_seed, 'seed': config.seed}
    trial_id = ids.trial(**seeds)
    found = record.glance(run_folder.record_of(trial_id)) if trial_id in recorded else None
    trials.append(Found(config, place, trial_id, ids.training(**seeds), found))
  return Survey(tuple(trials), tuple(group for _, group, _ in groups.values()))


def other_code(found: Survey, run_folder: RunFolder, datasets: Datasets) -> list[Config]:
  """The trials whose record, or a checkpoint that they would go on from, is of other code than today's.

  A record or checkpoint from before the code was noted is taken as it is.
  """
  codes = [code_of(group.config) for group in found.groups]
  noted = run_folder.noted_codes()
  return [trial.config for trial in found.trials if _is_of_other(trial, codes[trial.group], noted, datasets)]


def _is_of_other(trial: Found, code: str, noted: Mapping[str, str], datasets: Datasets) -> bool:
  if trial.record and trial.record.status != 'failed':
    return trial.record.code not in (None, code)
  if not trial.config.teacher:
    return noted.get(trial.training, code) != code
  trainings = names_of(trial.config, datasets[trial.config.dataset]).items()
  return any(noted.get(name) not in (None, code_of(one)) for name, one in trainings)


def program_of(config: Config) -> str:
  """A word for what a trial compiles."""
  return program_of_tree(to_dict(config))


def program_of_tree(tree: Mapping[str, Any]) -> str:
  """As `program_of`, of a config's plain data."""
  return digest(tree['dataset'], tree['method']['name'], tree['net'], tree['batch'], tree['augment'])
