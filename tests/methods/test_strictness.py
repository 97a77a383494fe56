"""What holds for the program of every method's step, which is traced and lowered here, not compiled.

Nothing is converted or broadcast in silence, and what is lowered for CPU, CUDA and TPU has no float64 and no
call to the host, and takes its state over in place.
"""

import contextlib
import re
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.traced import trace

from ssl_bench import combine, methods

pytestmark = pytest.mark.slow

PLATFORMS = ('cpu', 'cuda', 'tpu')
CASES = [(name,) for name in methods.names()] + [('flexmatch', name) for name in combine.names()]


@contextlib.contextmanager
def strict():
  """Refuses arrays of different types, and of different ranks, that JAX would bring together by itself."""
  with jax.numpy_dtype_promotion('strict'), jax.numpy_rank_promotion('raise'):
    yield


def faults(function, *arguments) -> list[str]:
  """What is wrong with a function (state, …) -> (state, …) as it is lowered for all platforms."""
  traced = jax.jit(function, donate_argnums=0).trace(*arguments)
  if callbacks := sorted(set(re.findall(r'\b\w*callback(?=\[)', str(traced.jaxpr)))):
    return callbacks  # which JAX does not lower for a platform that is not there
  text = traced.lower(lowering_platforms=PLATFORMS).as_text()
  found = sorted(set(re.findall(r'tensor<(?:[0-9]+x)*(f64|complex<f64>)>', text)))
  found += sorted(set(re.findall(r'stablehlo\.(?:send|recv|infeed|outfeed)\b', text)))
  kept = len(jax.tree.leaves(arguments[0])) - text.count('tf.aliasing_output')
  return found + ([f'{kept} arrays of the state are not donated'] if kept else [])


@pytest.mark.parametrize('case', CASES, ids='+'.join)
def test_nothing_is_converted_or_broadcast_in_silence_and_every_platform_takes_the_step(case):
  it = trace(*case)
  with strict():
    state = jax.eval_shape(it.init, np.uint32(0), it.batch, it.numbers)
    jax.eval_shape(it.look, state, it.images, it.numbers)
    if it.method.refresh:
      jax.eval_shape(it.refresh, state, it.data, it.numbers)
    if it.method.loss:
      assert faults(it.step, state, it.batch, it.numbers) == []


def test_what_a_step_must_not_have_is_seen():
  x = np.ones(3, 'float32')

  def asks_the_host(state):
    return jax.pure_callback(lambda a: a, jax.ShapeDtypeStruct((3,), 'float32'), state) + 1

  def tells_the_host(state):
    jax.debug.callback(print, state.sum())
    return state + 1

  assert faults(lambda state: state + 1, x) == []
  assert faults(asks_the_host, x) == ['pure_callback']
  assert faults(tells_the_host, x) == ['debug_callback']
  with jax.enable_x64(True):
    assert faults(lambda state: (state.astype('float64') * 2).astype('float32'), x) == ['f64']
  with pytest.warns(UserWarning, match='donated buffers were not usable'):
    assert faults(lambda state: state.sum(), x) == ['1 arrays of the state are not donated']


def test_every_test_refuses_warnings_and_arrays_of_different_ranks():
  with pytest.raises(UserWarning, match='careless'):
    warnings.warn('careless', stacklevel=1)
  with pytest.raises(ValueError, match='rank_promotion'):
    jnp.ones((2, 3)) + jnp.ones(3)


@pytest.mark.parametrize(
  'careless', [lambda x: x + jnp.arange(3), lambda x: x[None] + x, lambda x: x * jnp.ones(3, bool)]
)
def test_what_is_converted_or_broadcast_in_silence_is_refused(careless):
  with strict(), pytest.raises((TypeError, ValueError), match='promotion'):
    jax.eval_shape(careless, jnp.ones(3))
