"""Data parallelism: the batch is split over a mesh of all processes' devices, all else is replicated.

The step is written for the whole batch and compiled once by `jit`; BatchNorm, negatives and marginals are
global because the batch is one array.
"""

from collections.abc import Callable

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec


def make_mesh() -> Mesh:
  """A mesh with one axis, `data`, over all devices; its type is Auto."""
  return Mesh(np.array(jax.devices()), ('data',))


def everywhere(mesh: Mesh) -> NamedSharding:
  """The sharding that has the same values on every device."""
  return NamedSharding(mesh, PartitionSpec())


def put_everywhere(tree, mesh: Mesh):
  """A tree of arrays, the same in each process, on all devices; none is sent from one process to another."""
  sharding = everywhere(mesh)
  if jax.process_count() == 1:
    return jax.device_put(tree, sharding)
  put = lambda x: jax.make_array_from_callback(x.shape, sharding, lambda part: x[part])
  return jax.tree.map(lambda x: put(np.asarray(x)), tree)


def shape_on(sharding: NamedSharding) -> Callable[..., jax.ShapeDtypeStruct]:
  """(size, dtype) -> the shape of an array with a sharding."""
  return lambda size, dtype: jax.ShapeDtypeStruct(tuple(size), dtype, sharding=sharding)


def split_batch(batch, mesh: Mesh | None):
  """Splits the first axis of each array over the mesh, if there is one, where it divides evenly."""
  if mesh is None or mesh.size == 1:
    return batch

  def split(x):
    spec = PartitionSpec('data') if len(x) % mesh.size == 0 else PartitionSpec()
    return jax.lax.with_sharding_constraint(x, NamedSharding(mesh, spec))

  return jax.tree.map(split, batch)
