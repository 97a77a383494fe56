"""Training runs without a run folder: from a config and a place for checkpoints."""

import jax
import numpy as np

from ssl_bench.planning import make_plan
from ssl_bench.training.loop import fit


def train(config, folder, **more):
  return fit(make_plan(config), folder, **more)


def arrays(tree) -> list[np.ndarray]:
  def plain(x):
    return np.asarray(jax.random.key_data(x) if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key) else x)

  return [plain(x) for x in jax.tree.leaves(tree)]


def stop_after(steps):
  calls = iter(range(1, 10**6))
  return lambda: next(calls) == steps
