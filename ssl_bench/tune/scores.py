"""Scores of candidates: means of validation accuracies, read from records and from rungs of a run folder."""

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from ssl_bench import data
from ssl_bench.config import Config
from ssl_bench.data.arrays import Dataset
from ssl_bench.planning import identity
from ssl_bench.records.code import code_of
from ssl_bench.records.record import glance
from ssl_bench.settings.signature import BadSetting
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.tune.file import Method, Tuning
from ssl_bench.tune.samplers import Values

DIVERGED = -math.inf


class Trial(NamedTuple):
  """A trial of a candidate."""

  id: str
  config: Config
  code: str


Until = int | None  # the step of a rung, or None for the last


class Scores:
  """What a run folder says of the candidates of a tuning; called with (method, values, step).

  A trial that failed before this process tried it is not known, so it is run again.  One of other code than
  today's is not known either, so the grid tells of it.
  """

  def __init__(self, tuning: Tuning, run_folder: RunFolder):
    self.tuning, self.run_folder = tuning, run_folder
    self.tried: set[tuple[str, Until]] = set()  # trials that this process ran
    self.failed: dict[tuple[str, Until], str] = {}  # why
    self._trials: dict[tuple[str, str], list[Trial]] = {}
    self._known: dict[tuple[str, Until], float] = {}
    self._datasets: dict[str, Dataset] = {}

  def __call__(self, method: Method, values: Values, step: int) -> float | None:
    """The mean validation accuracy, -inf where a trial diverged or failed, None where one is not known."""
    found = [self.accuracy(one, until_of(method, step)) for one in self.trials(method, values)]
    known = [one for one in found if one is not None]
    return sum(known) / len(known) if len(known) == len(found) else None

  def trials(self, method: Method, values: Values) -> list[Trial]:
    """The trials of a candidate."""
    key = method.name, json.dumps(values)
    if key not in self._trials:
      configs = self.tuning.configs(method, values)
      self._trials[key] = [
        Trial(identity.identify(config, self._dataset(config.dataset).fingerprint), config, code_of(config))
        for config in configs
      ]
    return self._trials[key]

  def accuracy(self, trial: Trial, until: Until) -> float | None:
    """The validation accuracy of a trial at a rung, or at its end; -inf or None as of a candidate."""
    key, folder = (trial.id, until), self.run_folder.at(until)
    path = folder.record_of(trial.id)
    if key in self._known or not path.is_file():
      return self._known.get(key)
    seen = glance(path)
    if seen.code not in (None, trial.code) or (seen.status == 'failed' and key not in self.tried):
      return None
    if seen.status == 'failed':
      self.failed[key] = seen.error or ''
    done = seen.status == 'done'
    self._known[key] = _on_validation(folder.recorded(trial.id) or {}, str(path)) if done else DIVERGED
    return self._known[key]

  def _dataset(self, name: str) -> Dataset:
    if name not in self._datasets:
      self._datasets[name] = data.load(name)
    return self._datasets[name]


def until_of(method: Method, step: int) -> Until:
  """A rung of a method as a run folder names it."""
  return step if step < method.rungs[-1] else None


def _on_validation(tree: Mapping[str, Any], place: str) -> float:
  """Validation accuracy is all that is read of a record."""
  found = tree.get('metrics', {}).get('accuracy_on_validation')
  if not isinstance(found, float):
    raise BadSetting(f'{place} has no validation accuracy; move it away, and its trial is run again.')
  return found
