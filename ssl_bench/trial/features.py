"""The features of all parts of a data set, from the trained network of a record."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ssl_bench.config import validate
from ssl_bench.data.arrays import Dataset
from ssl_bench.evaluation import predict
from ssl_bench.planning import make_plan
from ssl_bench.records import record
from ssl_bench.settings.signature import BadSetting
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.training import Run, train


def features_of_parts(path: Path, name: str) -> Callable[[Dataset], dict[str, np.ndarray]]:
  """A function from a set to the features of its labeled parts, float32 [N, D], by a record's network.

  Raises `BadSetting` where the record is of another set than `name`, and, when it is called,
  `UnusableCheckpoint` where the record's run folder has no checkpoint of its last step.
  """
  config = validate(record.read(path)['config'])
  if config.dataset != name:
    raise BadSetting(f'{path} is of {config.dataset}, not of {name}; give a record of that set.')

  def features(data: Dataset) -> dict[str, np.ndarray]:
    fitted = train(make_plan(config, data), Run(RunFolder.of_record(path), only_restore=True))
    images = {part: getattr(data, f'{part}_images') for part in ('train', 'validation', 'test')}
    see = lambda batch: predict.observe(fitted.program, fitted.state, fitted.numbers, batch).features
    return {part: np.asarray(see(batch)) for part, batch in images.items()}

  return features
