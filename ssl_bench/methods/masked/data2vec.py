"""data2vec: predict, at masked patches, the mean of a teacher's last layers on the whole image."""

from typing import Annotated

import jax
import jax.numpy as jnp
import optax

from ssl_bench.contract import Aux, Method, View
from ssl_bench.methods._blocks import block_masks
from ssl_bench.methods._target import follow
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT, BadSetting, Range, Static

VERSION = 1


def data2vec(
  encoder: net.Net,
  shape: tuple[int, ...],
  *,
  masking: Annotated[Static, Range(0, 1, above=True, below=True)] = 0.6,
  block: Annotated[int, POSITIVE] = 16,
  layers: Annotated[int, POSITIVE] = 6,
  beta: Annotated[float, POSITIVE] = 2.0,
  ema_decay: Annotated[float, UNIT] = 0.9998,
) -> Method:
  """Baevski et al., "data2vec: A General Framework for Self-supervised Learning in Speech, Vision and
  Language" (2022), for images.

  The student, a net of patches (`vit`), sees a weak view in which a learned token stands in the place of the
  embeddings of masked patches.  The teacher sees the same view, nothing masked.

  Objective (section 3.3 and the authors' code): the mean over the masked patches of a batch, and over
  dimensions, of the smooth L1 distance (d² / 2β up to β, |d| − β/2 above) between a linear function of the
  student's token and its target, held constant.  A target is the mean of the teacher's tokens after its last
  K blocks, each normalized over its dimensions (variance plus 1e-5), and, as in their code, normalized again.

  Masks (the authors' code, after BEiT): blocks of patches, until as many are masked as asked or no further
  block fits; see `ssl_bench.methods._blocks`.

  Memory: the teacher's parameters.  Their decay stays the same, as in the authors' command for ViT-B.

  Args (numbers are those of the authors' command for ViT-B):
    masking: the share of an image's patches that is masked at most, rounded down (0.6; 120 of 196).
    block: the least area of a block that is drawn, in patches (16).
    layers: the teacher's last blocks whose tokens are averaged (K: 6 of 12).
    beta: where the distance goes over from squared to absolute (β: 2).
    ema_decay: of the teacher (0.9998).

  Evaluated: the student's features on whole images, nothing masked, as in the authors' fine-tuning;
  `net.pool=mean` is the mean of its tokens.
  BatchNorm: none in `vit`; the teacher is in evaluation mode.
  Deviations: `vit` has absolute positions and no layer scale, where the authors' ViT has relative positions
  and layer scale, as BEiT's, and kernels of deep layers are not rescaled at the start; at most 24 blocks are
  tried, where their code tries on until ten in a row do not fit.
  """
  rows, columns, _ = heads.patch_grid(encoder, shape, 'data2vec')
  if int(rows * columns * masking) < 1:
    raise BadSetting(f'data2vec: masking {masking} of {rows * columns} patches masks none; raise it.')
  head = heads.projector(None)

  def init(key, views):
    images = views['image']['image']
    params, stats = net.init_each(key, encoder=(encoder, images))
    target = {'encoder': params['encoder']}, {'encoder': stats['encoder']}
    tokens, _ = encoder.apply(params['encoder'], stats['encoder'], images, tokens=True, train=False)
    more, more_stats = net.init_each(key, head=(head, tokens))
    token = 0.02 * jax.random.normal(net.fold_name(key, 'mask_token'), tokens.shape[-1:])
    return {**params, **more, 'mask_token': token}, stats | more_stats, {'target': target}

  def loss(state, views, key):
    params, stats, images = state.params, state.stats, views['image']['image']
    mask = draw(key, views, encoder, masking=masking, block=block)['mask']
    see = {'mask': (mask, params['mask_token']), 'tokens': True, 'train': True}
    tokens, seen = encoder.apply(
      params['encoder'], stats['encoder'], images, **see, key=net.fold_name(key, 'encoder')
    )
    predicted, _ = head.apply(params['head'], stats['head'], tokens[:, 1:], train=True)
    held, moments = state.memory['target']
    after, _ = encoder.apply(held['encoder'], moments['encoder'], images, layers=layers, train=False)
    normal = lambda x: jax.nn.standardize(x, epsilon=1e-5)
    wanted = normal(normal(jax.lax.stop_gradient(after[:, :, 1:])).mean(0))
    wrong = optax.losses.huber_loss(predicted, wanted, delta=beta).mean(-1) / beta
    masked = mask.astype('float32')
    value = (masked * wrong).sum() / jnp.maximum(masked.sum(), 1)
    told = {'target_deviation': wanted.std((0, 1)).mean(), 'masked': masked.mean()}
    return value, Aux({**stats, 'encoder': seen}, state.memory, {'loss/prediction': value, **told})

  def update(state):
    return follow(state, 'target', ema_decay)

  def encode(state, images):
    return encoder.apply(state.params['encoder'], state.stats['encoder'], images, train=False)[0]

  views = {'image': View('unlabeled', 'weak')}
  return Method(views, init, loss, encode=encode, update=update, kinds=('image', 'audio'))


def draw(key, views, encoder, *, masking, block):
  """Which patches of each image are masked, bool [batch, patches]."""
  images = views['image']['image']
  rows, columns = (size // encoder.patch for size in images.shape[1:3])
  most = jnp.full(len(images), int(rows * columns * masking), 'float32')
  return {'mask': block_masks(net.fold_name(key, 'mask'), most, rows, columns, block)}
