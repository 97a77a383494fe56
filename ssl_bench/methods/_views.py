"""Several views of each image under one policy, each with a pass of its own through the network."""

from typing import Any

import jax

from ssl_bench.contract import State, View, Views
from ssl_bench.nets.core import Net

NAMES = 'abcdefghijklmnop'


def strong_views(count: int) -> dict[str, View]:
  """`count` strong views of each unlabeled image, 'a', 'b', and so on; at most 16."""
  return {name: View('unlabeled', 'strong') for name in NAMES[:count]}


def see_each(model: Net, state: State, views: Views, key: jax.Array) -> tuple[list[Any], Any]:
  """The outputs of each view in the order of their names, and BatchNorm's running moments after all of them.

  Every view has a pass of its own, so BatchNorm normalizes it by its own moments.
  """
  outputs, stats = [], state.stats
  for i, name in enumerate(sorted(views)):
    own = jax.random.fold_in(key, i)
    output, stats = model.apply(state.params, stats, views[name]['image'], train=True, key=own)
    outputs.append(output)
  return outputs, stats
