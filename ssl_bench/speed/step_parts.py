"""The parts of a training step, each compiled by itself, to see which takes the time."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import numpy as np

from ssl_bench import contract as m
from ssl_bench import parallel
from ssl_bench.planning import Plan
from ssl_bench.planning.batch import drawer
from ssl_bench.planning.build import builder, method_of
from ssl_bench.planning.policies import policies_of
from ssl_bench.training.program import compile_program


def step_parts(plan: Plan, data: Any, numbers: Any) -> Mapping[str, Callable[[], Any]]:
  """Name -> a function that runs that part once: augment, forward and backward, update.

  What XLA fuses across the borders of the parts is counted in both.
  """
  structure = plan.structure
  build, policies = builder(structure), policies_of(structure, method_of(structure).views)
  draw = drawer(structure, parallel.make_mesh())
  state, _ = compile_program(structure).init(np.uint32(0), data, numbers)

  @jax.jit
  def augment(state, data, numbers):
    method, _ = build(numbers)
    sample = method.sample and partial(method.sample, state)
    batch = draw(data, state.key, state.step, numbers['n_labels'], sample)
    return m.look(method.views, batch, policies, state.key)

  @jax.jit
  def differentiate(state, views, numbers):
    method, _ = build(numbers)
    assert method.loss is not None
    loss = method.loss
    objective = lambda params: loss(state._replace(params=params), views, state.key)
    return jax.value_and_grad(objective, has_aux=True)(state.params)

  @jax.jit
  def update(state, grads, numbers):
    method, tx = build(numbers)
    assert tx is not None
    updates, opt_state = tx.update(grads, state.opt_state, state.params)
    params = jax.tree.map(lambda p, u: p + u, state.params, updates)
    return method.update(state._replace(params=params, opt_state=opt_state, step=state.step + 1))

  views = augment(state, data, numbers)
  _, grads = differentiate(state, views, numbers)
  return {
    'draw and augment': lambda: augment(state, data, numbers),
    'forward and backward': lambda: differentiate(state, views, numbers),
    'update': lambda: update(state, grads, numbers),
  }
