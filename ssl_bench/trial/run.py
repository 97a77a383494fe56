"""One trial, from its config to its record."""

import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ssl_bench import data, gang, measures, pattern
from ssl_bench.config import Config, to_dict
from ssl_bench.planning import Plan, identity, make_plan
from ssl_bench.planning.split import describe_split
from ssl_bench.records import curves, environment, predictions, record
from ssl_bench.records.checks import check_values
from ssl_bench.records.code import code_of
from ssl_bench.settings.signature import BadSetting
from ssl_bench.stop import NO_ROOM
from ssl_bench.training import memory
from ssl_bench.training.checkpoint import UnusableCheckpoint
from ssl_bench.training.device_load import DeviceLoad
from ssl_bench.training.loop import Diverged, Interrupted
from ssl_bench.training.program import compile_program
from ssl_bench.trial.evaluation import evaluate
from ssl_bench.trial.journal import Journal
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.training import Report, Run, is_of_known_code, labels_seen, train


def run_trial(
  config: Config,
  run_folder: RunFolder,
  *,
  grid: str | None = None,
  shared: bool = False,
  report: Report = lambda step, metrics: None,
  should_stop: Callable[[], bool] = lambda: False,
  only_evaluate: bool = False,
) -> dict[str, Any]:
  """Trains, evaluates and records a trial, unless its record is there; returns the record with its curves.

  With `only_evaluate` nothing is trained.

  A trial that fails or diverges is recorded as such.  Nothing is recorded where `should_stop` is true, which
  raises `Interrupted`, or where a checkpoint cannot be used, which raises `UnusableCheckpoint`.
  """
  dataset = data.load(config.dataset)
  trial_id = identity.identify(config, dataset.fingerprint)
  gang.check_same((trial_id, code_of(config)), 'their settings, data or code')
  if found := gang.on_first(_recorded, run_folder, trial_id):
    return found
  measures.all_measures()  # raises where two of them, of plugins, are in each other's way
  plan = gang.on_all(make_plan, config, dataset)
  written: dict[str, Any] = {**describe(plan), 'grid': grid}
  images = lambda: compile_program(plan.structure).images_per_step  # training has compiled it by then
  with Journal(run_folder.live, {**written, 'training': plan.training_id}, images, memory.in_use) as journal:
    how = Run(run_folder, journal.telling(report), should_stop, only_evaluate)
    return _record(plan, written, how, shared=shared)


def _record(plan: Plan, written: dict[str, Any], how: Run, *, shared: bool) -> dict[str, Any]:
  """Trains and evaluates a trial; writes its record, of which `written` is the beginning, and returns it."""
  started, run_folder, load = now(), how.folder, DeviceLoad()
  memory.forget_peak()

  def work() -> dict[str, Any]:
    fitted = train(plan, how._replace(report=load.telling(how.report)))
    if not is_of_known_code(plan, run_folder):
      del written['versions']['code']
    found = evaluate(plan, fitted, how.should_stop, shared=shared, utilization=load.share())
    check_values(found)
    return found | {name: fitted.history[name] for name in curves.NAMES}

  ended = ending(work, run_folder, plan.trial_id)
  gang.on_first(run_folder.claims.check)
  whole = written | ended | {'time': {'started': started, 'finished': now()}}
  return gang.on_first(_write, whole, run_folder)


def _write(whole: dict[str, Any], run_folder: RunFolder) -> dict[str, Any]:
  """Writes a record, what it names first, and returns it as it is read."""
  if kept := whole.get('predictions'):
    place = predictions.path_of(run_folder.record_of(whole['id']))
    whole = whole | {'predictions': predictions.write(kept, place)}
  return record.read_with_curves(record.write(whole, run_folder.records))


def ending(work: Callable[[], dict[str, Any]], run_folder: RunFolder, trial_id: str) -> dict[str, Any]:
  """What the work on a trial comes to: `done` with what it returns, or `diverged` or `failed` and why.

  Raises `Interrupted`, `UnusableCheckpoint`, and `OSError` where the disk takes no more.
  """
  try:
    with gang.all_or_none():
      return {'status': 'done', **work()}
  except (Interrupted, UnusableCheckpoint):
    raise
  except Diverged as error:
    return {'status': 'diverged', 'error': str(error)} | {name: error.history[name] for name in curves.NAMES}
  except Exception as error:
    if isinstance(error, OSError) and error.errno in NO_ROOM:  # which is no fault of the trial's
      raise
    gang.on_first(keep_trace, run_folder, trial_id, traceback.format_exc())
    kind = '' if isinstance(error, BadSetting) else f'{type(error).__name__}: '
    return {'status': 'failed', 'error': f'{kind}{error}'}


def _recorded(run_folder: RunFolder, trial_id: str) -> dict[str, Any] | None:
  """The record of a trial that came to an end, with its curves."""
  is_there = run_folder.recorded(trial_id) is not None
  return record.read_with_curves(run_folder.record_of(trial_id)) if is_there else None


def describe(plan: Plan) -> dict[str, Any]:
  """What a record says before anything ran."""
  config, dataset = plan.config, plan.dataset
  versions = identity.versions_of(config, dataset.fingerprint)
  split = describe_split(config, dataset, plan.labeled)
  for name in config.patterns:
    split['split'] |= pattern.get(name).describe(plan)
  return {
    'schema': record.SCHEMA,
    'id': plan.trial_id,
    'protocol': config.protocol,
    'status': 'failed',
    'error': None,
    'config': to_dict(config),
    'augment_resolved': dict(plan.structure.policies),
    'family': 'semi-supervised' if plan.uses_labels else 'self-supervised',
    'versions': {**versions, 'dataset': f'{dataset.name}/{dataset.version}', 'code': code_of(config)},
    **split,
    'labels_seen': labels_seen(plan),
    'metrics': {},
    'curve': [],
    'evaluations': [],
    'cost': {},
    'environment': environment.describe(),
  }


def keep_trace(run_folder: RunFolder, trial_id: str, text: str) -> None:
  """Keeps the traceback of a trial that failed beside the records."""
  path = run_folder.path / 'failures' / f'{trial_id}.txt'
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(text, encoding='utf-8')


def now() -> str:
  """The time as a record has it."""
  return datetime.now(UTC).isoformat(timespec='seconds')
