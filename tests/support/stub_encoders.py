"""Encoders of one matrix, which a golden file can write down: of vectors, of images in patches, of tokens."""

import zlib

import jax.numpy as jnp
import numpy as np
from golden._layers import PLACES

from ssl_bench.nets.core import PAD, Net


def vector_encoder(rows: np.ndarray, *, norm: bool) -> Net:
  """An encoder of unit vectors: row i of its kernel is the embedding of image i.

  With `norm`, embeddings are normalized over the batch (no scale, no bias), with running moments.
  """
  size = rows.shape[1]

  def init(key, images):
    del key, images
    moments = {'batch_stats': {'mean': jnp.zeros(size), 'var': jnp.ones(size)}}
    return {'kernel': jnp.asarray(rows, 'float32')}, moments if norm else {}

  def apply(params, stats, images, *, train, key=None):
    del key
    x = jnp.matmul(images.reshape(len(images), -1), params['kernel'], precision='highest')
    if not norm:
      return x, stats
    old = stats['batch_stats']
    mean, var = (x.mean(0), x.var(0)) if train else (old['mean'], old['var'])
    new = {'mean': 0.9 * old['mean'] + 0.1 * mean, 'var': 0.9 * old['var'] + 0.1 * var}
    return (x - mean[None]) / jnp.sqrt(var + 1e-5)[None], {'batch_stats': new} if train else stats

  return Net(init, apply)


def patch_encoder(rows: np.ndarray, *, norm: bool) -> Net:
  """An encoder of images whose pixels are unit vectors, and its patches: row i of its kernel embeds pixel i.

  Features, and the class token, are a sum of the embeddings weighted by `PLACES`, so that order matters; a
  token is its own embedding and that sum, so that every token sees all others.  Tokens of the last K layers
  have that sum K, …, 2 and 1 times.
  """
  pixel = vector_encoder(rows, norm=norm)

  def apply(
    params, stats, images, *, train, key=None, keep=None, seen=None, mask=None, tokens=False, layers=0
  ):
    del key
    x = images.reshape(len(images), -1, images.shape[-1])
    places = jnp.broadcast_to(jnp.asarray(PLACES[: x.shape[1]], 'float32'), x.shape[:2])
    if keep is not None:
      x, places = jnp.take_along_axis(x, keep[..., None], 1), jnp.take_along_axis(places, keep, 1)
    flat, stats = pixel.apply(params, stats, x.reshape(-1, x.shape[-1]), train=train)
    x = flat.reshape(*x.shape[:2], -1)
    if seen is not None:
      places = places * seen
    if mask is not None:
      x = jnp.where(mask[0][..., None], mask[1], x)
    features = (places[..., None] * x).sum(1)
    if layers:
      sums = jnp.arange(layers, 0, -1).astype('float32')[:, None, None, None] * features[None, :, None]
      return jnp.concatenate([sums, x[None] + sums], 2), stats
    every = jnp.concatenate([features[:, None], x + features[:, None]], 1)
    return (every if tokens else features), stats

  return Net(pixel.init, apply, patch=1, features_and_tokens=lambda seen: (seen[:, 0], seen[:, 1:]))


def series_encoder(rows: np.ndarray, *, norm: bool) -> Net:
  """An encoder of series whose points are unit vectors: the tokens of `patch_encoder` without the first."""
  point = patch_encoder(rows, norm=norm)

  def apply(params, stats, series, *, train, key=None, tokens=False):
    x, stats = point.apply(params, stats, series, train=train, key=key, tokens=True)
    return (x[:, 1:] if tokens else x[:, 0]), stats

  return Net(point.init, apply, kinds=('series',))


def token_encoder(rows: np.ndarray, *, norm: bool) -> Net:
  """An encoder of texts: row i of its kernel is the embedding of token i, never normalized."""
  del norm

  def apply(params, stats, text, *, train, key=None, tokens=False):
    del train, key
    text = text.reshape(len(text), -1)
    x, there = params['kernel'][text], (text != PAD)[..., None]
    return (x if tokens else (x * there).sum(1) / there.sum(1)), stats

  return Net(lambda key, text: ({'kernel': jnp.asarray(rows, 'float32')}, {}), apply, kinds=('tokens',))


def fixed_numbers(shape: tuple[int, ...], salt: str) -> np.ndarray:
  """Numbers of about unit size that are the same everywhere and for ever; float64."""
  start = zlib.crc32(salt.encode()) % 1000
  return 1.5 * np.sin(12.9898 * np.arange(1 + start, 1 + start + np.prod(shape, dtype=int)).reshape(shape))
