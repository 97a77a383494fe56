"""The training loop: advance, and at intervals log, look at held-out images, save.

Nothing is fetched to the host between two logs, so the device never waits for Python.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssl_bench import gang, parallel, pattern
from ssl_bench.planning import Plan
from ssl_bench.planning.arrays import arrays_of
from ssl_bench.planning.numbers import numbers_of, teaching
from ssl_bench.training import log
from ssl_bench.training.checkpoint import Checkpoints, UnusableCheckpoint
from ssl_bench.training.early_stop import has_ended
from ssl_bench.training.machine_load import OtherLoad
from ssl_bench.training.program import Program, compile_program

# (program, state, numbers, kept) -> what to note; `kept` is plain data that it may keep until the next look.
Watch = Callable[[Program, Any, Any, dict[str, Any]], dict[str, Any]]


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
  history: dict[str, Any]  # curve, evaluations, segments (see `evaluation.cost`), and what a watch keeps
  teacher: 'Fitted | None' = None


def fit(
  plan: Plan,
  folder: Path,
  *,
  teacher: Fitted | None = None,
  watch: Watch | None = None,
  report: Callable[[int, dict[str, float]], None] = lambda step, metrics: None,
  should_stop: Callable[[], bool] = lambda: False,
  only_restore: bool = False,
  check: Callable[[], None] = lambda: None,
  until: int | None = None,
) -> Fitted:
  """Trains to the last step, from the newest checkpoint in `folder` if there is one.

  Args:
    plan: the trial.
    folder: where checkpoints go.
    teacher: the trained teacher, where the plan has one.
    watch: what to note every `config.evaluate.every` steps.
    report: is given the step and the means of the metrics at every log, and at every look at held-out images
      what was noted, as `evaluate/NAME`.
    should_stop: asked after each dispatch, in a gang at a `gang.Pace`; true saves and raises `Interrupted`.
    only_restore: take the training from its last checkpoint, and train nothing.
    check: called before each save; it may raise, and then nothing is saved.
    until: a step before the last at which to save and return; `folder` holds no later checkpoint.  The same
      call with a later one, or none, goes on from there bit for bit.

  Raises:
    Interrupted: asked to stop.
    Diverged: a loss was not finite.
    UnusableCheckpoint: it cannot be read, or `only_restore` finds none of the last step.
  """
  program = compile_program(plan.structure)
  data, numbers = on_device(plan, teacher)
  carry = program.init(np.uint32(plan.config.seed), data, numbers)
  pace = gang.Pace()
  with Checkpoints(folder) as checkpoints:
    run = Training(plan, program, data, numbers, carry, checkpoints, watch, report, check)
    if only_restore and not has_ended(plan.config, checkpoints.latest() or 0, run.history):
      raise UnusableCheckpoint(f'{folder} has no checkpoint of step {plan.config.steps}; train it first.')
    if program.advance is None:
      run.learn_at_once()
    end = plan.config.steps if until is None else until
    while program.advance and run.step < end and not run.has_ended():
      run.advance()
      if run.is_at(plan.config.log_every):
        run.log()
      run.refresh()
      run.look_and_save(stop=pace(should_stop))
    if until is not None and program.advance:
      run.pause()
    return Fitted(program, numbers, run.state, run.history, teacher)


def on_device(plan: Plan, teacher: Fitted | None = None) -> tuple[Any, Any]:
  """The arrays and the numbers of a trial on every device."""
  mesh = parallel.make_mesh()
  arrays = arrays_of(plan.dataset, plan.labeled)
  for name in plan.structure.patterns:
    arrays |= pattern.get(name).arrays(plan)
  given = teaching(_as_read(teacher), teacher.numbers) if teacher else None
  data = parallel.put_everywhere(arrays, mesh)
  numbers = jax.device_put(numbers_of(plan.config, len(plan.labeled), given), parallel.everywhere(mesh))
  return data, {**numbers, **{k: v for k, v in data.items() if k == 'graph'}}


def _as_read(fitted: Fitted) -> Any:
  """The state of a training as its method reads it."""
  state = fitted.state
  for name in fitted.program.structure.patterns:
    if read := pattern.get(name).read:
      state = read(state)
  return state


class Training:
  """One training under way: its state, and what is noted of it."""

  def __init__(
    self,
    plan: Plan,
    program: Program,
    data: Any,
    numbers: Any,
    carry: tuple[Any, Any],
    checkpoints: Checkpoints,
    watch: Watch | None,
    report: Callable[[int, dict[str, float]], None],
    check: Callable[[], None],
  ):
    self.config, self.program, self.data, self.numbers = plan.config, program, data, numbers
    self.checkpoints, self.watch, self.report, self.check = checkpoints, watch, report, check
    self.empty = jax.device_put(jax.device_get(carry[1]), parallel.everywhere(parallel.make_mesh()))
    saved = checkpoints.restore(carry)
    self.is_restored = saved is not None
    none: dict[str, Any] = {'curve': [], 'evaluations': [], 'segments': []}
    (self.state, self.totals), self.history = saved or (carry, none)
    self.step = self.since = int(self.state.step)
    self.mark, self.others = time.perf_counter(), OtherLoad()
    self.together: list[int] = []  # how many train in one program, where there are several

  def has_ended(self) -> bool:
    """Whether no step is left to take."""
    return has_ended(self.config, self.step, self.history)

  def is_at(self, every: int) -> bool:
    """Whether the last dispatch passed a multiple of `every` steps, or was the last."""
    return self.step % every < self.program.stride or self.step == self.config.steps

  def advance(self) -> None:
    """One dispatch."""
    assert self.program.advance is not None
    self.state, self.totals = self.program.advance(self.state, self.totals, self.data, self.numbers)
    self.step += self.program.stride

  def log(self) -> None:
    """Fetches the sums since the last log; raises `Diverged` where a step was not finite."""
    metrics, bad_step = log.means(jax.device_get(self.totals), self.step)
    self.totals = jax.tree.map(jnp.copy, self.empty)
    if bad_step >= 0:
      raise Diverged(bad_step, self.checkpoints.latest(), self.history)
    seconds = time.perf_counter() - self.mark
    self.history['segments'].append([self.step - self.since, seconds, self.others.cores(), *self.together])
    self.history['curve'].append(metrics)
    self.report(self.step, metrics)
    self.since, self.mark = self.step, time.perf_counter()

  def refresh(self) -> None:
    """Renews what the method keeps of the whole set, after an epoch that is not the last or is read later."""
    ends_epoch = self.step % self.program.steps_per_epoch < self.program.stride
    is_used = self.step < self.config.steps or self.program.transduce
    if self.program.refresh and is_used and ends_epoch:
      self.state = self.program.refresh(self.state, self.data, self.numbers)

  def look_and_save(self, stop: bool) -> None:
    """Looks at held-out images and saves, where it is time; raises `Interrupted` after a stop."""
    look = self.watch is not None and self.is_at(self.config.evaluate.every)
    save = self.is_at(self.config.checkpoint.every) or stop
    if not (look or save):
      return
    jax.block_until_ready(self.state)
    pause = time.perf_counter()
    if look:
      self.look()
    ended = self.has_ended()
    if ended and self.since < self.step:
      self.mark += time.perf_counter() - pause
      self.log()
      pause = self.mark
    bad_step = int(self.totals['bad_step'])
    if (save or ended) and bad_step < 0:
      self.save()
    if stop and not ended:
      raise Interrupted(self.step, bad_step, self.checkpoints.latest())
    self.mark += time.perf_counter() - pause

  def look(self) -> None:
    if self.watch:
      kept = self.history.setdefault('kept', {})
      noted = self.watch(self.program, self.state, self.numbers, kept)
      self.history['evaluations'].append({'step': self.step, **noted})
      self.report(self.step, {f'evaluate/{name}': value for name, value in noted.items()})

  def pause(self) -> None:
    """Saves where training ends for now."""
    if (bad_step := int(self.totals['bad_step'])) >= 0:
      raise Diverged(bad_step, self.checkpoints.latest(), self.history)
    if self.checkpoints.latest() != self.step:
      self.save()

  def save(self) -> None:
    self.check()
    self.checkpoints.save(self.step, (self.state, self.totals), self.history)

  def learn_at_once(self) -> None:
    """The one refresh of a method without a loss, unless a checkpoint holds what it gave."""
    self.step = self.config.steps
    if not self.history['segments']:
      assert self.program.refresh is not None
      started = time.perf_counter()
      self.state = jax.block_until_ready(self.program.refresh(self.state, self.data, self.numbers))
      self.history['segments'].append([1, time.perf_counter() - started, self.others.cores()])
    if self.program.uses_labels and not self.history['evaluations']:
      self.look()
    if not self.is_restored:
      self.save()
    self.report(self.step, {})
