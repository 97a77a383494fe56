"""What private training refuses: a loss in which images meet, or that remembers what it saw of them."""

from typing import Any

import jax
import jax.numpy as jnp

from ssl_bench import contract as m
from ssl_bench import pattern
from ssl_bench.dependence import depends
from ssl_bench.planning import Plan, build
from ssl_bench.planning.arrays import arrays_of
from ssl_bench.planning.numbers import numbers_of
from ssl_bench.planning.once import once_per_structure
from ssl_bench.planning.policies import policies_of

ROUNDING = 1e-5  # of the loss
SCALES = (1.0, 8.0)  # of the parameters: the larger ones make a fresh network confident


@once_per_structure
def fault_of(plan: Plan) -> str | None:
  """What keeps a method from private training, as the end of a sentence, or None."""
  structure = plan.structure
  drawer = pattern.get('private').drawer
  assert drawer is not None
  draw = drawer(structure, None)
  numbers = numbers_of(plan.config, len(plan.labeled))
  if structure.text_net:
    return 'compares images with captions of others, so no gradient is that of one pair; leave private out.'
  method, tx = build.builder(structure)(numbers)
  if method.loss is None and not method.refresh:
    return 'learns nothing, so there is nothing to protect; leave private out.'
  if method.refresh or method.sample:
    return 'looks at more images than its batch, which no noise hides; leave private out.'
  assert tx is not None
  data = arrays_of(plan.dataset, plan.labeled)
  policies = policies_of(structure, method.views)

  @jax.jit
  def start(data: Any, numbers: Any) -> Any:
    key = jax.random.key(0)
    one, other = (draw(data, key, step, numbers['n_labels']) for step in (0, 1))
    look = lambda seen: m.look(method.views, seen, policies, key)
    return m.init_state(method, tx, policies, key, one), look(one), look(other)

  state, one, other = start(data, numbers)
  if any(jax.tree.leaves(depends(lambda views: method.init(jax.random.key(0), views), one)[0])):
    return 'begins with what it saw of its images, without noise; leave private out.'
  objective = method.loss
  if objective is None:
    return None
  left = lambda views, state: objective(state, views, jax.random.key(0))[1]
  if any(jax.tree.leaves(depends(lambda *x: left(*x).stats, one, state)[0])):
    return (
      'keeps statistics of its batch, as BatchNorm does, so no gradient is that of a single image; use '
      'net.norm=group, or a method whose own layers have none.'
    )
  if any(jax.tree.leaves(depends(lambda *x: left(*x).memory, one, state)[0])):
    return 'keeps in memory, without noise, what it saw of its images; leave private out.'
  if is_coupled(method, state, one, other):
    return (
      'compares images of a batch with each other, so no gradient is that of a single image; use a method '
      'whose loss is a mean over images.'
    )
  return None


def is_coupled(method: m.Method, state: m.State, one: Any, other: Any) -> bool:
  """Whether the loss of a batch is no sum of a part from each half of it.

  A sum changes by the same when one half is exchanged, whichever the other half is: its second difference
  over views of two batches is zero, with all that the loss draws held fixed.  It is looked at with the given
  parameters and with much larger ones, where predictions are confident.
  """

  objective = method.loss
  assert objective is not None, 'a method without a loss has nothing to couple'

  @jax.jit
  def differences(state: m.State, one: Any, other: Any) -> Any:
    def loss(scale: Any, first: Any, second: Any) -> Any:
      halves = jax.tree.map(lambda x, y: jnp.concatenate([x[: len(x) // 2], y[len(y) // 2 :]]), first, second)
      params = jax.tree.map(lambda w: scale * w, state.params)
      return objective(state._replace(params=params), halves, jax.random.key(0))[0]

    def both(scale: Any) -> Any:
      values = [loss(scale, a, b) for a in (one, other) for b in (one, other)]
      signed = values[0] - values[1] - values[2] + values[3]
      return jnp.abs(signed) / (1 + jnp.abs(jnp.stack(values)).max())

    return [both(scale) for scale in SCALES]

  return any(float(x) > ROUNDING for x in differences(state, one, other))
