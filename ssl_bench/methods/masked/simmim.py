"""SimMIM: replace masked patches by a learned token, and predict their pixels by one linear layer."""

import math
from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, BadSetting, Range, Static

VERSION = 1


def simmim(
  encoder: net.Net,
  shape: tuple[int, ...],
  *,
  masking: Annotated[Static, Range(0, 1, above=True, below=True)] = 0.6,
  block: Annotated[int, POSITIVE] = 2,
) -> Method:
  """Xie et al., "SimMIM: A Simple Framework for Masked Image Modeling" (2021).

  The encoder, a net of patches (`vit`), sees all patches of a weak view; a learned token stands in the place
  of the embeddings of those that are masked.

  Objective: the mean of |x̂ - x| over all pixels of the masked patches, where x̂ is linear in the encoder's
  token of the patch.  Visible patches are not in the loss.

  Args:
    masking: the part of an image that is masked, rounded up to whole squares (the authors' code: 0.6).
    block: side of the squares that are masked, in patches (the authors' code: 32 pixels, two of ViT-B's).

  Evaluated: the encoder's features on whole images, nothing masked; `net.pool` says whether they are the
  class token, which the loss reaches through attention only, or the mean of the patches.
  BatchNorm: none in `vit`.
  Deviations: `vit` has absolute positions and no layer scale, where the authors' ViT has relative positions
  and layer scale, as BEiT's; pixels are in [-1, 1], not divided by the deviations of ImageNet's channels.
  On the digits (experiments/self_supervised.yaml, five pairs, 40 labels) it has 48.4 ± 13.3 %, the same
  network with random weights 25.7 ± 4.6, and raw pixels 80.6 ± 4.0.  A run is 80 epochs of 1,197 images, the
  paper's 100 and more of 1.28 million: four times as many steps bring 61.3 % instead of 53.0 (split seed 100,
  one run, on no board).
  Three of the five are called collapsed: features that hardly differ between images.
  """
  rows, columns, side = heads.patch_grid(encoder, shape, 'simmim')
  if rows % block or columns % block:
    raise BadSetting(f'simmim: block {block} must divide the {rows}x{columns} patches of an image.')
  squares = rows * columns // block**2
  if math.ceil(squares * masking) == squares:
    raise BadSetting(f'simmim: masking {masking} of {squares} squares leaves none visible; lower it.')
  head = heads.linear(side**2 * shape[-1])

  def init(key, views):
    images = views['image']['image']
    params, stats = net.init_each(key, encoder=(encoder, images))
    tokens, _ = encoder.apply(params['encoder'], stats['encoder'], images, tokens=True, train=False)
    more, more_stats = net.init_each(key, head=(head, tokens))
    token = 0.02 * jax.random.normal(net.fold_name(key, 'mask_token'), tokens.shape[-1:])
    return {**params, **more, 'mask_token': token}, stats | more_stats, ()

  def loss(state, views, key):
    params, stats, images = state.params, state.stats, views['image']['image']
    mask = draw(key, views, encoder, masking=masking, block=block)['mask']
    see = {'mask': (mask, params['mask_token']), 'tokens': True, 'train': True}
    tokens, seen = encoder.apply(
      params['encoder'], stats['encoder'], images, **see, key=net.fold_name(key, 'encoder')
    )
    pixels, _ = head.apply(params['head'], stats['head'], tokens[:, 1:], train=True)
    error = jnp.abs(pixels - heads.patchify(images, side)).mean(-1)
    masked = mask.astype('float32')
    value = (masked * error).sum() / masked.sum()
    return value, Aux({**stats, 'encoder': seen}, (), {'loss/reconstruction': value})

  def encode(state, images):
    return encoder.apply(state.params['encoder'], state.stats['encoder'], images, train=False)[0]

  return Method({'image': View('unlabeled', 'weak')}, init, loss, encode=encode, kinds=('image', 'audio'))


def draw(key, views, encoder, *, masking, block):
  """Which patches of each image are masked, bool [batch, patches]: squares of `block` patches a side."""
  images = views['image']['image']
  rows, columns = (size // encoder.patch // block for size in images.shape[1:3])
  noise = jax.random.uniform(net.fold_name(key, 'mask'), (len(images), rows * columns))
  masked = jnp.argsort(jnp.argsort(noise)) < math.ceil(rows * columns * masking)
  squares = masked.reshape(-1, rows, columns)
  return {'mask': squares.repeat(block, 1).repeat(block, 2).reshape(len(images), -1)}
