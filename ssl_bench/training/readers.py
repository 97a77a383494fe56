"""The functions that read a training's state: features, logits, embeddings, a loss on held-out images."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from ssl_bench import contract as m
from ssl_bench import parallel, pattern
from ssl_bench.planning import build
from ssl_bench.planning.policies import policies_of
from ssl_bench.planning.structure import Structure

DRAWS = 16  # of what a reconstruction hides, over which its error is averaged


class Readers(NamedTuple):
  """Pure functions of a structure; images are uint8 [n, H, W, C], and so are texts, as tokens."""

  infer: Callable[..., Any]  # (state, numbers, images) -> logits, or features where there is no classifier
  observe: Callable[..., Any]  # (state, numbers, images) -> {'features', 'logits' where there are any}
  held_out_loss: Callable[..., Any]  # (state, numbers, images) -> the loss
  pseudo_labels: Callable[..., Any]  # (state, numbers, batch) -> {'index', 'label', 'confidence', 'mask'}
  embed: Callable[..., Any]  # (state, numbers, inputs, 'image' or 'text') -> {'embedding'}
  reconstruction_error: Callable[..., Any]  # (state, numbers, images) -> {'error'}
  transduce: Callable[..., Any]  # (state, numbers) -> logits [examples, classes] of the unlabeled set


def make_readers(structure: Structure, mesh: Mesh) -> Readers:
  """The functions of a structure, images split over a mesh."""
  make, kind = build.builder(structure), structure.data.kind
  policies = policies_of(structure, build.method_of(structure).views)

  def read(state):
    for name in structure.patterns:
      if change := pattern.get(name).read:
        state = change(state)
    return state

  def see(images, numbers):
    """Stored images as a method is given them."""
    return m.Nodes(numbers['graph'], images) if structure.data.graph else m.scale(images, kind)

  def infer(state, numbers, images):
    method, _ = make(numbers)
    return (method.predict or method.encode)(read(state), see(images, numbers))

  def observe(state, numbers, images):
    method, _ = make(numbers)
    state = read(state)
    images = see(parallel.split_batch(images, mesh), numbers)
    features = {'features': method.encode(state, images)}
    return features | ({'logits': method.predict(state, images)} if method.predict else {})

  def held_out_loss(state, numbers, images):
    method, _ = make(numbers)
    assert method.loss is not None
    key = jax.random.key(0)
    images = see(images, numbers) if structure.data.graph else images
    batch = {'unlabeled': {'image': images, 'index': jnp.zeros(len(images), 'int32')}}
    return method.loss(read(state), m.look(method.views, batch, policies, key), key)[0]

  def pseudo_labels(state, numbers, batch):
    method, _ = make(numbers)
    assert method.loss is not None
    key = jax.random.key(0)
    if structure.data.graph:
      batch = {name: {**own, 'image': see(own['image'], numbers)} for name, own in batch.items()}
    pseudo = method.loss(read(state), m.look(method.views, batch, policies, key), key)[1].pseudo
    assert pseudo is not None
    return {name: getattr(pseudo, name) for name in ('index', 'label', 'confidence', 'mask')}

  def embed(state, numbers, inputs, kind):
    method, _ = make(numbers)
    assert method.embed is not None
    inputs = parallel.split_batch(inputs, mesh)
    inputs = m.scale(inputs) if kind == 'image' else inputs
    return {'embedding': method.embed(read(state), inputs, kind)}

  def reconstruction_error(state, numbers, images):
    method, _ = make(numbers)
    assert method.reconstruction_error is not None
    state, images = read(state), see(parallel.split_batch(images, mesh), numbers)
    error = lambda key: method.reconstruction_error(state, images, key)
    return {'error': jax.lax.map(error, jax.random.split(jax.random.key(0), DRAWS)).mean(0)}

  def transduce(state, numbers):
    method, _ = make(numbers)
    assert method.transduce is not None
    return method.transduce(state)

  return Readers(infer, observe, held_out_loss, pseudo_labels, embed, reconstruction_error, transduce)
