"""Training runs without a run folder: from a config and a place for checkpoints."""

import jax
import numpy as np

from ssl_bench import data
from ssl_bench.train.loop import fit
from ssl_bench.trial.run import labeled_of


def train(config, folder, **more):
  dataset = data.load(config.dataset)
  return fit(config, dataset, labeled_of(config, dataset), folder, **more)


def arrays(tree) -> list[np.ndarray]:
  def plain(x):
    return np.asarray(jax.random.key_data(x) if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key) else x)

  return [plain(x) for x in jax.tree.leaves(tree)]


def stop_after(steps):
  calls = iter(range(1, 10**6))
  return lambda: next(calls) == steps
