"""One trial, from its config to its record."""

import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ssl_bench import data
from ssl_bench.config import Config, to_dict
from ssl_bench.contract import pattern, without_average
from ssl_bench.data.arrays import Dataset
from ssl_bench.evaluate import cost, measure, predict, privacy, scores
from ssl_bench.plan import Plan, identity, make_plan
from ssl_bench.plan.split import describe_split
from ssl_bench.records import environment, record
from ssl_bench.records.code import code_of
from ssl_bench.settings.signature import BadSetting
from ssl_bench.train.checkpoint import UnusableCheckpoint
from ssl_bench.train.loop import Diverged, Fitted, Interrupted
from ssl_bench.trial.run_folder import Room
from ssl_bench.trial.training import Report, Run, is_of_known_code, labels_seen, train


def run_trial(
  config: Config,
  room: Room,
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
  if room.recorded(trial_id):
    return record.read_with_curves(room.record_of(trial_id))
  plan = make_plan(config, dataset)
  started = _now()
  written: dict[str, Any] = {**describe(plan), 'grid': grid}
  try:
    fitted = train(plan, Run(room, report, should_stop, only_evaluate))
    if not is_of_known_code(plan, room):
      del written['versions']['code']
    written |= evaluate(plan, fitted, should_stop)
    written |= {
      'status': 'done',
      'curve': fitted.history['curve'],
      'evaluations': fitted.history['evaluations'],
      'cost': {
        **cost.cost(fitted.program, fitted.history['segments'], shared=shared),
        **cost.inference(fitted.program, fitted.state, fitted.numbers, plan.dataset.test_images),
        **cost.teaching_gflops(fitted),
      },
    }
  except (Interrupted, UnusableCheckpoint):
    raise
  except Diverged as error:
    history = error.history
    written |= {'status': 'diverged', 'error': str(error)}
    written |= {'curve': history['curve'], 'evaluations': history['evaluations']}
  except Exception as error:
    kind = '' if isinstance(error, BadSetting) else f'{type(error).__name__}: '
    written |= {'status': 'failed', 'error': f'{kind}{error}'}
    _note(room, plan.trial_id, traceback.format_exc())
  written['time'] = {'started': started, 'finished': _now()}
  return record.read_with_curves(record.write(written, room.records))


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


def evaluate(plan: Plan, fitted: Fitted, should_stop: Callable[[], bool] = lambda: False) -> dict[str, Any]:
  """The `metrics` of a trained state; those of pseudo-labels are of the last log interval only.

  Raises `Interrupted` between two measures if `should_stop` says so.
  """
  config, dataset, labeled = plan.config, plan.dataset, plan.labeled
  program, numbers, state, history, _ = fitted

  def go_on() -> None:
    if should_stop():
      raise Interrupted(config.steps)

  def look(state: Any, images: np.ndarray) -> predict.Seen:
    go_on()
    return predict.observe(program, state, numbers, images)

  parts = {
    'train': dataset.train_images,
    'validation': dataset.validation_images,
    'test': dataset.test_images,
  }
  seen = {name: look(state, images) for name, images in parts.items()}
  few = dataset.test_images[: measure.HEALTH_IMAGES]
  pair = [
    look(state, predict.views(config.augment['strong'], key, few, dataset.kind)).features for key in (0, 1)
  ]
  go_on()
  measures, budget = measure.probes(config.evaluate.probes, dataset, labeled, seen)
  measures |= measure.condition(seen['test'].features, *pair)
  own = (seen['validation'].logits, seen['test'].logits) if program.has_classifier else budget

  def judge(logits: Any) -> dict[str, Any]:
    go_on()
    return measure.classifier(
      logits[0], dataset.validation_labels, logits[1], dataset.test_labels, config.evaluate.bootstrap
    )

  if own is not None:
    measures |= judge(own)
  measures['classifier'] = 'own' if program.has_classifier else 'probe with the same labels'
  if config.ema and program.has_classifier and program.advance:
    raw = without_average(state)
    validation, test = (look(raw, parts[name]).logits for name in ('validation', 'test'))
    whole = judge((validation, test))
    measures['raw'] = {k: whole[k] for k in ('accuracy', 'nll', 'brier', 'ece')}
  if program.embed and dataset.test_captions is not None:
    embed = lambda kind, inputs: predict.embed(program, state, numbers, kind, inputs)
    measures['retrieval'] = measure.retrieved(embed, dataset.test_images, dataset.test_captions)
  for name in config.patterns:
    measures |= pattern.get(name).measure(plan)
  if program.has_classifier and program.uses_labels:
    measures['membership_auc'] = leaked(dataset, labeled, seen)
  measures |= measure.selected(history['evaluations'], config.evaluate.last)
  if program.transduce:
    logits = np.asarray(program.transduce(state, numbers))
    measures['transductive'] = measure.transductive(logits, dataset, labeled)
  last = history['curve'][-1] if history['curve'] else {}
  pseudo = {k.removeprefix('pseudo/'): v for k, v in last.items() if k.startswith('pseudo/')}
  if 'agreement' in last:
    pseudo['agreement'] = last['agreement']
  return {'metrics': measures | ({'pseudo_labels': pseudo} if pseudo else {})}


def leaked(dataset: Dataset, labeled: np.ndarray, seen: dict[str, predict.Seen]) -> float:
  """How well the losses tell labeled training images from test images."""
  members, others = seen['train'].logits, seen['test'].logits
  assert members is not None and others is not None
  return privacy.membership_auc(
    scores.losses(members[labeled], dataset.given_labels[labeled]), scores.losses(others, dataset.test_labels)
  )


def _note(room: Room, identity: str, text: str) -> None:
  """Keeps a failed trial's traceback beside the records, for whoever looks into it."""
  path = room.path / 'failures' / f'{identity}.txt'
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(text, encoding='utf-8')


def _now() -> str:
  return datetime.now(UTC).isoformat(timespec='seconds')
