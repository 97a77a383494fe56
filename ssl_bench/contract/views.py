"""Views: how a method asks for augmented images, and how they are made on the device."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax

from ssl_bench.kinds import scale
from ssl_bench.kinds.graph import Nodes
from ssl_bench.settings.signature import BadSetting

Batch = Mapping[str, Mapping[str, Any]]  # stream -> {'image': uint8 [batch, H, W, C] or Nodes, …}
Views = Mapping[str, Mapping[str, Any]]  # view -> {'image': float32 [batch, H, W, C], …}
Policies = Mapping[str, Callable[[jax.Array, Any], Any]]  # name -> (key, image) -> image

STREAMS = ('labeled', 'unlabeled')


class View(NamedTuple):
  """One augmented view of the images of a stream.

  With `copies` above 1 every image is augmented that many times: [batch, copies, H, W, C].
  """

  stream: str  # 'labeled' or 'unlabeled'
  augment: str  # the name of a policy: 'weak', 'strong', 'other' or 'local'
  copies: int = 1


def look(views: Mapping[str, View], batch: Batch, augment: Policies, key: jax.Array) -> dict[str, Any]:
  """Augments the images of each view on the device.

  Args:
    views: the views that the method asks for, by name.
    batch: stream name -> {'image': uint8 [batch, H, W, C], …}; whatever else a stream holds is passed on.
    augment: policy name -> function (key, image) -> image, of one image.
    key: a view's own key depends on its name only, so adding a view does not change another.

  Returns: view name -> the stream's entries, its images augmented.

  Raises:
    BadSetting: a policy leaves images unscaled.
  """

  def one(name: str, view: View) -> dict[str, Any]:
    stream, own = batch[view.stream], jax.random.fold_in(key, hash_name(name))
    images = _changed(augment[view.augment], own, stream['image'], view.copies)
    if (dtype := getattr(images, 'dtype', None)) in ('uint8', 'int16'):
      raise BadSetting(
        f'The policy {view.augment!r} gives {dtype} images, which no method learns from; make it by '
        "ssl_bench.policy('…'), which puts them on the scale [-1, 1]."
      )
    return {**stream, 'image': images}

  return {name: one(name, view) for name, view in views.items()}


def _changed(policy: Callable, key: jax.Array, images: Any, copies: int) -> Any:
  """Each image changed by a key of its own, `copies` times; a graph is changed as a whole."""
  if isinstance(images, Nodes):
    if copies > 1:
      raise BadSetting('A graph has one copy in each view; use a method that asks for no copies.')
    return policy(key, images)
  keys = jax.random.split(key, (len(images),) + (copies,) * (copies > 1))
  many = jax.vmap(policy, (0, None)) if copies > 1 else policy
  return jax.vmap(many)(keys, images)


def look_at_all(function: Callable[[Any], Any], images: Any, rows: int = 256, kind: str = 'image') -> Any:
  """Applies a function of scaled images [b, H, W, C] to all uint8 images [n, H, W, C], `rows` at a time.

  It serves `refresh`.  The function's result for an image must not depend on the other images.  Nodes of a
  graph are looked at all at once.
  """
  if isinstance(images, Nodes):
    return function(images)

  def one(image: jax.Array) -> Any:
    return jax.tree.map(lambda x: x[0], function(scale(image, kind)[None]))

  return jax.lax.map(one, images, batch_size=min(rows, len(images)))


def hash_name(name: str) -> int:
  """A number below 2^31 - 1 that is the same in every process (`hash` is not)."""
  return int.from_bytes(name.encode(), 'big') % (2**31 - 1)
