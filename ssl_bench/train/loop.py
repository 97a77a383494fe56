"""The loop: advance, and at intervals log, look at held-out images, save.

Nothing is fetched to the host between two logs, so the device never waits for Python.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssl_bench import parallel
from ssl_bench.config import Config
from ssl_bench.data.arrays import Dataset
from ssl_bench.train import federated, log
from ssl_bench.train.checkpoint import Checkpoints, UnusableCheckpoint
from ssl_bench.train.machine_load import Others
from ssl_bench.train.program import Program, compile_program
from ssl_bench.train.structure import arrays_of, numbers_of, structure_of, teaching


class Interrupted(Exception):
  """Training was asked to stop; its state is saved, unless a step since the last log was not finite."""

  def __init__(self, step: int, bad_step: int = -1, saved: int | None = None):
    told = f'Stopped at step {step}, which is saved; the same command goes on from there.'
    if step == 0:
      told = 'Stopped before the first step; the same command starts again.'
    elif bad_step >= 0:
      start = f'step {saved}' if saved else 'the start'
      told = f'Stopped at step {step}, not saved since step {bad_step} was not finite; '
      told += f'the same command goes on from {start}.'
    super().__init__(told)
    self.step = step


class Diverged(Exception):
  """The loss or its gradient was not finite."""

  def __init__(self, step: int, saved: int | None, history: dict[str, Any]):
    kept = f'the checkpoint of step {saved}, before it, is kept' if saved else 'no checkpoint came before it'
    super().__init__(f'The loss or its gradient was not finite at step {step}; {kept}.')
    self.step, self.saved, self.history = step, saved, history

  def of_teacher(self) -> 'Diverged':
    """The same, as the end of a trial that needs this training."""
    self.args = (f'Its teacher: {self}',)
    self.history = {'curve': [], 'evaluations': []}
    return self


class Fitted(NamedTuple):
  """A trained state and how it came about."""

  program: Program
  numbers: Any
  state: Any
  history: dict[str, Any]  # curve, evaluations, segments: [steps, seconds, cores busy with other work]
  teacher: 'Fitted | None' = None


def shown(fitted: Fitted) -> Any:
  """The state of a training as its method reads it."""
  return federated.evaluated(fitted.state) if fitted.program.federated else fitted.state


def fit(
  config: Config,
  dataset: Dataset,
  labeled: np.ndarray,
  folder: Path,
  *,
  teacher: Fitted | None = None,
  watch: Callable[[Program, Any, Any], dict[str, float]] | None = None,
  report: Callable[[int, dict[str, float]], None] = lambda step, metrics: None,
  should_stop: Callable[[], bool] = lambda: False,
  only_restore: bool = False,
) -> Fitted:
  """Trains to `config.steps`, from the newest checkpoint in `folder` if there is one.

  Args:
    config: the trial.
    dataset: its data.
    labeled: positions of the labeled images in the training part.
    folder: where checkpoints go.
    teacher: the trained teacher, where the config has one.
    watch: (program, state, numbers) -> what to note every `config.evaluate.every` steps.
    report: told the step and the means of the metrics at every log.
    should_stop: asked after each advance; true saves and raises `Interrupted`.
    only_restore: take the training from its last checkpoint, and train nothing.

  Raises:
    Interrupted: asked to stop.
    Diverged: a loss was not finite.
    UnusableCheckpoint: it cannot be read, or `only_restore` finds none of the last step.
  """
  program = compile_program(structure_of(config, dataset))
  spread = parallel.everywhere(parallel.make_mesh())
  data = jax.device_put(arrays_of(dataset, labeled, federated.shares_of(config, dataset, labeled)), spread)
  taught = teaching(shown(teacher), teacher.numbers) if teacher else None
  numbers = jax.device_put(numbers_of(config, len(labeled), taught), spread)
  state, totals = program.init(np.uint32(config.seed), data, numbers)
  empty = jax.device_put(jax.device_get(totals), spread)
  history: dict[str, Any] = {'curve': [], 'evaluations': [], 'segments': []}
  checkpoints = Checkpoints(folder)
  try:
    if saved := checkpoints.restore((state, totals)):
      (state, totals), history = saved
    if only_restore and checkpoints.latest() != config.steps:
      raise UnusableCheckpoint(f'{folder} has no checkpoint of step {config.steps}; train it first.')
    if program.advance is None:
      state = _learn_at_once(program, state, data, numbers, history)
      if watch and program.uses_labels and not history['evaluations']:
        history['evaluations'].append({'step': config.steps, **watch(program, state, numbers)})
      if not saved:
        checkpoints.save(config.steps, (state, totals), history)
      report(config.steps, {})
      return Fitted(program, numbers, state, history, teacher)
    step, mark, others = int(state.step), time.perf_counter(), Others()
    since = step
    while step < config.steps:
      state, totals = program.advance(state, totals, data, numbers)
      step += program.stride
      at = lambda every, step=step: step % every < program.stride or step == config.steps
      if at(config.log_every):
        metrics, bad_step = log.means(jax.device_get(totals), step)
        totals = jax.tree.map(jnp.copy, empty)
        if bad_step >= 0:
          raise Diverged(bad_step, checkpoints.latest(), history)
        history['segments'].append([step - since, time.perf_counter() - mark, others.cores()])
        history['curve'].append(metrics)
        report(step, metrics)
        since, mark = step, time.perf_counter()
      more = step < config.steps or program.transduce  # else nothing could be learned from it
      if program.refresh and more and step % program.steps_per_epoch < program.stride:
        state = program.refresh(state, data, numbers)
      look = watch is not None and at(config.evaluate.every)
      save, stop = at(config.checkpoint.every), should_stop()
      if look or save or stop:
        jax.block_until_ready(state)
        pause = time.perf_counter()
        if look and watch:
          history['evaluations'].append({'step': step, **watch(program, state, numbers)})
        if (save or stop) and (bad_step := int(totals['bad_step'])) < 0:
          checkpoints.save(step, (state, totals), history)
        if stop and step < config.steps:
          raise Interrupted(step, bad_step, checkpoints.latest())
        mark += time.perf_counter() - pause
    return Fitted(program, numbers, state, history, teacher)
  finally:
    checkpoints.close()


def _learn_at_once(program: Program, state, data, numbers, history: dict[str, Any]):
  """The state after the one refresh of a method without a loss; as it is where that was done before."""
  if history['segments']:
    return state
  assert program.refresh is not None
  started, others = time.perf_counter(), Others()
  state = jax.block_until_ready(program.refresh(state, data, numbers))
  history['segments'].append([1, time.perf_counter() - started, others.cores()])
  return state
