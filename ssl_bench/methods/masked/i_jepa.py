"""I-JEPA: predict a target encoder's tokens of some blocks of an image from the tokens of the rest."""

from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ssl_bench.contract import Aux, Method, View
from ssl_bench.methods._schedules import linear_ramp
from ssl_bench.methods._target import follow
from ssl_bench.nets import core as net
from ssl_bench.nets.heads import patch_grid, patch_predictor, token_reader
from ssl_bench.settings.signature import POSITIVE, UNIT, BadSetting, Range

VERSION = 1
Share = Annotated[tuple[float, float], Range(0, 1, above=True)]


def i_jepa(
  encoder: net.Net,
  shape: tuple[int, ...],
  steps: float,
  *,
  blocks: Annotated[int, POSITIVE] = 4,
  scale: Share = (0.15, 0.2),
  ratio: Annotated[tuple[float, float], Range(0.01, 100)] = (0.75, 1.5),
  context: Share = (0.85, 1.0),
  ema_decay: Annotated[float, UNIT] = 0.996,
  dim: Annotated[int, POSITIVE] = 384,
  depth: Annotated[int, POSITIVE] = 12,
  heads: Annotated[int, POSITIVE] = 12,
) -> Method:
  """Assran et al., "Self-Supervised Learning from Images with a Joint-Embedding Predictive Architecture"
  (2023).

  An image is cut into patches.  Some blocks of them are targets, and the context is a large block without
  the patches of the targets.  The encoder, a net of patches (`vit`), sees the context alone; from its tokens
  a predictor makes those that the target network, which sees the whole image, has at each target.

  Objective (the authors' code): the mean over images, blocks, patches and dimensions of the smooth L1
  distance (d²/2 below 1, |d| − 1/2 above) between prediction and target.  A target token is normalized over
  its dimensions (variance plus 1e-5) and held constant.

  Blocks (the authors' code): the size of the M target blocks and that of the context block are drawn once a
  step, their places for each image and block.  Of n patches, a block has h = round(√(⌊s n⌋ r)) rows and
  w = round(√(⌊s n⌋ / r)) columns, each less than the grid's, with s in `scale` and r in `ratio` by one draw.
  The context is square, with s in `context`.

  Memory: the target network's parameters.  Its decay rises from `ema_decay` to 1 in a line.

  Args (numbers are those of the authors' configs):
    blocks: target blocks of an image (M: 4).
    scale: lowest and highest share of the patches in a target block (0.15 and 0.2).
    ratio: lowest and highest height / width of it (0.75 and 1.5).
    context: lowest and highest share of the patches in the context block (0.85 and 1).
    ema_decay: of the target network at the start (0.996).
    dim: size of the predictor's tokens, a multiple of `heads` and of 4 (384).
    depth: the predictor's blocks (12; ViT-B: 6).
    heads: the predictor's attention heads (those of the encoder).

  Evaluated: the target network's features on whole images; the paper takes the mean of its tokens, which is
  `net.pool=mean`.  The view is the policy `weak`; the paper crops alone.
  BatchNorm: none, neither in `vit` nor in the predictor.
  Deviations: `vit` has a class token, which takes part in attention and is in no target; the paper has the
  squared distance where its code has smooth L1; blocks reach the last row and column, which those of the
  authors' code never do; the context keeps all its patches, where their code cuts it to the smallest of the
  batch; where the targets cover all of it, it is the whole rest of the image; kernels of deep layers are not
  rescaled at the start; weight decay stays what the optimizer says, where theirs rises from 0.04 to 0.4.
  """
  rows, columns, _ = patch_grid(encoder, shape, 'i_jepa')
  read = token_reader(encoder, 'i_jepa')
  areas = [h * w for share in scale for r in ratio for h, w in [size_of(rows, columns, share, r, np)]]
  if blocks * max(areas) >= rows * columns:
    raise BadSetting(
      f'i_jepa: {blocks} blocks of up to {max(areas)} patches may hide all {rows * columns} patches of an '
      'image; set method.blocks or method.scale lower, or net.patch.'
    )
  predictor = patch_predictor((rows, columns), dim=dim, depth=depth, heads=heads)

  def init(key, views):
    images = views['image']['image']
    params, stats = net.init_each(key, encoder=(encoder, images))
    seen, _ = encoder.apply(params['encoder'], stats['encoder'], images, tokens=True, train=False)
    tokens = read(seen)[1]
    where = draw(key, views, encoder, blocks=blocks, scale=scale, ratio=ratio, context=context)
    more, more_stats = net.init_each(key, predictor=(predictor, tokens, where['context'], where['targets']))
    target = {'encoder': params['encoder']}, {'encoder': stats['encoder']}
    return params | more, stats | more_stats, {'target': target}

  def loss(state, views, key):
    params, stats, images = state.params, state.stats, views['image']['image']
    where = draw(key, views, encoder, blocks=blocks, scale=scale, ratio=ratio, context=context)
    see = {'tokens': True, 'train': True}
    seen, new = encoder.apply(
      params['encoder'], stats['encoder'], images, **see, seen=where['context'], key=net.fold_name(key, 'a')
    )
    given = read(seen)[1], where['context'], where['targets']
    predicted, _ = predictor.apply(params['predictor'], stats['predictor'], *given, train=True)
    held, moments = state.memory['target']
    whole, after = encoder.apply(
      held['encoder'], moments['encoder'], images, **see, key=net.fold_name(key, 'b')
    )
    wanted = jax.nn.standardize(jax.lax.stop_gradient(read(whole)[1]), epsilon=1e-5)[:, None]
    wrong = optax.losses.huber_loss(predicted, jnp.broadcast_to(wanted, predicted.shape)).mean(-1)
    targets = where['targets'].astype('float32')
    value = (targets * wrong).sum() / targets.sum()
    memory = {'target': (held, {'encoder': after})}
    return value, Aux({**stats, 'encoder': new}, memory, {'loss/prediction': value})

  def update(state):
    return follow(state, 'target', ema_decay + (1 - ema_decay) * linear_ramp(state.step - 1, steps))

  def encode(state, images):
    held, moments = state.memory['target']
    return encoder.apply(held['encoder'], moments['encoder'], images, train=False)[0]

  views = {'image': View('unlabeled', 'weak')}
  return Method(views, init, loss, encode=encode, update=update, kinds=('image', 'audio'))


def size_of(rows, columns, share, ratio, numpy=jnp):
  """Height and width of a block with a share of the patches; at least one, and less than the grid's."""
  count = numpy.floor(rows * columns * share)
  sides = (numpy.sqrt(count * ratio), rows), (numpy.sqrt(count / ratio), columns)
  return tuple(numpy.clip(numpy.round(side), 1, max(most - 1, 1)).astype('int32') for side, most in sides)


def draw(key, views, encoder, *, blocks, scale, ratio, context):
  """Which patches of each image are context, bool [batch, P], and targets, bool [batch, blocks, P]."""
  images = views['image']['image']
  batch, rows, columns = len(images), *(size // encoder.patch for size in images.shape[1:3])
  size, place = jax.random.split(net.fold_name(key, 'blocks'))
  u, v = jax.random.uniform(size, (2,))
  between = lambda ends, at: ends[0] + (ends[1] - ends[0]) * at
  target = size_of(rows, columns, between(scale, u), between(ratio, u))
  large = size_of(rows, columns, between(context, v), 1.0)
  at = jax.random.uniform(place, (2, batch, blocks + 1))

  def inside(start, side, most):
    """Which of `most` rows or columns lie in a block; `start`, in [0, 1), says where among all places."""
    first = jnp.floor(start * (most - side + 1).astype('float32')).astype('int32')[..., None]
    line = jnp.arange(most)[None, None]
    return (line >= first) & (line < first + side)

  def cover(which, sides):
    high = inside(at[0][:, which], sides[0], rows)
    wide = inside(at[1][:, which], sides[1], columns)
    return (high[..., :, None] & wide[..., None, :]).reshape(batch, -1, rows * columns)

  targets = cover(slice(blocks), target)
  free = ~targets.any(1)
  inner = cover(slice(blocks, None), large)[:, 0] & free
  return {'context': jnp.where(inner.any(-1, keepdims=True), inner, free), 'targets': targets}
