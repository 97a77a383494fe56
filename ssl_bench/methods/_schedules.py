"""Schedules inside a method: a weight that rises, and a decay that ends at one."""

from typing import Any

import jax
import jax.numpy as jnp


def linear_ramp(step: jax.Array, length: Any) -> jax.Array:
  """0 at step 0, rising linearly to 1 at step `length`, and 1 from there on; float32 []."""
  return jnp.minimum(step.astype('float32') / length, 1)


def cosine_to_one(start: Any, step: jax.Array, steps: Any) -> jax.Array:
  """1 − (1 − start)(cos(π · step / steps) + 1)/2: `start` at step 0, and 1 from `steps` on; float32 []."""
  return 1 - (1 - start) * (jnp.cos(jnp.pi * jnp.minimum(step.astype('float32') / steps, 1)) + 1) / 2


def gaussian_ramp(step: jax.Array, length: Any) -> jax.Array:
  """exp(−5 (1 − step / length)²), which is 0.007 at step 0, and 1 from step `length` on; float32 []."""
  return jnp.exp(-5 * jnp.square(1 - linear_ramp(step, length)))
