"""Whether a method can learn from batches of very few images.

A loss that compares the images of a batch with each other, or a BatchNorm over its features, may be constant,
or not finite, where there are one or two.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ssl_bench import contract as m
from ssl_bench import pattern
from ssl_bench.config import Config
from ssl_bench.data.arrays import Dataset
from ssl_bench.kinds import kind_of
from ssl_bench.planning import batch
from ssl_bench.planning.arrays import arrays_of
from ssl_bench.planning.build import builder, method_of, streams_of
from ssl_bench.planning.numbers import numbers_of, teaching
from ssl_bench.planning.once import once_per_structure
from ssl_bench.planning.policies import policies_of
from ssl_bench.planning.split import labeled_of, of_teacher
from ssl_bench.planning.structure import Structure
from ssl_bench.settings.signature import BadSetting

if TYPE_CHECKING:
  from ssl_bench.planning import Plan

FEW = 2  # images of a stream, up to which it is looked at
TURNS = 8  # batches that are looked at, one by one and all together
NEGLIGIBLE = 1e-3  # part of the gradient of a large batch


def check_small_batches(plan: 'Plan') -> None:
  """Raises `BadSetting` where a step sees one or two images and the loss does not depend on them.

  The gradient of the loss in the images (of texts: in the encoder's parameters) is taken for a few batches
  alone and for all of them as one.  It must be finite, and for no stream may it vanish in the small batches
  and not in the large one.  Ordinary batches, methods without a loss, and patterns whose losses are of single
  images are not looked at.
  """
  structure = plan.structure
  sizes = {stream: structure.batch.of(stream) for stream in sorted(streams_of(structure))}
  by_image = any(pattern.get(name).by_image for name in structure.patterns)
  if method_of(structure).loss is None or by_image or min(sizes.values()) > FEW:
    return
  if fault := _fault(plan):
    drawn = ' and '.join(f'{size} {stream}' for stream, size in sizes.items())
    images = 'image' if sum(sizes.values()) == 1 else 'images'
    raise BadSetting(
      f'{structure.method.name}: with {drawn} {images} a step {fault}; make batch.labeled or '
      'batch.unlabeled_ratio larger.'
    )


@once_per_structure
def _fault(plan: 'Plan') -> str | None:
  """What is wrong with the batches of a trial, as a part of a sentence, or None."""
  config, structure = plan.config, plan.structure
  data, size = arrays_of(plan.dataset, plan.labeled), structure.batch
  turns = min(TURNS, structure.data.unlabeled // size.unlabeled)
  teacher = _untrained_teacher(config, structure.teacher, plan.dataset, plan.labeled)
  numbers = numbers_of(config, len(plan.labeled), teacher, plan.dataset.graph)
  larger = size._replace(labeled=size.labeled * turns, unlabeled=size.unlabeled * turns)
  together = replace(structure, batch=larger)

  @jax.jit
  def gradients(data: Any, numbers: Any) -> Any:
    method, _ = builder(structure)(numbers)
    policies = policies_of(structure, method.views)
    key = jax.random.key(0)
    drawn = batch.drawer(together, None)(data, key, 0, numbers['n_labels'])
    views = m.look(method.views, drawn, policies, key)
    is_leaf = lambda x: isinstance(x, m.Nodes)
    small = jax.tree.map(lambda x: _in_turns(x, turns), views, is_leaf=is_leaf)

    def gradient(views: Any) -> Any:
      params, stats, memory = method.init(key, views)
      state = m.State(key, jnp.int32(config.steps - 1), params, stats, memory, ())
      return _gradient_by_stream(method, state, views, key, kind_of(structure.data.kind).dense)

    return jax.lax.map(gradient, small), gradient(views)

  alone, whole = jax.tree.map(np.asarray, gradients(data, numbers))
  if not all(np.isfinite(norms).all() for norms in alone.values()):
    return 'its loss or the gradient is not finite'
  for stream, norms in alone.items():
    if norms.max() <= NEGLIGIBLE * whole[stream]:
      return f'its loss does not depend on the {stream} ones, so nothing is learned from them'
  return None


def _in_turns(batch: Any, turns: int) -> Any:
  """A batch [n, …] as several, [turns, n / turns, …]; those of nodes are of one graph."""
  if isinstance(batch, m.Nodes):
    graph = jax.tree.map(lambda x: jnp.broadcast_to(x, (turns, *x.shape)), batch.graph)
    return m.Nodes(graph, batch.index.reshape(turns, -1))
  return batch.reshape(turns, len(batch) // turns, *batch.shape[1:])


def _gradient_by_stream(
  method: m.Method, state: m.State, views: Any, key: jax.Array, dense: bool
) -> dict[str, Any]:
  """Norm of the gradient in each stream's images; where none can be moved, in the encoder's parameters."""

  def loss(images: Any, params: Any) -> Any:
    seen = {name: {**view, **images.get(name, {})} for name, view in views.items()}
    assert method.loss is not None
    return method.loss(state._replace(params=params), seen, key)[0]

  images = {name: {'image': view['image']} for name, view in views.items()} if dense else {}
  in_images, in_params = jax.grad(loss, (0, 1))(images, state.params)
  finite = jnp.where(jnp.isfinite(optax.tree.norm(in_params)), 0.0, jnp.nan)
  if not dense:
    whole = optax.tree.norm(in_params.get('encoder', in_params))
    return dict.fromkeys(sorted({view.stream for view in method.views.values()}), whole + finite)
  norms: dict[str, Any] = {}
  for name, view in method.views.items():
    norms.setdefault(view.stream, []).append(in_images[name])
  return {stream: optax.tree.norm(grads) + finite for stream, grads in norms.items()}


def _untrained_teacher(
  student: Config, structure: Structure | None, dataset: Dataset, labeled: np.ndarray
) -> Any:
  """What a student is given of its teacher (`teaching`), before that has been trained; None without one."""
  config = student.teacher
  if config is None or structure is None:
    return None
  if (own := of_teacher(student, dataset)) is not dataset:
    dataset, labeled = own, labeled_of(config, own)
  data, count = arrays_of(dataset, labeled), len(labeled)
  numbers = numbers_of(config, count, _untrained_teacher(config, structure.teacher, dataset, labeled))
  method, tx = builder(structure)(numbers)
  assert tx is not None
  draw, policies = batch.drawer(structure, None), policies_of(structure, method.views)
  start = lambda data, key: m.init_state(method, tx, policies, key, draw(data, key, 0, count))
  return teaching(jax.jit(start)(data, jax.random.key(1)), numbers)
