"""Where the time of a training step goes, as ratios within one run: machines are noisy."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from rich.console import Console

from ssl_bench import pattern
from ssl_bench.config import Config
from ssl_bench.planning import make_plan
from ssl_bench.settings.signature import BadSetting
from ssl_bench.speed.step_parts import step_parts
from ssl_bench.training.loop import on_device
from ssl_bench.training.program import compile_program
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.training import Run, train

ROUNDS = 5


class Speed(NamedTuple):
  """Seconds per step of the bare step, of the training loop and of the loop with its interruptions."""

  device: str
  bare: float
  loop: float
  whole: float
  parts: dict[str, float]
  images: int  # augmented per step
  gflops: float  # per step
  compile: float


def measure(config: Config, steps: int) -> Speed:
  """Times a config's training for some steps, the loop and the bare step by turns.

  `loop` is training with its logs, `whole` with evaluations and checkpoints as well, `bare` the same
  compiled step in an empty Python loop; each is the median over rounds.  Where a pattern has a
  loop of its own, as federated training has, the step is that of one learner with all images.
  """
  short = config.teacher and config.teacher.model_copy(update={'steps': 1})  # what it learned does not matter
  usual = {name: None for name in config.patterns if pattern.get(name).loop}
  config = config.model_copy(update={'steps': steps, 'teacher': short, **usual})
  plan = make_plan(config)
  program = compile_program(plan.structure)
  if program.advance is None:
    name = config.method['name']
    raise BadSetting(f'{name} learns without steps, so there is no step to time; its record has the seconds.')
  step = program.advance
  with tempfile.TemporaryDirectory() as folder:
    teacher = train(plan.teachers[0], Run(RunFolder(Path(folder)))) if plan.teachers else None
  arrays, numbers = on_device(plan, teacher)

  def bare() -> float:
    state, totals = jax.block_until_ready(program.init(np.uint32(0), arrays, numbers))
    started = time.perf_counter()
    for _ in range(steps // program.stride):
      state, totals = step(state, totals, arrays, numbers)
    jax.block_until_ready(state)
    return (time.perf_counter() - started) / steps

  def trained() -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
      started = time.perf_counter()
      fitted = train(plan, Run(RunFolder(Path(folder))), teacher)
      whole = time.perf_counter() - started
    return sum(s for _, s, *_ in fitted.history['segments']) / steps, whole / steps

  trained()  # compiles what only evaluation needs
  rounds = [(bare(), *trained()) for _ in range(ROUNDS)]
  bare_step, loop, whole = (float(np.median(column)) for column in zip(*rounds))
  timed = {name: _time(run, steps) for name, run in step_parts(plan, arrays, numbers).items()}
  device = f'{jax.device_count()} × {jax.devices()[0].device_kind}'
  cost = program.cost
  flops, seconds = cost['gflops_per_step'], cost['compile_seconds']
  return Speed(device, bare_step, loop, whole, timed, program.views_per_step, flops, seconds)


def show(speed: Speed) -> None:
  """Prints a measurement."""
  console = Console(highlight=False)
  told: dict[str, Any] = {
    'device': speed.device,
    'compile': f'{speed.compile:.1f} s',
    'bare step, empty loop': f'{1e3 * speed.bare:.2f} ms, {1 / speed.bare:.1f} steps/s',
    'training': f'{1e3 * speed.loop:.2f} ms, {speed.bare / speed.loop:.2f}× the steps/s of the bare step',
    '… evaluation and saving in': f'{1e3 * speed.whole:.2f} ms, {speed.bare / speed.whole:.2f}×',
    'images augmented': f'{speed.images / speed.bare:,.0f} images/s ({speed.images} a step)',
    'operations': f'{speed.gflops / speed.bare:.1f} GFLOP/s ({speed.gflops:.3f} GFLOPs a step)',
  }
  for name, seconds in speed.parts.items():
    told[f'… {name}'] = f'{1e3 * seconds:.2f} ms, {seconds / speed.bare:.0%} of the bare step'
  for name, value in told.items():
    console.print(f'{name:>28}  {value}', markup=False)


def _time(run: Callable[[], Any], steps: int) -> float:
  jax.block_until_ready(run())
  seconds = []
  for _ in range(ROUNDS):
    started = time.perf_counter()
    for _ in range(max(1, steps // ROUNDS)):
      out = run()
    jax.block_until_ready(out)
    seconds.append((time.perf_counter() - started) / max(1, steps // ROUNDS))
  return float(np.median(seconds))
