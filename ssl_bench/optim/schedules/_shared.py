"""What several schedules share: a part of the run, written as a number or as a fraction."""

import re
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp

from ssl_bench.settings.signature import BadSetting

Part = float | str  # 0.4375, or 7/16


def part_of(value: Part, sample: str) -> float:
  """A part in [0, 1) of a run; raises `BadSetting`, with a sample of how to write it, for anything else."""
  try:
    if isinstance(value, str) and not re.fullmatch(r'\d{1,9}(/\d{1,9})?|\d{0,9}\.\d{1,20}', value.strip()):
      raise ValueError(value)
    part = Fraction(str(value))
  except (ValueError, ZeroDivisionError):
    raise BadSetting(f'write one number or fraction, such as {sample}.') from None
  if not 0 <= part < 1:
    raise BadSetting(f'write one number in [0, 1), such as {sample}.')
  return float(part)


def done(step: Any, steps: Any) -> jax.Array:
  """The part of a run that is over before `step`, in [0, 1]."""
  return jnp.minimum(jnp.asarray(step, 'float32') / steps, 1)
