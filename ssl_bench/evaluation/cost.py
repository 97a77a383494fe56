"""What training and prediction cost: time in the steady state, operations counted on what is lowered."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from ssl_bench.dependence import depends
from ssl_bench.evaluation.predict import chunk_size
from ssl_bench.training import memory
from ssl_bench.training.loop import Fitted
from ssl_bench.training.program import Program

ROUNDS = 7  # of timing a prediction
QUIET = 0.25  # cores busy with other work, at most, for a time to count as that of a machine of its own


def cost(program: Program, segments: Sequence[Sequence[float]], *, shared: bool) -> dict[str, Any]:
  """The cost of a trained program, per epoch and per 1,000 augmented images that it looks at.

  Args:
    program: what was run; its GFLOPs per step are counted on the lowered step, the same on every backend.
    segments: [steps, seconds, cores busy with other work] between two logs, held-out evaluation and saving
      left out of the seconds; and how many trainings took them in one program, where there were several.
    shared: whether other trials ran on the machine meanwhile; else the segments tell.
  """
  per_step = seconds_per_step(segments)
  steps = program.steps_per_epoch
  flops = program.cost['gflops_per_step']
  epoch = None if per_step is None else per_step * steps
  many = max((segment[3] for segment in segments if len(segment) > 3), default=1)
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
    'train_seconds': float(sum(seconds for _, seconds, *_ in segments)),
    'peak_memory_bytes': program.cost['memory_bytes'],  # of the compiled step, its data included
    'shared': shared or many > 1 or beside(segments) > QUIET,
    **({'together': many} if many > 1 else {}),
    **({'steps': 1} if program.advance is None else {}),  # those taken, where they are not the config's
  }


def beside(segments: Sequence[Sequence[float]]) -> float:
  """Cores that other work kept busy meanwhile, the median over segments; 0 where it was not noted."""
  return float(np.median([cores for _, _, *noted in segments for cores in noted[:1]] or [0.0]))


def seconds_per_step(segments: Sequence[Sequence[float]]) -> float | None:
  """The median over segments, the first (caches, clocks) left out where there are others."""
  rates = [seconds / steps for steps, seconds, *_ in segments if steps]
  return float(np.median(rates[1:] or rates)) if rates else None


def inference(program: Program, state: Any, numbers: Any, images: np.ndarray) -> dict[str, float]:
  """The size and the speed of the network that is evaluated, its classifier included where it has one.

  Args:
    program: what was run.
    state: trained.
    numbers: the trial's.
    images: uint8 [n, H, W, C], some to time.
  """
  size = chunk_size(program)
  chunk = np.resize(images, (size, *images.shape[1:]))
  infer: Any = program.infer  # compiled by `jax.jit`
  lowered = infer.lower(state, numbers, chunk)
  rounds = []
  for _ in range(ROUNDS):
    started = time.perf_counter()
    jax.block_until_ready(program.observe(state, numbers, chunk))
    rounds.append(time.perf_counter() - started)
  return {
    'parameters': count_parameters(infer.__wrapped__, state, numbers, chunk),
    'gflops_per_image': float((lowered.cost_analysis() or {}).get('flops', 0)) / 1e9 / size,
    'inference_images_per_second': size / float(np.median(rounds[1:])),
  }


def count_parameters(infer: Callable[..., Any], state: Any, numbers: Any, images: np.ndarray) -> int:
  """How many trained numbers decide what `infer` gives: no projector, no running moments, no second copy."""
  read, *_ = depends(infer, state, numbers, images)
  trained = lambda path, leaf: leaf.ndim > 0 and 'batch_stats' not in jax.tree_util.keystr(path)
  leaves = jax.tree_util.tree_leaves_with_path(state)
  return sum(
    leaf.size for (path, leaf), used in zip(leaves, jax.tree.leaves(read)) if used and trained(path, leaf)
  )


def of_machine(utilization: float | None) -> dict[str, float]:
  """Peak memory of the process and of its device, and how busy devices were, as far as the machine tells."""
  found = {f'peak_{name}_memory_bytes': value for name, value in memory.peak().items()}
  return found if utilization is None else {**found, 'device_utilization': utilization}


def teaching_gflops(fitted: Fitted) -> dict[str, float]:
  """The operations that a trial's teachers took to train; empty where it has none."""
  total, teacher = 0.0, fitted.teacher
  while teacher:
    steps = int(teacher.state.step) if teacher.program.advance else 1
    total += teacher.program.cost['gflops_per_step'] * steps
    teacher = teacher.teacher
  return {'teacher_gflops': total} if fitted.teacher else {}
