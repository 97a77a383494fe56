"""Exponential moving averages: of a pytree, and of a method's parameters for its evaluation."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from ssl_bench.contract.method import Method, Refresh
from ssl_bench.contract.state import Aux, State
from ssl_bench.contract.views import Views


def moving_average(old: Any, new: Any, decay: Any) -> Any:
  """`decay · old + (1 - decay) · new`, leaf by leaf, in the dtype of `old`."""
  return jax.tree.map(lambda o, n: (decay * o + (1 - decay) * n).astype(o.dtype), old, new)


def warm(decay: Any, step: jax.Array) -> jax.Array:
  """The decay of a moving average after `step` updates: min(decay, (1 + step) / (10 + step)).

  It starts low, so that a short run's average is not dominated by its initialization (TensorFlow's
  ExponentialMovingAverage).
  """
  t = step.astype('float32')
  return jnp.minimum(decay, (1 + t) / (10 + t))


def with_ema(method: Method, *, decay: Any) -> Method:
  """The same method, evaluated with the exponential moving average of its parameters.

  The decay starts low (`warm`).  Where `refresh` replaces the parameters, the average starts anew from them.
  Only parameters are averaged; BatchNorm's moments are the raw network's, as in FixMatch's code.
  """

  sample = method.sample

  def inner(s: State) -> State:
    return s._replace(memory=s.memory['inner'])

  def averaged(s: State) -> State:
    return inner(s)._replace(params=s.memory['ema'])

  def wrap(s: State, ema: Any, began: Mapping[str, Any]) -> State:
    return s._replace(memory={'inner': s.memory, 'ema': ema, **began})

  def init(key: jax.Array, views: Views) -> tuple[Any, Any, Any]:
    params, stats, memory = method.init(key, views)
    began = {'began': jnp.zeros((), 'int32')} if method.refresh else {}
    return params, stats, {'inner': memory, 'ema': params, **began}

  def loss(s: State, views: Views, key: jax.Array) -> tuple[jax.Array, Aux]:
    assert method.loss is not None
    value, aux = method.loss(inner(s), views, key)
    return value, aux._replace(memory={**s.memory, 'inner': aux.memory})

  def update(s: State) -> State:
    new = method.update(inner(s))
    began = {'began': s.memory['began']} if method.refresh else {}
    age = new.step - began.get('began', 0)
    return wrap(new, moving_average(s.memory['ema'], new.params, warm(decay, age)), began)

  def relabel(refresh: Refresh) -> Refresh:
    def renew(s: State, data: Mapping[str, Any], key: jax.Array, tx: optax.GradientTransformation) -> State:
      new = refresh(inner(s), data, key, tx)
      moved = jnp.zeros((), bool)
      for old, leaf in zip(jax.tree.leaves(s.params), jax.tree.leaves(new.params)):
        moved |= (old != leaf).any()
      ema = jax.tree.map(lambda e, p: jnp.where(moved, p, e), s.memory['ema'], new.params)
      return wrap(new, ema, {'began': jnp.where(moved, new.step, s.memory['began'])})

    return renew

  def read(look: Callable[..., Any]) -> Callable[..., Any]:
    return lambda s, *inputs: look(averaged(s), *inputs)

  return method._replace(
    init=init,
    loss=method.loss and loss,
    update=update,
    refresh=method.refresh and relabel(method.refresh),
    sample=sample and (lambda s, key, size: sample(inner(s), key, size)),
    encode=read(method.encode),
    predict=method.predict and read(method.predict),
    embed=method.embed and read(method.embed),
    transduce=method.transduce and read(method.transduce),
    reconstruction_error=method.reconstruction_error and read(method.reconstruction_error),
  )


def without_average(state: State) -> State:
  """A state of `with_ema` with the raw parameters in place of the average, so that these are evaluated."""
  return state._replace(memory={**state.memory, 'ema': state.params})
