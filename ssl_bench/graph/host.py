"""Calls from a compiled program to NumPy on the host.

`jax.pure_callback` first copies what it is given into arrays of JAX's, which a thread of the device does.  On
one core that is the very thread which waits for the copy, and the program never ends.  Here the function is
given NumPy arrays as they are.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
from jax.custom_batching import sequential_vmap
from jax.extend.core import Primitive
from jax.interpreters import mlir

_call = Primitive('call_on_host')
_call.multiple_results = True


def call(function: Callable[..., Sequence[Any]], results: Sequence[jax.ShapeDtypeStruct], *given: Any) -> Any:
  """What a pure function of NumPy arrays returns for arrays of a program; under `vmap` one at a time.

  On several devices each calls it.

  Args:
    function: returns a sequence of arrays; it must not write to what it is given.
    results: their shapes and types.
    given: its arguments.
  """
  bind = partial(_call.bind, function=function, results=tuple(results))
  return sequential_vmap(lambda *arrays: tuple(bind(*arrays)))(*given)


@_call.def_impl
def _(*given: Any, **how: Any) -> Any:
  return jax.jit(partial(_call.bind, **how))(*given)


@_call.def_abstract_eval
def _(*given: Any, function: Any, results: Sequence[jax.ShapeDtypeStruct]) -> Any:
  return [jax.core.ShapedArray(result.shape, result.dtype) for result in results]


def _lower(ctx: Any, *given: Any, function: Any, results: Any) -> Any:
  values, _, _ = mlir.emit_python_callback(
    ctx,
    lambda *arrays: tuple(function(*arrays)),
    None,
    list(given),
    ctx.avals_in,
    ctx.avals_out,
    has_side_effect=False,
    returns_token=False,
  )
  return values


mlir.register_lowering(_call, _lower, cacheable=False)
