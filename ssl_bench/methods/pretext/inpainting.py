"""Inpainting: paint a hidden block of an image from what is around it (context encoders)."""

import math
from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, Range, Static

VERSION = 1


def inpainting(
  encoder: net.Net,
  shape: tuple[int, ...],
  *,
  side: Annotated[Static, Range(0, 1, above=True, below=True)] = 0.5,
  hidden: Annotated[int, POSITIVE] = 256,
  layers: heads.Layers = 'dense',
) -> Method:
  """Pathak et al., "Context Encoders: Feature Learning by Inpainting" (2016).

  Objective (eq. 1): the mean of (x - d(f((1 - m) x)))² over the pixels of the hidden block m, for the
  encoder's features f and the decoder d, where x is a weak view.  A block is somewhere else in every image,
  and gray: 0 in pixels from -1 to 1.

  Args:
    side: of the block, as a share of the image's, rounded to at least one pixel (the paper: a half, the
      middle of the image or somewhere in it; section 3.3).
    hidden: width of the decoder.
    layers: of the decoder: dense or conv (transposed convolutions, as the paper's).

  Evaluated: the encoder's features of whole images, with nothing hidden.
  BatchNorm: one pass, of images with hidden blocks.
  Deviations: no adversarial loss, which the paper adds for sharp pictures.  The decoder reads the encoder's
  features, of which the paper's are a map, through a fully connected layer for each channel.
  """
  block = tuple(max(1, round(side * length)) for length in shape[:2])
  model = net.chain(encoder=encoder, decoder=heads.decoder(shape, layers=layers, width=hidden))

  def init(key, views):
    return *model.init(key, views['image']['image']), ()

  def loss(state, views, key):
    x = views['image']['image']
    there = inside(draw(key, views, side=side)['corner'], block, x.shape).astype('float32')
    shown, key = x * (1 - there), jax.random.fold_in(key, 1)
    out, stats = model.apply(state.params, state.stats, shown, train=True, key=key)
    value = (jnp.square(out['decoder'] - x) * there).sum() / (len(x) * math.prod(block) * x.shape[3])
    return value, Aux(stats, (), {'loss/reconstruction': value})

  return Method(
    {'image': View('unlabeled', 'weak')}, init, loss, encode=net.output(model, 'encoder'), kinds=('image',)
  )


def draw(key, views, *, side: float):
  """The first row and column of each image's block, int32 [B, 2]."""
  images = views['image']['image']
  room = [length - max(1, round(side * length)) for length in images.shape[1:3]]
  keys = [jax.random.fold_in(key, 2 + i) for i in range(2)]
  corners = [jax.random.randint(k, (len(images),), 0, most + 1) for k, most in zip(keys, room)]
  return {'corner': jnp.stack(corners, 1)}


def inside(corner, block, shape):
  """Whether each pixel lies in the block at a corner [B, 2], bool [B, H, W, 1]."""
  row, column = (
    (jnp.arange(n)[None] >= at[:, None]) & (jnp.arange(n)[None] < at[:, None] + size)
    for n, at, size in zip(shape[1:3], corner.T, block)
  )
  return (row[:, :, None] & column[:, None, :])[..., None]
