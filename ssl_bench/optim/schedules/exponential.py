"""A factor at equal distances: the rate falls in stairs."""

from collections.abc import Callable
from typing import Annotated

import jax.numpy as jnp

from ssl_bench.optim.schedules._shared import done
from ssl_bench.settings.signature import Range


def exponential(
  *, factor: Annotated[float, Range(0, 1, above=True)] = 0.9, times: Annotated[int, Range(1, 2**20)] = 100
) -> Callable:
  """factor^k after k of `times` equal parts of the run, such as epochs (Miyato et al. 2016: 0.9, 100).

  Args:
    factor: of the rate, from one part to the next.
    times: parts of the run.
  """
  return lambda step, steps: factor ** jnp.minimum(jnp.floor(times * done(step, steps)), times - 1)
