"""A trial up to a step before its last: trained so far, saved, and judged on validation images alone."""

from collections.abc import Callable
from typing import Any

from ssl_bench import data, gang
from ssl_bench.config import Config, to_dict
from ssl_bench.evaluation import scores
from ssl_bench.evaluation.trained import Trained
from ssl_bench.planning import Plan, identity, make_plan
from ssl_bench.records import rung
from ssl_bench.records.code import code_of
from ssl_bench.training.loop import Fitted
from ssl_bench.trial.run import ending, now
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.training import Report, Run, train


def run_rung(
  config: Config,
  run_folder: RunFolder,
  *,
  grid: str | None = None,
  shared: bool = False,
  report: Report = lambda step, metrics: None,
  should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
  """Trains a trial to the step `run_folder.until` and notes its validation accuracy, unless that is noted.

  The training is that of the whole trial, its schedule included; it goes on from here bit for bit.  Takes
  what `run_trial` takes, and ends as it does.
  """
  del shared  # nothing here is timed
  dataset = data.load(config.dataset)
  trial_id = identity.identify(config, dataset.fingerprint)
  if found := gang.on_first(run_folder.recorded, trial_id):
    return found
  plan, started = gang.on_all(make_plan, config, dataset), now()

  def work() -> dict[str, Any]:
    fitted = train(plan, Run(run_folder, report, should_stop))
    return {'metrics': {'accuracy_on_validation': accuracy_on_validation(plan, fitted, should_stop)}}

  ended = ending(work, run_folder, trial_id)
  gang.on_first(run_folder.claims.check)
  written: dict[str, Any] = {
    'id': trial_id,
    'step': run_folder.until,
    'status': ended['status'],
    'error': ended.get('error'),
    'config': to_dict(config),
    'versions': {**identity.versions_of(config, dataset.fingerprint), 'code': code_of(config)},
    'metrics': ended.get('metrics', {}),
    'grid': grid,
    'time': {'started': started, 'finished': now()},
  }
  return gang.on_first(lambda: rung.read(rung.write(written, run_folder.records)))


def accuracy_on_validation(plan: Plan, fitted: Fitted, should_stop: Callable[[], bool]) -> float:
  """In [0, 1], of the method's classifier or of the linear probe with the trial's labels, as in a record."""
  logits = Trained(plan, fitted, should_stop).logits
  assert logits is not None  # a plan without a classifier has the probe
  return scores.accuracy(logits.validation, plan.dataset.validation_labels)
