"""What the methods on a fixed graph share: the graph, the beliefs on it, and the classes of new images."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ssl_bench import graph
from ssl_bench.contract import DENSE, Graph, Method, Nodes, Teacher, View, look_at_all, scale
from ssl_bench.losses import normalize

VIEWS = {'labeled': View('labeled', 'weak')}  # whose labels `refresh` sees


def transduction(
  believe: Callable, classes: int, examples: int, stored, teacher: Teacher | None, neighbors: int, width
) -> Method:
  """A method without gradients, on the pixels of the unlabeled set or a teacher's features of unit length.

  Where the data are a graph and there is no teacher, it is `on_given_edges`.

  Memory: the points of the graph (`bank`: each image, or its features), the belief in each class for every
  point (`belief`, rows that sum to 1) and the scale of the kernel (`scale`).

  Args:
    believe: (weighted edges, labels [examples], -1 where unknown) -> beliefs ≥ 0 [examples, classes].
    classes, examples: of the data.
    stored: the shape and the dtype of an example as it is stored.
    teacher: whose features make the graph; None for pixels.
    neighbors: edges of each image.
    width: of the kernel, in units of the root mean squared distance of the edges.
  """
  graph.check_neighbors(neighbors, examples)
  given = on_given_edges(lambda edges, labels, nodes: believe(edges, labels), classes, examples)

  def has_edges(images):
    return isinstance(images, Nodes) and teacher is None

  def encode(state, images):
    if has_edges(images):
      return given.encode(state, images)
    return teacher.encode(images) if teacher else images.reshape(len(images), -1)

  def points_of(bank):
    return bank if teacher else encode(None, scale(bank))

  def init(key, views):
    if has_edges(views['labeled']['image']):
      return given.init(key, views)
    if teacher:
      features = jax.eval_shape(teacher.encode, views['labeled']['image'])
      bank = jnp.zeros((examples, features.shape[-1]), 'float32')
    else:
      bank = jnp.zeros((examples, *stored.shape), stored.dtype)
    belief = jnp.full((examples, classes), 1 / classes, 'float32')
    return {}, {}, {'bank': bank, 'belief': belief, 'scale': jnp.ones((), 'float32')}

  def refresh(state, data, key, tx):
    bank = data['unlabeled']['image']
    if has_edges(bank):
      return given.refresh(state, data, key, tx)
    if teacher:
      bank = normalize(look_at_all(teacher.encode, bank))
    labels = graph.labels_of(data['labeled'], examples)
    belief, size = graph.settle(points_of(bank), neighbors, width, lambda edges: believe(edges, labels))
    return state._replace(memory={'bank': bank, 'belief': belief, 'scale': size})

  def predict(state, images):
    if has_edges(images):
      return given.predict(state, images)
    bank, belief, size = (state.memory[name] for name in ('bank', 'belief', 'scale'))
    points = encode(state, images)
    points = normalize(points) if teacher else points
    return graph.logits(graph.induce(points, points_of(bank), neighbors, size, belief))

  def transduce(state):
    return given.transduce(state) if 'order' in state.memory else graph.logits(state.memory['belief'])

  return Method(
    VIEWS,
    init,
    None,
    encode=encode,
    predict=predict,
    refresh=refresh,
    transduce=transduce,
    kinds=(*DENSE, 'graph'),
  )


class OnGivenEdges(NamedTuple):
  """The functions of a method without gradients on the edges of a graph; see `Method`."""

  init: Callable[..., Any]
  refresh: Callable[..., Any]
  encode: Callable[..., Any]
  predict: Callable[..., Any]
  transduce: Callable[..., Any]


def on_given_edges(believe: Callable, classes: int, examples: int) -> OnGivenEdges:
  """Beliefs in all nodes of a graph; the features are the nodes' own.

  Memory: the belief in each class for every node of the graph (`belief`, rows that sum to 1) and the node at
  each position of the unlabeled stream (`order`).  Where a node's beliefs are all 0, they become equal, and
  the first class is predicted.

  Args:
    believe: (edges, labels [nodes], -1 where unknown, all nodes) -> beliefs ≥ 0 [nodes, classes].
    classes, examples: of the data.
  """

  def init(key, views):
    nodes = views['labeled']['image'].graph.count
    belief = jnp.full((nodes, classes), 1 / classes, 'float32')
    return {}, {}, {'belief': belief, 'order': jnp.zeros(examples, 'int32')}

  def refresh(state, data, key, tx):
    own, order = data['unlabeled']['image'].graph, data['unlabeled']['image'].index
    labeled = {**data['labeled'], 'index': data['labeled']['image'].index}
    nodes = Nodes(own, jnp.arange(own.count, dtype='int32'))
    belief = believe(edges_of(own), graph.labels_of(labeled, own.count), nodes)
    return state._replace(memory={'belief': graph.shares(belief), 'order': order})

  def look(state, index):
    return graph.logits(state.memory['belief'][index])

  return OnGivenEdges(
    init,
    refresh,
    encode=lambda state, nodes: nodes.features(),
    predict=lambda state, nodes: look(state, nodes.index),
    transduce=lambda state: look(state, state.memory['order']),
  )


def edges_of(given: Graph) -> graph.Listed:
  """The edges of a graph, for the solvers."""
  return graph.Listed(given.weights, given.senders, given.receivers)
