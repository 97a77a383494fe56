"""A training step taken apart, to see which part takes the time."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import numpy as np

from ssl_bench import contract as m
from ssl_bench import parallel
from ssl_bench.config import Config
from ssl_bench.data.arrays import Dataset
from ssl_bench.train.batch import drawer, policies_of
from ssl_bench.train.program import compile_program
from ssl_bench.train.structure import builder, method_of, streams_of, structure_of


def parts(config: Config, dataset: Dataset, data: Any, numbers: Any) -> Mapping[str, Callable[[], Any]]:
  """Name -> a function that runs that part once: augment, forward and backward, update.

  Each is compiled by itself, so what XLA fuses across their borders is counted in both.
  """
  structure = structure_of(config, dataset)
  tree = json.loads(structure)
  build, policies = builder(tree), policies_of(tree, method_of(tree).views)
  draw = drawer(tree, streams_of(tree), parallel.make_mesh())
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
    objective = lambda params: method.loss(state._replace(params=params), views, state.key)
    return jax.value_and_grad(objective, has_aux=True)(state.params)

  @jax.jit
  def update(state, grads, numbers):
    method, tx = build(numbers)
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
