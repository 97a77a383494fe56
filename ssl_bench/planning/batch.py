"""The batch of a step: drawn by (key, step) on the device from the arrays of a trial."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from ssl_bench import contract as m
from ssl_bench import parallel
from ssl_bench.data import stream
from ssl_bench.planning.build import streams_of
from ssl_bench.planning.structure import Structure
from ssl_bench.settings.signature import BadSetting

STREAM = m.INIT - 2  # folded into the root key for the streams


def drawer(structure: Structure, mesh: Mesh | None) -> Callable:
  """(data, key, step, n_labels) -> the batch of a step.  The unlabeled stream has no label to leak.

  With `sample`, (key, size) -> positions, a method chooses its unlabeled batch itself; else a stream does.
  An image comes with one of its captions, another in every step, only where the trial has a net for them.
  With `client`, the batch is drawn from that client's images, all and labeled, as `arrays` lays them out.
  """
  streams, size, shape = streams_of(structure), structure.batch, structure.data
  check_batch(structure)

  def draw(
    data: Any, key: jax.Array, step: Any, n_labels: Any, sample: Any = None, client: Any = None
  ) -> Any:
    key, batch = jax.random.fold_in(key, STREAM), {}
    share = None if client is None else jax.tree.map(lambda x: x[client], data['clients']['each'])
    if 'labeled' in streams:
      own = jax.random.fold_in(key, 0)
      n, start = (n_labels, 0) if share is None else (share['labels'], share['first_label'])
      drawn = (
        jnp.arange(size.labeled)
        if size.whole
        else start + stream.labeled_batch_indices(own, step, size.labeled, n)
      )
      batch['labeled'] = labeled_images(data, drawn)
    if 'unlabeled' in streams:
      own = jax.random.fold_in(key, 1)
      if sample is not None:
        positions = sample(jax.random.fold_in(own, step), size.unlabeled)
      elif share is not None:
        positions = stream.epoch_indices(own, step, size.unlabeled, share['images'])
        positions = data['clients']['images'][share['first_image'] + positions]
      elif size.whole:
        positions = jnp.arange(size.unlabeled)
      else:
        positions = stream.epoch_indices(own, step, size.unlabeled, shape.unlabeled)
      batch['unlabeled'] = unlabeled_images(data, positions)
      if structure.text_net and shape.captions:
        where = data['stream'][positions] if shape.is_subset else positions
        which = stream.choices(jax.random.fold_in(key, 2), step, size.unlabeled, shape.captions[0])
        batch['unlabeled']['caption'] = data['caption'][where, which]
    return batch if structure.data.graph else parallel.split_batch(batch, mesh)

  return draw


def places(data: Mapping[str, Any], positions: jax.Array) -> jax.Array:
  """Where images are in the unlabeled stream, int32; its length for one that is not in it."""
  found = jnp.searchsorted(data['stream'], positions)
  there = data['stream'][jnp.minimum(found, len(data['stream']) - 1)] == positions
  return jnp.where(there, found, len(data['stream'])).astype('int32')


def labeled_images(data: Mapping[str, Any], places: jax.Array) -> dict[str, jax.Array]:
  """The labeled images at some places of the pool, and these places."""
  positions = data['pool'][places]
  return {'image': images_at(data, positions), 'label': data['given'][positions], 'labeled_index': places}


def unlabeled_images(data: Mapping[str, Any], positions: jax.Array) -> dict[str, jax.Array]:
  """The images at some places of the unlabeled stream, and these places."""
  where = data['stream'][positions] if 'stream' in data else positions
  return {'image': images_at(data, where), 'index': positions}


def images_at(data: Mapping[str, Any], positions: jax.Array | None) -> Any:
  """The images at some positions, or all; of a graph the nodes, with the graph."""
  images = data['image'] if positions is None else data['image'][positions]
  return m.Nodes(data['graph'], images) if 'graph' in data else images


def images_per_step(structure: Structure, views: Mapping[str, m.View]) -> tuple[int, int]:
  """Images drawn from the method's stream, the unlabeled one where it has both, and views of all images."""
  size = structure.batch
  stream = 'unlabeled' if 'unlabeled' in streams_of(structure) else 'labeled'
  return size.of(stream), sum(size.of(view.stream) * view.copies for view in views.values())


def check_batch(structure: Structure) -> None:
  """Raises `BadSetting` where a batch is larger than the unlabeled set."""
  drawn, there = structure.batch.unlabeled, structure.data.unlabeled
  if 'unlabeled' in streams_of(structure) and drawn > there:
    raise BadSetting(
      f'A step would see {drawn} of {there} unlabeled images; '
      'make batch.labeled or batch.unlabeled_ratio smaller.'
    )


def steps_per_epoch(structure: Structure) -> int:
  """Steps of one pass over the training part; without an unlabeled stream, of as many labeled images."""
  if 'unlabeled' in streams_of(structure):
    return stream.steps_per_epoch(structure.batch.unlabeled, structure.data.unlabeled)
  return max(1, structure.data.train // structure.batch.labeled)
