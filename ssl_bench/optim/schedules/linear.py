"""The same rate at first, then a straight line to 0."""

from collections.abc import Callable

import jax.numpy as jnp

from ssl_bench.optim.schedules._shared import Part, done, part_of


def linear(*, start: Part = '2/3') -> Callable:
  """1 until `start` of the run, then linearly to 0 at its end (CuriousAI/ladder: from 0.67 on).

  Args:
    start: part of the run, in [0, 1).
  """
  begin = part_of(start, 'linear(2/3)')
  return lambda step, steps: jnp.minimum((1 - done(step, steps)) / (1 - begin), 1)
