"""What the methods on a fixed graph share: the graph, the beliefs on it, and the classes of new images."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from ssl_bench import graph
from ssl_bench.contract import DENSE, Method, Teacher, View, look_at_all, scale
from ssl_bench.kinds import stored_as
from ssl_bench.losses import normalize


def transduction(
  believe: Callable, classes: int, examples: int, shape, teacher: Teacher | None, neighbors: int, width
) -> Method:
  """A method without gradients, on the pixels of the unlabeled set or a teacher's features of unit length.

  Memory: the points of the graph (`bank`: each image, or its features), the belief in each class for every
  point (`belief`, rows that sum to 1) and the scale of the kernel (`scale`).

  Args:
    believe: (weighted edges, labels [examples], -1 where unknown) -> beliefs ≥ 0 [examples, classes].
    classes, examples, shape: of the data.
    teacher: whose features make the graph; None for pixels.
    neighbors: edges of each image.
    width: of the kernel, in units of the root mean squared distance of the edges.
  """
  graph.check_neighbors(neighbors, examples)

  def encode(state, images):
    return teacher.encode(images) if teacher else images.reshape(len(images), -1)

  def points_of(bank):
    return bank if teacher else encode(None, scale(bank))

  def init(key, views):
    bank = jnp.zeros((examples, *shape), stored_as(shape))
    if teacher:
      features = jax.eval_shape(teacher.encode, views['labeled']['image'])
      bank = jnp.zeros((examples, features.shape[-1]), 'float32')
    belief = jnp.full((examples, classes), 1 / classes, 'float32')
    return {}, {}, {'bank': bank, 'belief': belief, 'scale': jnp.ones((), 'float32')}

  def refresh(state, data, key, tx):
    bank = data['unlabeled']['image']
    if teacher:
      bank = normalize(look_at_all(teacher.encode, bank))
    labels = graph.labels_of(data['labeled'], examples)
    belief, size = graph.settle(points_of(bank), neighbors, width, lambda edges: believe(edges, labels))
    return state._replace(memory={'bank': bank, 'belief': belief, 'scale': size})

  def predict(state, images):
    bank, belief, size = (state.memory[name] for name in ('bank', 'belief', 'scale'))
    points = encode(state, images)
    points = normalize(points) if teacher else points
    return graph.logits(graph.induce(points, points_of(bank), neighbors, size, belief))

  return Method(
    {'labeled': View('labeled', 'weak')},  # whose labels `refresh` sees
    init,
    None,
    encode=encode,
    predict=predict,
    refresh=refresh,
    transduce=lambda state: graph.logits(state.memory['belief']),
    kinds=DENSE,
  )
