"""The library: plan, train and evaluate a trial, and use a trained network, from Python."""

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jax

from ssl_bench import augment
from ssl_bench.config import Config, load, validate
from ssl_bench.contract import scale
from ssl_bench.evaluation.network import TrainedNetwork as TrainedNetwork
from ssl_bench.planning import Plan, make_plan
from ssl_bench.records import record
from ssl_bench.settings.signature import BadSetting
from ssl_bench.training.loop import Fitted
from ssl_bench.trial import evaluation, training
from ssl_bench.trial.run_folder import RunFolder


def load_config(path: str | Path, overrides: Iterable[str] = ()) -> Config:
  """The config of a trial, from a file and settings of the form `'steps=100'`.

  Args:
    path: such as `configs/digits/fixmatch.yaml`.
    overrides: settings that win over the file's, as on the command line.

  Raises:
    BadSetting: there is no such file, or a setting is wrong; one sentence.

  Example:
    >>> load_config('configs/digits/fixmatch.yaml', ['labels=20']).labels
    20
  """
  return load(path, overrides)


def plan(config: Config) -> Plan:
  """All that is known of a trial before it trains, checked against its data.

  Raises:
    BadSetting: the settings do not fit the data, or each other.

  Example:
    >>> plan(load_config('configs/digits/fixmatch.yaml', ['labels=20'])).labeled.shape
    (20,)
  """
  return make_plan(config)


def train(
  plan: Plan,
  folder: str | Path | None = None,
  *,
  report: Callable[[int, dict[str, Any]], None] = lambda step, metrics: None,
) -> Fitted:
  """Trains a trial, its teacher first.

  Args:
    plan: the trial.
    folder: where checkpoints go, from which a second call goes on; without one nothing is kept on disk.
    report: is given the step and the means of the metrics at every log, and at every look at held-out images
      what was noted, as `evaluate/NAME`.

  Returns:
    The trained state, with its history: `curve`, `evaluations`, `segments`.

  Raises:
    Diverged: the loss or its gradient was not finite.

  Example:
    >>> trial = plan(load_config('configs/digits/supervised.yaml', ['steps=10', 'labels=20']))
    >>> int(train(trial).state.step)
    10
  """
  if folder is not None:
    return training.train(plan, training.Run(RunFolder(Path(folder)), report))
  with tempfile.TemporaryDirectory() as temporary:
    return training.train(plan, training.Run(RunFolder(Path(temporary)), report))


def evaluate(plan: Plan, fitted: Fitted) -> dict[str, Any]:
  """Every measure of the protocol, as it stands in a record's `metrics`."""
  return evaluation.evaluate(plan, fitted)['metrics']


def policy(
  text: str, channels: int = 1, kind: str = 'image', columns: tuple[int, ...] | None = None
) -> Callable[[jax.Array, Any], jax.Array]:
  """An augmentation policy as methods use it: (key, uint8 image [H, W, C]) -> float32 image in [-1, 1].

  Args:
    text: such as `'flip | crop(4)'`, or `'none'`, which only puts images on that scale.
    channels: of the images.
    kind: `'image'`; `'tokens'` for texts, which stay whole numbers; `'series'` or `'table'`, which stay;
      `'audio'` for clips, int16 [samples], which become log-mel spectrograms, float32 [frames, bands, 1].
    columns: of a table, how many values each column has; see `Dataset`.

  Raises:
    BadSetting: the text names no operation, or a setting of one is wrong.

  Example:
    >>> import numpy as np
    >>> image = policy('none')(jax.random.key(0), np.full((8, 8, 1), 255, 'uint8'))
    >>> float(image.max())
    1.0
  """
  change = augment.compile_policy(augment.resolve(text, channels, kind), channels, kind, columns)
  return lambda key, image: scale(change(key, image), kind)


def load_trained(path: str | Path) -> TrainedNetwork:
  """The trained network of a record, from the checkpoints of its run folder.

  Args:
    path: a record in a run folder, such as `runs/train/records/0123456789abcdef.json`, or a run folder that
      has one record only.

  Raises:
    BadSetting: there is no such record, or several.
    UnusableCheckpoint: the run folder has no checkpoint of its last step.
  """
  path = Path(path)
  if path.is_dir():
    found = sorted((path / 'records').glob('*.json'))
    if len(found) != 1:
      count = f'{len(found)} records' if found else 'no record'
      raise BadSetting(f'{path} has {count}; name one, such as {path / "records"}/<id>.json.')
    path = found[0]
  trial = make_plan(validate(record.read(path)['config']))
  run = training.Run(RunFolder.of_record(path), only_restore=True)
  return TrainedNetwork(trial, training.train(trial, run))
