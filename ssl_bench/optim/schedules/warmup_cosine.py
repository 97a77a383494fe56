"""A linear warmup, then half a cosine."""

from collections.abc import Callable

import jax.numpy as jnp

from ssl_bench.optim.schedules._shared import Part, done, part_of


def warmup_cosine(*, warmup: Part = '0.1') -> Callable:
  """Linear from 0 over the first `warmup` of the run, then half a cosine down to 0.

  Args:
    warmup: part of the run, in [0, 1).
  """
  w = part_of(warmup, 'warmup_cosine(0.1)')

  def schedule(step, steps):
    t = done(step, steps)
    return jnp.where(t < w, t / max(w, 1e-9), (1 + jnp.cos(jnp.pi * (t - w) / (1 - w))) / 2)

  return schedule
