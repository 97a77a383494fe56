"""The batch of a step: drawn by (key, step) on the device, augmented, and put on the methods' pixel scale."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from ssl_bench import augment, parallel
from ssl_bench import contract as m
from ssl_bench.contract import scale
from ssl_bench.data import stream
from ssl_bench.settings.signature import BadSetting

STREAM = m.INIT - 2  # folded into the root key for the streams


def policies_of(parts: Mapping[str, Any], views: Mapping[str, m.View]) -> dict[str, Callable]:
  """Policy name -> (key, uint8 image) -> float32 image on the methods' pixel scale.

  Raises `BadSetting` where the config lacks a policy that `views` name, or one changes the images' size; that
  of `local` may.
  """

  def policy(name):
    size_of(parts, name)
    change = augment.compile_policy(text_of(parts, name), parts['shape'][-1], parts['kind'])
    return lambda key, image: scale(change(key, image), parts['kind'])

  return {name: policy(name) for name in sorted({*parts['augment'], *(v.augment for v in views.values())})}


def text_of(parts: Mapping[str, Any], name: str) -> str:
  """A policy as written; `other` is `strong` where the config has none."""
  given = parts['augment']
  if name == 'local' and name not in given:
    raise BadSetting(
      f'{parts["method"]["name"]} looks at small crops; say which, such as '
      f"augment.local='resized_crop(scale=[0.05, 0.4], size={max(1, parts['shape'][0] * 5 // 8)})', "
      'or ask for none by method.crops=0.'
    )
  return given.get(name, given['strong']) if name == 'other' else given[name]


def size_of(parts: Mapping[str, Any], name: str) -> tuple[int, ...]:
  """The shape of an image after a policy; raises `BadSetting` where it may not be that."""
  shape = tuple(parts['shape'])
  change = augment.compile_policy(text_of(parts, name), shape[-1], parts['kind'])
  key = jax.eval_shape(lambda: jax.random.key(0))
  seen = jax.eval_shape(change, key, jax.ShapeDtypeStruct(shape, 'uint8')).shape
  if seen != shape and name != 'local':
    raise BadSetting(
      f'augment.{name} turns images of {shape[:2]} into {seen[:2]}; leave size out, or make it that.'
    )
  return seen


def drawer(parts: Mapping[str, Any], streams: set[str], mesh) -> Callable:
  """(data, key, step, n_labels) -> the batch of a step.  The unlabeled stream has no label to leak.

  With `sample`, (key, size) -> positions, a method chooses its unlabeled batch itself; else a stream does.
  An image comes with one of its captions, another in every step, only where the trial has a net for them.
  With `client`, it is drawn from that client's images, all and labeled, as `arrays_of` lays them out.
  """
  labeled, unlabeled = parts['batch']
  check_batch(parts, streams)

  def draw(data, key, step, n_labels, sample=None, client=None):
    key, batch = jax.random.fold_in(key, STREAM), {}
    held = None if client is None else jax.tree.map(lambda x: x[client], data['clients']['each'])
    if 'labeled' in streams:
      own = jax.random.fold_in(key, 0)
      n, start = (n_labels, 0) if held is None else (held['labels'], held['first_label'])
      places = start + stream.labeled_batch_indices(own, step, labeled, n)
      batch['labeled'] = labeled_images(data, places)
    if 'unlabeled' in streams:
      own = jax.random.fold_in(key, 1)
      if sample is not None:
        at = sample(jax.random.fold_in(own, step), unlabeled)
      elif held is not None:
        at = stream.epoch_indices(own, step, unlabeled, held['images'])
        at = data['clients']['images'][held['first_image'] + at]
      else:
        at = stream.epoch_indices(own, step, unlabeled, parts['unlabeled'])
      batch['unlabeled'] = unlabeled_images(data, at)
      if parts['text_net']:
        where = data['stream'][at] if parts['subset'] else at
        which = stream.choices(jax.random.fold_in(key, 2), step, unlabeled, parts['captions'][0])
        batch['unlabeled']['caption'] = data['caption'][where, which]
    return parallel.split_batch(batch, mesh)

  return draw


def places(data, positions):
  """Where images are in the unlabeled stream, int32; its length for one that is not in it."""
  found = jnp.searchsorted(data['stream'], positions)
  there = data['stream'][jnp.minimum(found, len(data['stream']) - 1)] == positions
  return jnp.where(there, found, len(data['stream'])).astype('int32')


def labeled_images(data, places) -> dict[str, jax.Array]:
  """The labeled images at some places of the pool."""
  at = data['pool'][places]
  return {'image': data['image'][at], 'label': data['given'][at]}


def unlabeled_images(data, at) -> dict[str, jax.Array]:
  """The images at some places of the unlabeled stream, and these."""
  where = data['stream'][at] if 'stream' in data else at
  return {'image': data['image'][where], 'index': at}


def sizes(parts: Mapping[str, Any]) -> dict[str, int]:
  """Images per step, by stream."""
  return dict(zip(('labeled', 'unlabeled'), parts['batch']))


def images_per_step(parts: Mapping[str, Any], views: Mapping[str, m.View]) -> tuple[int, int]:
  """Images drawn from the method's stream, the unlabeled one where it has both, and views of all images."""
  size = sizes(parts)
  drawn = {view.stream for view in views.values()}
  stream = 'unlabeled' if 'unlabeled' in drawn else 'labeled'
  return size[stream], sum(size[view.stream] * view.copies for view in views.values())


def check_batch(parts: Mapping[str, Any], streams: set[str]) -> None:
  """Raises `BadSetting` where a batch is larger than the unlabeled set."""
  _, unlabeled = parts['batch']
  if 'unlabeled' in streams and unlabeled > parts['unlabeled']:
    raise BadSetting(
      f'A step would see {unlabeled} of {parts["unlabeled"]} unlabeled images; '
      'make batch.labeled or batch.unlabeled_ratio smaller.'
    )


def steps_per_epoch(parts: Mapping[str, Any], streams: set[str]) -> int:
  """Steps of one pass over the training part; without an unlabeled stream, of as many labeled images."""
  labeled, unlabeled = parts['batch']
  if 'unlabeled' in streams:
    return stream.steps_per_epoch(unlabeled, parts['unlabeled'])
  return max(1, parts['train'] // labeled)
