"""What training costs: time in the steady state, and operations counted on the lowered step."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def cost(
  program, segments: Sequence[Sequence[float]], *, memory: float | None, shared: bool
) -> dict[str, Any]:
  """The cost of a trained program, per epoch and per 1,000 images.

  Args:
    program: what was run; its GFLOPs per step are counted on the lowered step, the same on every backend.
    segments: [steps, seconds] between two logs, held-out evaluation and saving left out.
    memory: peak bytes of the device where it tells, else those of the compiled step.
    shared: whether other trials ran on the machine meanwhile.
  """
  per_step = seconds_per_step(segments)
  steps = program.steps_per_epoch
  flops = program.cost['gflops_per_step']
  epoch = None if per_step is None else per_step * steps
  return {
    'seconds_per_epoch': epoch,
    'images_per_second': program.epoch_images / epoch if epoch else None,
    'seconds_per_1000_images': 1000 * epoch / program.epoch_images if epoch else None,
    'steps_per_epoch': steps,
    'steps_per_second': 1 / per_step if per_step else None,
    'gflops_per_step': flops,
    'gflops_per_epoch': flops * steps,
    'gflops_per_1000_images': 1000 * flops * steps / program.epoch_images,
    'compile_seconds': program.cost['compile_seconds'],
    'train_seconds': float(sum(seconds for _, seconds in segments)),
    'peak_memory_bytes': memory if memory is not None else program.cost['memory_bytes'],
    'shared': shared,
  }


def seconds_per_step(segments: Sequence[Sequence[float]]) -> float | None:
  """The median over segments, the first (caches, clocks) left out where there are others."""
  rates = [seconds / steps for steps, seconds in segments if steps]
  return float(np.median(rates[1:] or rates)) if rates else None


def peak_memory() -> float | None:
  """The device's own count of its peak, in bytes, where it keeps one."""
  import jax

  stats: Mapping[str, Any] | None = jax.devices()[0].memory_stats()
  return float(stats['peak_bytes_in_use']) if stats and 'peak_bytes_in_use' in stats else None
