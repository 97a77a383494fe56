"""One trial, from its config to its record."""

import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ssl_bench import augment, data, numerics
from ssl_bench.config import Config, teacher_of, to_dict
from ssl_bench.data.arrays import Dataset
from ssl_bench.evaluate import privacy
from ssl_bench.records import environment, record
from ssl_bench.records.code import code_of
from ssl_bench.settings.signature import BadSetting
from ssl_bench.train import federated
from ssl_bench.train.batch import check_batch
from ssl_bench.train.checkpoint import UnusableCheckpoint
from ssl_bench.train.coupled import check_private
from ssl_bench.train.given import describe_split, labeled_of, stressed
from ssl_bench.train.loop import Diverged, Interrupted
from ssl_bench.train.policies import check_policies
from ssl_bench.train.small_batches import check_small_batches
from ssl_bench.train.stages import check_stages
from ssl_bench.train.structure import check_groups, method_of, parts_of, streams_of, uses_labels
from ssl_bench.trial.evaluation import evaluate
from ssl_bench.trial.run_folder import Room
from ssl_bench.trial.training import Report, is_of_known_code, labels_seen, teach, train


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
  """Trains, evaluates and records a trial, unless its record is there; returns the record.

  With `only_evaluate` nothing is trained.

  A trial that fails or diverges is recorded as such.  Nothing is recorded where `should_stop` is true, which
  raises `Interrupted`, or where a checkpoint cannot be used, which raises `UnusableCheckpoint`.
  """
  numerics.check()
  dataset = data.load(config.dataset)
  identity = record.identify(config, dataset.fingerprint)
  if found := room.recorded(identity):
    return found
  dataset = stressed(config, dataset)
  started = _now()
  written: dict[str, Any] = {**describe(config, dataset), 'grid': grid}
  try:
    labeled = labeled_of(config, dataset)
    written |= describe_split(config, dataset, labeled)
    written['split'] |= describe_clients(config, dataset, labeled)
    written['labels_seen'] = labels_seen(config, dataset)
    teacher = teach(config, dataset, room, report, should_stop, only_evaluate)
    fitted = train(config, dataset, labeled, room, report, should_stop, teacher, only_evaluate)
    if not is_of_known_code(config, dataset, room):
      del written['versions']['code']
    written |= evaluate(config, dataset, labeled, fitted, should_stop, shared=shared)
    written |= {
      'status': 'done',
      'curve': fitted.history['curve'],
      'evaluations': fitted.history['evaluations'],
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
    _note(room, identity, traceback.format_exc())
  written['time'] = {'started': started, 'finished': _now()}
  record.write(written, room.records)
  return record.read(room.record_of(identity))


def check(config: Config, dataset: Dataset) -> None:
  """Raises `BadSetting` for settings that only the data tells wrong: labels, fold, batch, probes."""
  numerics.check()
  check_training(config, dataset)
  if method_of(parts_of(config, dataset)).predict is None and 'linear' not in config.evaluate.probes:
    raise BadSetting(
      f'{config.method["name"]} has no classifier of its own; add linear to evaluate.probes, which are '
      f'{list(config.evaluate.probes)}.'
    )


def check_training(config: Config, dataset: Dataset) -> None:
  """Raises `BadSetting` for a training, or one of its teachers', that the data cannot serve."""
  dataset = stressed(config, dataset)
  labeled = labeled_of(config, dataset)
  parts = parts_of(config, dataset)
  if dataset.kind == 'tokens' and method_of(parts).pixels:
    name = config.method['name']
    raise BadSetting(f'{name} works on pixels, and {dataset.name} has texts; use a method such as simclr.')
  check_batch(parts, streams_of(parts))
  check_policies(parts)
  check_groups(parts)
  if config.federated:
    federated.shares_of(config, dataset, labeled)
    federated.check_method(method_of(parts))
  if config.private:
    privacy.check_installed()
    check_private(config, dataset, labeled)
  check_stages(config, dataset)
  check_small_batches(config, dataset, labeled)
  if teacher := teacher_of(config):
    try:
      check_training(teacher, dataset)
    except BadSetting as error:
      raise BadSetting(f'teacher: {error}') from None


def describe(config: Config, dataset: Dataset) -> dict[str, Any]:
  """What a record says before anything ran."""
  versions = record.versions_of(config, dataset.fingerprint)
  return {
    'schema': record.SCHEMA,
    'id': record.identify(config, dataset.fingerprint),
    'protocol': config.protocol,
    'status': 'failed',
    'error': None,
    'config': to_dict(config),
    'augment_resolved': {
      k: augment.resolve(v, dataset.channels, dataset.kind) for k, v in config.augment.items()
    },
    'family': 'semi-supervised' if uses_labels(config, dataset) else 'self-supervised',
    'versions': {**versions, 'dataset': f'{dataset.name}/{dataset.version}', 'code': code_of(config)},
    'labels': 0,
    'labels_seen': 'trial',
    'split': {},
    'metrics': {},
    'curve': [],
    'evaluations': [],
    'cost': {},
    'environment': environment.describe(),
  }


def describe_clients(config: Config, dataset: Dataset, labeled: np.ndarray) -> dict[str, Any]:
  """How many images and, where training sees them, labels each client holds."""
  shares = federated.shares_of(config, dataset, labeled)
  if shares is None:
    return {}
  labels = {'labels': shares.labels.tolist()} if shares.labels.any() else {}
  return {'clients': {'images': shares.sizes.tolist(), **labels}}


def _note(room: Room, identity: str, text: str) -> None:
  """Keeps a failed trial's traceback beside the records, for whoever looks into it."""
  path = room.path / 'failures' / f'{identity}.txt'
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(text, encoding='utf-8')


def _now() -> str:
  return datetime.now(UTC).isoformat(timespec='seconds')
