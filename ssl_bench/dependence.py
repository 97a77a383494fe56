"""Which inputs of a traced function its outputs depend on."""

from collections.abc import Callable
from typing import Any

import jax
from jax.extend.core import Literal


def depends(function: Callable, *inputs: Any) -> tuple[Any, ...]:
  """For every leaf of the inputs, whether any output of `function(*inputs)` depends on it.

  The function is traced, not run.  A nested call counts as one operation, so an answer may err towards yes.
  """
  program = jax.make_jaxpr(function)(*inputs).jaxpr
  needed = {v for v in program.outvars if not isinstance(v, Literal)}
  for operation in reversed(program.eqns):
    if needed.intersection(operation.outvars):
      needed |= {v for v in operation.invars if not isinstance(v, Literal)}
  return jax.tree.unflatten(jax.tree.structure(inputs), [v in needed for v in program.invars])
