"""What all methods share of training: the initial state, the step, and the refresh between epochs."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from ssl_bench.contract.method import Method
from ssl_bench.contract.state import INIT, REFRESH, Aux, Log, State
from ssl_bench.contract.views import Batch, Policies, Views, look


def init_state(
  method: Method, tx: optax.GradientTransformation, augment: Policies, key: jax.Array, batch: Batch
) -> State:
  """The state before the first step.  Real views of `batch` are made, so no shape is inferred."""
  look_key, init_key = jax.random.split(jax.random.fold_in(key, INIT))
  params, stats, memory = method.init(init_key, look(method.views, batch, augment, look_key))
  return State(key, jnp.zeros((), 'int32'), params, stats, memory, tx.init(params))


def make_step(
  method: Method,
  tx: optax.GradientTransformation,
  augment: Policies,
  estimate: Callable[..., Any] = jax.value_and_grad,
) -> Callable[[State, Batch], tuple[State, Log]]:
  """The training step that every method shares: (state, batch) -> (state, Log).

  `estimate` stands where `jax.value_and_grad` stands: a gradient estimator (accumulation, SAM,
  DP-SGD) plugs in here.
  """

  def objective(params: Any, state: State, views: Views, key: jax.Array) -> tuple[jax.Array, Aux]:
    assert method.loss is not None
    return method.loss(state._replace(params=params), views, key)

  def step(state: State, batch: Batch) -> tuple[State, Log]:
    look_key, loss_key = jax.random.split(jax.random.fold_in(state.key, state.step))
    views = look(method.views, batch, augment, look_key)
    (loss, aux), grads = estimate(objective, has_aux=True)(state.params, state, views, loss_key)
    updates, opt_state = tx.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    state = State(state.key, state.step + 1, params, aux.stats, aux.memory, opt_state)
    metrics = {'loss': loss, 'grad_norm': optax.tree.norm(grads), **aux.metrics}
    return method.update(state), Log(metrics, aux.pseudo)

  return step


def make_refresh(
  method: Method, tx: optax.GradientTransformation
) -> Callable[[State, Mapping[str, Any]], State]:
  """What happens between epochs, as pure as a step: (state, data) -> state.

  `data['unlabeled']` has 'image', uint8 [n, H, W, C].  `data['labeled']` has 'image', uint8 [m, H, W, C],
  'label' and 'index', the positions in the unlabeled set, int32 [m], and 'valid', bool [m]: rows that are not
  valid are padding.
  """

  def refresh(state: State, data: Mapping[str, Any]) -> State:
    key = jax.random.fold_in(jax.random.fold_in(state.key, REFRESH), state.step)
    return method.refresh(state, data, key, tx) if method.refresh else state

  return refresh
