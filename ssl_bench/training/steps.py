"""The functions that change a training's state: its start, its steps, and what happens between epochs."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from ssl_bench import contract as m
from ssl_bench import parallel, pattern
from ssl_bench.pattern import Loop
from ssl_bench.planning import arrays, batch, build, numbers
from ssl_bench.planning.policies import policies_of
from ssl_bench.planning.structure import Structure
from ssl_bench.training import log, memory


class Steps(NamedTuple):
  """Pure functions of a structure; `numbers` may be traced."""

  init: Callable[..., Any]  # (seed, data, numbers) -> (state, totals)
  advance: Callable[..., Any]  # (state, totals, data, numbers) -> (state, totals), `stride` steps further
  refresh: Callable[..., Any]  # (state, data, numbers) -> state


def make_steps(structure: Structure, mesh: Mesh) -> Steps:
  """The functions of a structure, the batch of a step split over a mesh."""
  make, views = build.builder(structure), build.method_of(structure).views
  policies = policies_of(structure, views)
  draw, estimator = _drawer(structure)(structure, mesh), _estimator(structure)

  def step(method, tx, state, data, numbers):
    sample = method.sample and partial(method.sample, state)
    drawn = draw(data, state.key, state.step, numbers['n_labels'], sample)
    new, reported = m.make_step(method, tx, policies, estimator(numbers))(state, drawn)
    return new, log.measure(reported, data['label'], structure.data.classes, state.step)

  def init(seed, data, numbers):
    method, tx = make(numbers)
    key = jax.random.key(seed)
    state = m.init_state(method, tx, policies, key, draw(data, key, 0, numbers['n_labels']))
    if method.loss is None:
      return state, {}
    return state, log.empty(jax.eval_shape(lambda state: step(method, tx, state, data, numbers), state)[1])

  def advance(state, totals, data, numbers):
    method, tx = make(numbers)

    def body(carry, _):
      state, totals = carry
      state, measured = step(method, tx, state, data, numbers)
      return (state, log.add(totals, measured)), None

    if structure.stride == 1:
      return body((state, totals), None)[0]
    return jax.lax.scan(body, (state, totals), None, structure.stride)[0]

  def refresh(state, data, numbers):
    method, tx = make(numbers)
    if method.refresh is None:
      return state
    return m.make_refresh(method, tx)(state, _whole_set(structure, data, numbers['n_labels']))

  return Steps(init, advance, refresh)


def _whole_set(structure: Structure, data, n_labels) -> dict[str, Any]:
  """All that a method may look at between epochs."""
  pool, subset = data['pool'], structure.data.is_subset
  labeled = {
    'image': batch.images_at(data, pool),
    'label': data['given'][pool],
    'valid': jnp.arange(len(pool)) < n_labels,
    'index': batch.places(data, pool) if subset else pool,
  }
  return {
    'labeled': labeled,
    'unlabeled': {'image': batch.images_at(data, data['stream'] if subset else None)},
  }


def _drawer(structure: Structure) -> Callable[..., Any]:
  """How a batch is drawn: as a pattern says, or as usual."""
  found = (pattern.get(name).drawer for name in structure.patterns)
  return next(filter(None, found), batch.drawer)


def _estimator(structure: Structure) -> Callable[..., Any]:
  """numbers -> how a gradient is estimated: as a pattern says, or as usual."""
  for name in structure.patterns:
    if make := pattern.get(name).estimator:
      return lambda numbers: make(structure, numbers['patterns'][name])
  return lambda numbers: jax.value_and_grad


def compile_steps(structure: Structure, steps: Steps, mesh: Mesh) -> Loop:
  """The loop of one step after the other; of a method without a loss, its one refresh is what is compiled."""
  spread = parallel.everywhere(mesh)
  shape = parallel.shape_on(spread)
  inputs = arrays.shapes(structure, shape), numbers.shapes(structure, shape)
  init = jax.jit(steps.init, out_shardings=spread)
  carry = jax.eval_shape(init, jax.ShapeDtypeStruct((), 'uint32'), *inputs)
  memory.check_state(carry, carry[0].params)
  carry = jax.tree.map(lambda x: shape(x.shape, x.dtype), carry)
  if build.method_of(structure).loss is None:
    lowered = replacing(steps.refresh, spread).lower(carry[0], *inputs)
    return Loop(init, None, lowered, lowered.compile())
  lowered = jax.jit(steps.advance, donate_argnums=(0, 1), out_shardings=spread).lower(*carry, *inputs)
  compiled = lowered.compile()
  return Loop(init, compiled, lowered, compiled, has_pseudo_labels='pseudo' in carry[1])


def replacing(function: Callable[..., Any], sharding) -> Any:
  """A compiled function whose first argument, a state, is used up."""
  return jax.jit(function, donate_argnums=0, keep_unused=True, out_shardings=sharding)
