"""Early stopping: a training ends where validation accuracy has not risen for some evaluations."""

from collections.abc import Mapping, Sequence
from typing import Any

from ssl_bench.config import Config


def has_ended(config: Config, step: int, history: Mapping[str, Any]) -> bool:
  """Whether a training that has taken `step` steps, with this history, takes no more."""
  return step >= config.steps or has_plateaued(config, history['evaluations'])


def has_plateaued(config: Config, evaluations: Sequence[Mapping[str, float]]) -> bool:
  """Whether a config's early stop ends a training with these evaluations, the first one first.

  An evaluation counts as a rise where its validation accuracy is more than `min_delta` above that of the
  last rise; the first one is a rise.
  """
  if config.early_stop is None:
    return False
  best, waited = float('-inf'), 0
  for row in evaluations:
    if row['validation_accuracy'] > best + config.early_stop.min_delta:
      best, waited = row['validation_accuracy'], 0
    else:
      waited += 1
  return waited >= config.early_stop.patience
