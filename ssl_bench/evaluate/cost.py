"""What training costs: time in the steady state, and operations counted on the lowered step."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def cost(program, segments: Sequence[Sequence[float]], *, shared: bool) -> dict[str, Any]:
  """The cost of a trained program, per epoch and per 1,000 augmented images that it looks at.

  Args:
    program: what was run; its GFLOPs per step are counted on the lowered step, the same on every backend.
    segments: [steps, seconds] between two logs, held-out evaluation and saving left out.
    shared: whether other trials ran on the machine meanwhile.
  """
  per_step = seconds_per_step(segments)
  steps = program.steps_per_epoch
  flops = program.cost['gflops_per_step']
  epoch = None if per_step is None else per_step * steps
  return {
    'seconds_per_epoch': epoch,
    'images_per_second': program.images_per_step / per_step if per_step else None,
    'seconds_per_1000_views': 1000 * per_step / program.views_per_step if per_step else None,
    'steps_per_epoch': steps,
    'steps_per_second': 1 / per_step if per_step else None,
    'gflops_per_step': flops,
    'gflops_per_epoch': flops * steps,
    'gflops_per_1000_views': 1000 * flops / program.views_per_step,
    'compile_seconds': program.cost['compile_seconds'],
    'train_seconds': float(sum(seconds for _, seconds in segments)),
    'peak_memory_bytes': program.cost['memory_bytes'],  # of the compiled step, its data included
    'shared': shared,
  }


def seconds_per_step(segments: Sequence[Sequence[float]]) -> float | None:
  """The median over segments, the first (caches, clocks) left out where there are others."""
  rates = [seconds / steps for steps, seconds in segments if steps]
  return float(np.median(rates[1:] or rates)) if rates else None
