"""Whether a method can learn from batches of very few images.

A loss that compares the images of a batch with each other, or a BatchNorm over its features, may be constant,
or not finite, where there are one or two.
"""

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ssl_bench import contract as m
from ssl_bench.config import Config, teacher_of
from ssl_bench.data.arrays import Dataset
from ssl_bench.settings.signature import BadSetting
from ssl_bench.train import batch
from ssl_bench.train.structure import (
  arrays_of,
  builder,
  method_of,
  numbers_of,
  parts_of,
  streams_of,
  structure_of,
  teaching,
)
from ssl_bench.train.unkeyed import Unkeyed

FEW = 2  # images of a stream, up to which it is looked at
TURNS = 8  # batches that are looked at, one by one and all together
NEGLIGIBLE = 1e-3  # part of the gradient of a large batch


def check_small_batches(config: Config, dataset: Dataset, labeled: np.ndarray) -> None:
  """Raises `BadSetting` where a step sees one or two images and the loss does not depend on them.

  The gradient of the loss in the images (of texts: in the encoder's parameters) is taken for a few batches
  alone and for all of them as one.  It must be finite, and for no stream may it vanish in the small batches
  and not in the large one.  Ordinary batches, methods without a loss, and private training, whose
  losses are of single images, are not looked at.
  """
  parts = parts_of(config, dataset)
  streams, method = streams_of(parts), method_of(parts)
  sizes = {stream: batch.sizes(parts)[stream] for stream in sorted(streams)}
  if method.loss is None or config.private or min(sizes.values()) > FEW:
    return
  told = _why_not(structure_of(config, dataset), Unkeyed(config, dataset, labeled))
  if told:
    seen = ' and '.join(f'{size} {stream}' for stream, size in sizes.items())
    images = 'image' if sum(sizes.values()) == 1 else 'images'
    raise BadSetting(
      f'{config.method["name"]}: with {seen} {images} a step {told}; make batch.labeled or '
      'batch.unlabeled_ratio larger.'
    )


@lru_cache(maxsize=64)
def _why_not(structure: str, given: Unkeyed) -> str | None:
  """What is wrong with the batches of a structure, as a part of a sentence, or None."""
  del structure
  config, dataset, labeled = given.inputs
  parts, data = parts_of(config, dataset), arrays_of(dataset, labeled)
  turns = min(TURNS, parts['unlabeled'] // parts['batch'][1])
  numbers = numbers_of(config, len(labeled), _untrained_teacher(config, dataset, labeled))
  together = {**parts, 'batch': [size * turns for size in parts['batch']]}

  @jax.jit
  def gradients(data, numbers):
    method, _ = builder(parts)(numbers)
    policies = batch.policies_of(parts, method.views)
    key = jax.random.key(0)
    drawn = batch.drawer(together, streams_of(parts), None)(data, key, 0, numbers['n_labels'])
    views = m.look(method.views, drawn, policies, key)
    small = jax.tree.map(lambda x: x.reshape(turns, len(x) // turns, *x.shape[1:]), views)

    def gradient(views):
      params, stats, memory = method.init(key, views)
      state = m.State(key, jnp.int32(config.steps - 1), params, stats, memory, ())
      return _gradient_by_stream(method, state, views, key, parts['kind'])

    return jax.lax.map(gradient, small), gradient(views)

  alone, whole = jax.tree.map(np.asarray, gradients(data, numbers))
  if not all(np.isfinite(norms).all() for norms in alone.values()):
    return 'its loss or the gradient is not finite'
  for stream, norms in alone.items():
    if norms.max() <= NEGLIGIBLE * whole[stream]:
      return f'its loss does not depend on the {stream} ones, so nothing is learned from them'
  return None


def _gradient_by_stream(method: m.Method, state: m.State, views: Any, key, kind: str) -> dict[str, Any]:
  """Norm of the gradient in the images of each stream; of texts, in the encoder's parameters for all."""

  def loss(images, params):
    seen = {name: {**view, **images.get(name, {})} for name, view in views.items()}
    assert method.loss is not None
    return method.loss(state._replace(params=params), seen, key)[0]

  images = {} if kind == 'tokens' else {name: {'image': view['image']} for name, view in views.items()}
  in_images, in_params = jax.grad(loss, (0, 1))(images, state.params)
  finite = jnp.where(jnp.isfinite(optax.tree.norm(in_params)), 0.0, jnp.nan)
  if kind == 'tokens':
    whole = optax.tree.norm(in_params.get('encoder', in_params))
    return dict.fromkeys(sorted({view.stream for view in method.views.values()}), whole + finite)
  norms: dict[str, Any] = {}
  for name, view in method.views.items():
    norms.setdefault(view.stream, []).append(in_images[name])
  return {stream: optax.tree.norm(grads) + finite for stream, grads in norms.items()}


def _untrained_teacher(config: Config, dataset: Dataset, labeled: np.ndarray) -> Any:
  """What a student is given of its teacher (`teaching`), before that has been trained; None without one."""
  teacher = teacher_of(config)
  if teacher is None:
    return None
  parts = parts_of(teacher, dataset)
  numbers = numbers_of(teacher, len(labeled), _untrained_teacher(teacher, dataset, labeled))
  method, tx = builder(parts)(numbers)
  draw = batch.drawer(parts, streams_of(parts), None)
  policies = batch.policies_of(parts, method.views)
  start = lambda data, key: m.init_state(method, tx, policies, key, draw(data, key, 0, len(labeled)))
  return teaching(jax.jit(start)(arrays_of(dataset, labeled), jax.random.key(1)), numbers)
