"""The shapes of a training's state at its start, from its structure."""

from collections.abc import Mapping
from typing import Any

import jax

from ssl_bench import contract as m
from ssl_bench.kinds import kind_of
from ssl_bench.kinds.graph import graph_of_shapes
from ssl_bench.planning import build, policies
from ssl_bench.planning.structure import Structure


def at_start(structure: Structure, numbers: Mapping[str, Any]) -> tuple[Any, Any, Any]:
  """Shapes of (params, stats, memory), or of whatever `init` returns; `numbers` may be shapes as well."""
  make, views = build.builder(structure), views_of(structure)
  key = jax.eval_shape(lambda: jax.random.key(0))
  return jax.eval_shape(lambda key, views, numbers: make(numbers)[0].init(key, views), key, views, numbers)


def views_of(structure: Structure) -> dict[str, dict[str, Any]]:
  """Shapes of a method's views, by name."""
  data, shape = structure.data, jax.ShapeDtypeStruct

  def view_of(view: m.View) -> dict[str, Any]:
    count = structure.batch.of(view.stream)
    copies = (view.copies,) if view.copies > 1 else ()
    if data.graph:
      image: Any = m.Nodes(graph_of_shapes(data.graph, jax.ShapeDtypeStruct), shape((count,), 'int32'))
    else:
      size = policies.size_of(structure, view.augment)
      image = shape((count, *copies, *size), kind_of(data.kind).read)
    index = shape((count,), 'int32')
    names = ('label', 'labeled_index') if view.stream == 'labeled' else ('index',)
    shapes = {'image': image} | dict.fromkeys(names, index)
    if view.stream == 'unlabeled' and structure.text_net and data.captions:
      shapes['caption'] = shape((count, data.captions[-1]), 'uint8')
    return shapes

  return {name: view_of(view) for name, view in build.method_of(structure).views.items()}
