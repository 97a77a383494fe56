"""The evaluation of a trial: every measure is asked about the trained state."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ssl_bench import measures
from ssl_bench.config import Config
from ssl_bench.data.arrays import Dataset
from ssl_bench.evaluate.trained import Trained
from ssl_bench.train.loop import Fitted


def evaluate(
  config: Config,
  dataset: Dataset,
  labeled: np.ndarray,
  fitted: Fitted,
  should_stop: Callable[[], bool] = lambda: False,
  *,
  shared: bool = False,
) -> dict[str, Any]:
  """The `metrics` and the `cost` of a trained state, as a record keeps them.

  Args:
    config: the trial's.
    dataset: under the trial's stress.
    labeled: positions in the training part whose labels the trial has.
    fitted: what came out of training.
    should_stop: asked between two measures; where it says so, `Interrupted` is raised.
    shared: whether other trials ran on the machine meanwhile, so that times say little.
  """
  return measures.measured(Trained(config, dataset, labeled, fitted, should_stop, shared=shared))
