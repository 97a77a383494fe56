"""One trial, from its config to its record."""

import fcntl
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ssl_bench import augment, data
from ssl_bench.config import Config, to_dict
from ssl_bench.data.arrays import Dataset
from ssl_bench.evaluate import cost, measure, predict, scores
from ssl_bench.method import without_average
from ssl_bench.records import environment, record
from ssl_bench.signature import BadSetting
from ssl_bench.train.batch import check_batch
from ssl_bench.train.fit import Diverged, Fitted, Interrupted, fit
from ssl_bench.train.structure import check_groups, method_of, parts_of, streams_of, uses_labels

Report = Callable[[int, dict[str, Any]], None]


class Room:
  """The folder that a grid or a train command writes: records, checkpoints, and what is built from them."""

  def __init__(self, path: Path):
    self.path = path
    self.records = path / 'records'
    self.checkpoints = path / 'checkpoints'

  @contextmanager
  def alone(self, what: str = 'all') -> Iterator[None]:
    """Holds a lock; raises `BadSetting` where another process holds it."""
    self.path.mkdir(parents=True, exist_ok=True)
    with open(self.path / f'.lock-{what}', 'w') as lock:
      try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
      except BlockingIOError:
        raise BadSetting(f'Another process works in {self.path}; wait for it, or stop it first.') from None
      yield

  def record_of(self, identity: str) -> Path:
    return self.records / f'{identity}.json'

  def recorded(self, identity: str) -> dict[str, Any] | None:
    """The record of a trial that came to an end; a failed one is run again."""
    path = self.record_of(identity)
    found = record.read(path) if path.is_file() else None
    return found if found and found['status'] != 'failed' else None


def run_trial(
  config: Config,
  room: Room,
  *,
  grid: str | None = None,
  shared: bool = False,
  report: Report = lambda step, metrics: None,
  should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
  """Trains, evaluates and records a trial, unless its record is there; returns the record.

  A trial that fails or diverges is recorded as such; `Interrupted` is raised, and nothing recorded, where
  `should_stop` says so.
  """
  dataset = data.load(config.dataset)
  identity = record.identify(config, dataset.fingerprint)
  if found := room.recorded(identity):
    return found
  started = _now()
  written: dict[str, Any] = {**describe(config, dataset), 'grid': grid}
  try:
    labeled = labeled_of(config, dataset)
    written |= describe_split(dataset, labeled)
    fitted = train(config, dataset, labeled, room, report, should_stop)
    written |= evaluate(config, dataset, labeled, fitted)
    written |= {
      'status': 'done',
      'curve': fitted.history['curve'],
      'evaluations': fitted.history['evaluations'],
      'cost': cost.cost(fitted.program, fitted.history['segments'], shared=shared),
    }
  except Interrupted:
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
  labeled_of(config, dataset)
  parts = parts_of(config, dataset)
  check_batch(parts, streams_of(parts))
  check_groups(parts)
  if method_of(parts).predict is None and 'linear' not in config.evaluate.probes:
    raise BadSetting(
      f'{config.method["name"]} has no classifier of its own; add linear to evaluate.probes, which are '
      f'{list(config.evaluate.probes)}.'
    )


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
    'augment_resolved': {k: augment.resolve(v, dataset.channels) for k, v in config.augment.items()},
    'family': 'semi-supervised' if uses_labels(config, dataset) else 'self-supervised',
    'versions': {**versions, 'dataset': f'{dataset.name}/{dataset.version}'},
    'labels': 0,
    'labels_seen': 'trial',
    'split': {},
    'metrics': {},
    'curve': [],
    'evaluations': [],
    'cost': {},
    'environment': environment.describe(),
  }


def labeled_of(config: Config, dataset: Dataset) -> np.ndarray:
  """Positions in the training part whose labels the trial sees."""
  fold = None
  if config.fold is not None:
    if not dataset.folds or config.fold >= len(dataset.folds):
      raise BadSetting(f'{dataset.name} has {len(dataset.folds or ())} folds; leave fold={config.fold} out.')
    fold = dataset.folds[config.fold]
  return data.labeled_indices(
    dataset.train_labels, config.labels, split_seed=config.split_seed, classes=dataset.classes, fold=fold
  )


def describe_split(dataset: Dataset, labeled: np.ndarray) -> dict[str, Any]:
  """Sizes and hash of the parts."""
  index = (dataset.train_index[labeled], dataset.train_index, dataset.validation_index, dataset.test_index)
  sizes = dict(zip(('labeled', 'train', 'validation', 'test'), map(len, index)))
  return {'labels': len(labeled), 'split': {'hash': data.split_hash(*index), **sizes}}


def train(
  config: Config, dataset: Dataset, labeled: np.ndarray, room: Room, report: Report, should_stop
) -> Fitted:
  """Trains, or takes up a training that another label budget of the same pretraining began or ended."""
  seen = uses_labels(config, dataset)
  name = record.identify_training(config, dataset.fingerprint, seen)
  held = np.concatenate([dataset.validation_images, dataset.test_images])
  cut = len(dataset.validation_labels)

  def watch(program, state, numbers):
    logits = predict.observe(program, state, numbers, held).logits
    assert logits is not None
    return {
      'validation_accuracy': scores.accuracy(logits[:cut], dataset.validation_labels),
      'test_accuracy': scores.accuracy(logits[cut:], dataset.test_labels),
    }

  return fit(
    config,
    dataset,
    labeled,
    room.checkpoints / name,
    watch=watch if seen else None,
    report=report,
    should_stop=should_stop,
  )


def evaluate(config: Config, dataset: Dataset, labeled: np.ndarray, fitted: Fitted) -> dict[str, Any]:
  """The `metrics` of a trained state."""
  program, numbers, state, history = fitted
  look = lambda state, images: predict.observe(program, state, numbers, images)
  parts = {
    'train': dataset.train_images,
    'validation': dataset.validation_images,
    'test': dataset.test_images,
  }
  seen = {name: look(state, images) for name, images in parts.items()}
  few = dataset.test_images[: measure.HEALTH_IMAGES]
  pair = [look(state, predict.views(config.augment['strong'], key, few)).features for key in (0, 1)]
  measures, budget = measure.probes(config.evaluate.probes, dataset, labeled, seen)
  measures |= measure.condition(seen['test'].features, *pair)
  own = (seen['validation'].logits, seen['test'].logits) if program.has_classifier else budget
  judge = lambda logits: measure.classifier(
    logits[0], dataset.validation_labels, logits[1], dataset.test_labels, config.evaluate.bootstrap
  )
  if own is not None:
    measures |= judge(own)
  measures['classifier'] = 'own' if program.has_classifier else 'probe with the same labels'
  if config.ema and program.has_classifier:
    raw = without_average(state)
    validation, test = (look(raw, parts[name]).logits for name in ('validation', 'test'))
    whole = judge((validation, test))
    measures['raw'] = {k: whole[k] for k in ('accuracy', 'nll', 'brier', 'ece')}
  measures |= measure.selected(history['evaluations'], config.evaluate.last)
  last = history['curve'][-1]
  pseudo = {k.removeprefix('pseudo/'): v for k, v in last.items() if k.startswith('pseudo/')}
  if 'agreement' in last:
    pseudo['agreement'] = last['agreement']
  return {'metrics': measures | ({'pseudo_labels': pseudo} if pseudo else {})}


def _note(room: Room, identity: str, text: str) -> None:
  """Keeps a failed trial's traceback beside the records, for whoever looks into it."""
  path = room.path / 'failures' / f'{identity}.txt'
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(text)


def _now() -> str:
  return datetime.now(UTC).isoformat(timespec='seconds')
