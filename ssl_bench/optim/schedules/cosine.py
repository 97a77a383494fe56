"""A part of a cosine over the run."""

from collections.abc import Callable

import jax.numpy as jnp

from ssl_bench.optim.schedules._shared import Part, done, part_of


def cosine(*, part: Part = '7/16') -> Callable:
  """cos(π · part · step / steps): with 7/16 the schedule of FixMatch, which ends at 0.195.

  Args:
    part: of half a period, in [0, 1).
  """
  angle = jnp.pi * part_of(part, 'cosine(7/16)')
  return lambda step, steps: jnp.cos(angle * done(step, steps))
