"""What it saves to train several seeds in one program, as ratios within one run: machines are noisy."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from rich.console import Console

from ssl_bench.config import Config
from ssl_bench.planning import make_plan
from ssl_bench.settings.signature import BadSetting
from ssl_bench.speed.measure import ROUNDS
from ssl_bench.training.program import compile_program
from ssl_bench.training.together import Inputs, can_join, compile_together


class Gain(NamedTuple):
  """Seconds of a step of all seeds, the median over rounds."""

  seeds: int
  alone: float  # one seed after the other
  together: float  # in one program


def measure_seeds(config: Config, steps: int, counts: Sequence[int]) -> list[Gain]:
  """Times the bare step of a config for several seeds, one after the other and in one program by turns.

  Raises `BadSetting` for a config whose seeds are not trained in one program.
  """
  if not can_join(make_plan(config)) or jax.device_count() > 1:
    raise BadSetting(
      'Seeds are trained in one program on one device, where a training is a fixed number of steps: without '
      'a teacher, a pattern, early_stop, a graph, or what a method does between epochs. Leave --seeds out.'
    )
  return [_measure(config, steps, count) for count in counts]


def _measure(config: Config, steps: int, count: int) -> Gain:
  seeds = [{'seed': config.seed + i, 'split_seed': config.split_seed + i} for i in range(count)]
  plans = [make_plan(config.model_copy(update=both)) for both in seeds]
  program, inputs = compile_program(plans[0].structure), Inputs(plans)
  step, compiled = program.advance, compile_together(plans[0].structure, count, inputs.differ)
  given = inputs.stacked(range(count))
  assert step is not None

  def begin(index: int) -> Any:
    return program.init(np.uint32(plans[index].config.seed), *inputs.of(index))

  def alone() -> float:
    return sum(_time(step, begin(index), inputs.of(index), steps // program.stride) for index in range(count))

  def together() -> float:
    carry = compiled.stack([*map(begin, range(count))])
    return _time(compiled.advance, carry, given, steps // program.stride)

  rounds = [(alone(), together()) for _ in range(ROUNDS)]
  one, all_ = (float(np.median(column)) / program.stride for column in zip(*rounds))
  return Gain(count, one, all_)


def _time(step: Callable[..., Any], carry: Any, given: Any, times: int) -> float:
  """Seconds of a dispatch."""
  jax.block_until_ready(carry)
  started = time.perf_counter()
  for _ in range(times):
    carry = step(*carry, *given)
  jax.block_until_ready(carry)
  return (time.perf_counter() - started) / times


def show_seeds(gains: Sequence[Gain]) -> None:
  """Prints a line for each number of seeds."""
  console = Console(highlight=False, soft_wrap=True)
  for seeds, alone, together in gains:
    console.print(
      f'{seeds:>3} seeds: {1e3 * together:.2f} ms a step in one program, {1e3 * alone:.2f} ms one after the '
      f'other: {alone / together:.2f}× the steps/s',
      markup=False,
    )
