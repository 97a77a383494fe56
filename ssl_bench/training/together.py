"""Trainings that differ in seeds alone, in one program: their states are stacked, and steps are under `vmap`.

Each has a log, looks at held-out images, checkpoints and an end of its own, as `loop.fit` gives it.  So each
goes on alone, or beside others, from what it saved.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssl_bench import parallel
from ssl_bench.planning import Plan, arrays, numbers
from ssl_bench.planning.build import method_of
from ssl_bench.planning.structure import Structure
from ssl_bench.training import memory
from ssl_bench.training.checkpoint import Checkpoints, UnusableCheckpoint
from ssl_bench.training.loop import Diverged, Interrupted, Training, Watch
from ssl_bench.training.program import Program, compile_program, memory_of
from ssl_bench.training.steps import make_steps


class Member(NamedTuple):
  """One of several trainings; see `loop.fit` for what it is given."""

  plan: Plan
  folder: Path
  watch: Watch | None = None
  report: Callable[[int, dict[str, float]], None] = lambda step, metrics: None


def can_join(plan: Plan) -> bool:
  """Whether a training is a fixed number of steps and nothing else, so that others can be in its program."""
  method, config = method_of(plan.structure), plan.config
  more = plan.teachers or config.patterns or config.early_stop or plan.structure.data.graph
  return method.loss is not None and method.refresh is None and not more


def fit_together(
  members: Sequence[Member],
  *,
  should_stop: Callable[[], bool] = lambda: False,
  check: Callable[[], None] = lambda: None,
) -> None:
  """Trains those of some trainings that are at the same step, in one program on one device, to their last.

  If their checkpoints are of several steps, those of the step at which most are go on.  What is left, such as
  a training that diverges, can go on alone by `loop.fit`, from its last checkpoint.

  Args:
    members: trainings that can join (`can_join`) and differ in seed and split seed alone.
    should_stop: asked after each dispatch; true saves all and raises `Interrupted`.
    check: called before each save; it may raise, and then nothing is saved.

  Raises:
    Interrupted: asked to stop.
    BadSetting: the memory at hand is too small for so many.
  """
  plans = [member.plan for member in members]
  program = compile_program(plans[0].structure)
  inputs = Inputs(plans)
  with ExitStack() as files:
    begun: dict[int, list[tuple[Training, int]]] = {}  # step -> those that are at it, with their places
    for place, member in enumerate(members):
      with suppress(UnusableCheckpoint):  # which is told where it is trained alone
        training = _begin(member, program, inputs.of(place), files, check)
        begun.setdefault(training.step, []).append((training, place))
    begun.pop(plans[0].config.steps, None)
    chosen = max(begun.values(), key=len, default=[])
    if len(chosen) < 2:
      return
    trainings, places = zip(*chosen)
    bundle = _Bundle(trainings, inputs.stacked(places), inputs.differ, program)
    while bundle.active and bundle.step < plans[0].config.steps:
      bundle.advance()
      bundle.note(stop=should_stop())


def _begin(
  member: Member, program: Program, given: tuple[Any, Any], files: ExitStack, check: Callable[[], None]
) -> Training:
  carry = program.init(np.uint32(member.plan.config.seed), *given)
  checkpoints = files.enter_context(Checkpoints(member.folder))
  return Training(member.plan, program, *given, carry, checkpoints, member.watch, member.report, check)


class Inputs:
  """The arrays and the numbers of several trainings on the device; what is the same in all is there once."""

  def __init__(self, plans: Sequence[Plan]):
    self._form: Any
    usual, self._form = jax.tree.flatten(_on_host(plans[0]))
    own: list[dict[int, Any]] = [{}]
    for plan in plans[1:]:
      leaves = enumerate(zip(jax.tree.leaves(_on_host(plan)), usual, strict=True))
      own.append({place: x for place, (x, one) in leaves if x is not one and not np.array_equal(x, one)})
    put = lambda tree: parallel.put_everywhere(tree, parallel.make_mesh())
    self._usual, self._own = put(usual), put(own)
    self.differ = tuple(any(place in one for one in own) for place in range(len(usual)))

  def of(self, index: int) -> tuple[Any, Any]:
    """The arrays and the numbers of one training."""
    return self._form.unflatten(self._leaves(index))

  def stacked(self, chosen: Iterable[int]) -> tuple[Any, Any]:
    """Those of some trainings: an array that differs has a further axis before its own."""
    each = zip(*map(self._leaves, chosen))
    return self._form.unflatten(jnp.stack(x) if d else x[0] for x, d in zip(each, self.differ))

  def _leaves(self, index: int) -> list[Any]:
    return [self._own[index].get(place, x) for place, x in enumerate(self._usual)]


def _on_host(plan: Plan) -> tuple[Any, Any]:
  return arrays.arrays_of(plan.dataset, plan.labeled), numbers.numbers_of(plan.config, len(plan.labeled))


class Compiled(NamedTuple):
  """The program of several trainings."""

  advance: Callable[..., Any]  # as of a `Program`, each argument stacked where it differs
  stack: Callable[..., Any]  # a list of trees -> one whose arrays have a further axis
  split: Callable[..., Any]  # the reverse


@lru_cache(maxsize=32)
def compile_together(structure: Structure, count: int, differ: tuple[bool, ...]) -> Compiled:
  """The program of `count` trainings; `differ` says which arrays and numbers are each one's own.

  Raises `BadSetting` where the machine has too little memory for it.
  """
  mesh = parallel.make_mesh()
  steps, spread = make_steps(structure, mesh), parallel.everywhere(mesh)
  shape = parallel.shape_on(spread)
  given = arrays.shapes(structure, shape), numbers.shapes(structure, shape)
  form: Any
  leaves, form = jax.tree.flatten(given)
  many = lambda x: shape((count, *x.shape), x.dtype)
  carry = jax.eval_shape(steps.init, jax.ShapeDtypeStruct((), 'uint32'), *given)
  shapes = form.unflatten(many(x) if d else x for x, d in zip(leaves, differ, strict=True))
  axes = form.unflatten(0 if d else None for d in differ)
  advance = jax.jit(jax.vmap(steps.advance, (0, 0, *axes)), donate_argnums=(0, 1), out_shardings=spread)
  compiled = advance.lower(*jax.tree.map(many, carry), *shapes).compile()
  memory.check_program(memory_of(compiled))
  at = lambda tree, i: jax.tree.map(lambda x: x[i], tree)
  return Compiled(
    compiled,
    jax.jit(lambda trees: jax.tree.map(lambda *x: jnp.stack(x), *trees), out_shardings=spread),
    jax.jit(lambda tree: [at(tree, i) for i in range(count)], out_shardings=spread),
  )


class _Bundle:
  """Trainings under way in one program.  One that diverges keeps its place, and nothing is noted of it."""

  def __init__(
    self, trainings: Sequence[Training], inputs: tuple[Any, Any], differ: tuple[bool, ...], program: Program
  ):
    self.trainings, self.active, self.inputs = trainings, [*trainings], inputs
    self.step, self.stride = trainings[0].step, program.stride
    self.compiled = compile_together(program.structure, len(trainings), differ)
    self.state, self.totals = self.compiled.stack([(one.state, one.totals) for one in trainings])
    for one in trainings:
      one.together = [len(trainings)]
    self.mark = time.perf_counter()  # the seconds since are those of the steps since the last log

  def advance(self) -> None:
    """One dispatch."""
    self.state, self.totals = self.compiled.advance(self.state, self.totals, *self.inputs)
    self.step += self.stride
    for one in self.trainings:
      one.step = self.step

  def note(self, *, stop: bool) -> None:
    """Lets each training log, look and save, where it is time; raises `Interrupted` after a stop."""
    first = self.trainings[0]
    config = first.config
    logs = first.is_at(config.log_every)
    if not (stop or logs or any(map(first.is_at, (config.evaluate.every, config.checkpoint.every)))):
      return
    jax.block_until_ready(self.totals)
    seconds = time.perf_counter() - self.mark
    for one, (state, totals) in zip(self.trainings, self.compiled.split((self.state, self.totals))):
      one.state, one.totals = state, totals
    interrupted = None
    for one in [*self.active]:
      one.mark = time.perf_counter() - seconds
      try:
        if logs:
          one.log()
        one.look_and_save(stop)
      except Diverged:
        self.active.remove(one)
      except Interrupted as error:
        if not stop:  # it was not asked: what a check raises
          raise
        interrupted = interrupted or error
    if interrupted:
      raise interrupted
    if logs:
      self.totals = self.compiled.stack([one.totals for one in self.trainings])
    for one in self.trainings:
      one.state = None  # its copy
    self.mark = time.perf_counter() - (0.0 if logs else seconds)
