"""MAE: the encoder sees a quarter of an image's patches, and a decoder reconstructs the others."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View
from ssl_bench.losses import standardize
from ssl_bench.nets import core as net
from ssl_bench.nets.heads import patch_decoder, patch_grid, patchify
from ssl_bench.settings.signature import POSITIVE, BadSetting, Range, Static

VERSION = 1


def mae(
  encoder: net.Net,
  shape: tuple[int, ...],
  *,
  masking: Annotated[Static, Range(0, 1, above=True, below=True)] = 0.75,
  normalized: bool = True,
  dim: Annotated[int, POSITIVE] = 512,
  depth: Annotated[int, POSITIVE] = 8,
  heads: Annotated[int, POSITIVE] = 16,
) -> Method:
  """He et al., "Masked Autoencoders Are Scalable Vision Learners" (2021).

  The encoder, a net of patches (`vit`), sees the visible patches and the class token only; a decoder sees
  its tokens, and one learned token in the place of each patch that is masked.

  Objective: the mean of (x̂ - x)² over all pixels of the masked patches, where x is a weak view and, with
  `normalized`, each patch of it has mean 0 and deviation 1 (variance over d - 1, plus 1e-6, as the authors'
  code has it).  Visible patches are not in the loss.

  Args:
    masking: the share of an image's patches that is masked, rounded to whole patches (section 4.1: 0.75).
    normalized: whether the targets are normalized patch by patch (section 4.1: better for representations).
    dim: size of the decoder's tokens, a multiple of `heads` and of 4 (section 4.1: 512).
    depth: the decoder's blocks (section 4.1: 8).
    heads: the decoder's attention heads (the authors' code: 16).

  Evaluated: the encoder's features on whole images, nothing masked; `net.pool` says whether they are the
  class token or the mean of the patches.  The decoder is thrown away.
  BatchNorm: none, neither in the encoder nor in the decoder.
  The paper's optimizer is AdamW with β₂ = 0.95, its encoder `vit` with `position=sincos` and `init=xavier`.
  Deviations: the decoder's tokens stay in shuffled order with the positions of their patches, which is the
  same, and only masked patches are drawn.
  On the digits (experiments/self_supervised.yaml, five pairs, 40 labels) it has 53.3 ± 10.4 %, the same
  network with random weights 34.7 ± 11.6, and raw pixels 80.6 ± 4.0.  A run is 80 epochs of 1,197 images, the
  paper's 800 and more of 1.28 million: four times as many steps bring 75.3 % instead of 61.3 (split seed 100,
  one run, on no board; raw pixels there: 82.5).
  """
  rows, columns, side = patch_grid(encoder, shape, 'mae')
  pixels, count = side**2 * shape[-1], rows * columns
  visible = count - round(count * masking)
  if not 0 < visible < count:
    raise BadSetting(f'mae: masking {masking} of {count} patches leaves {visible} visible; change it.')
  if normalized and pixels == 1:
    raise BadSetting('mae: a patch of one number has no deviation; set method.normalized=false.')
  decoder = patch_decoder((rows, columns), pixels, dim=dim, depth=depth, heads=heads)

  def init(key, views):
    images, order = views['image']['image'], draw(key, views, encoder)['order']
    params, stats = net.init_each(key, encoder=(encoder, images))
    see = {'keep': order[:, :visible], 'tokens': True, 'train': False}
    tokens, _ = encoder.apply(params['encoder'], stats['encoder'], images, **see)
    more, more_stats = net.init_each(key, decoder=(decoder, tokens, order))
    return params | more, stats | more_stats, ()

  def squares(state, views, key, train):
    """Squared errors of the masked patches [batch, masked, pixels], and what the encoder's stats become."""
    params, stats, images = state.params, state.stats, views['image']['image']
    order = draw(key, views, encoder)['order']
    see = {'keep': order[:, :visible], 'tokens': True, 'train': train, 'key': net.fold_name(key, 'encoder')}
    tokens, seen = encoder.apply(params['encoder'], stats['encoder'], images, **see)
    drawn, _ = decoder.apply(params['decoder'], stats['decoder'], tokens, order, train=train)
    patches = patchify(images, side)
    target = jnp.take_along_axis(patches, order[:, visible:, None], 1)
    return jnp.square(drawn - (standardize(target) if normalized else target)), seen

  def loss(state, views, key):
    wrong, seen = squares(state, views, key, train=True)
    value = wrong.mean()
    return value, Aux({**state.stats, 'encoder': seen}, (), {'loss/reconstruction': value})

  def error(state, images, key):
    return squares(state, {'image': {'image': images}}, key, train=False)[0].mean((1, 2))

  def encode(state, images):
    return encoder.apply(state.params['encoder'], state.stats['encoder'], images, train=False)[0]

  views = {'image': View('unlabeled', 'weak')}
  return Method(views, init, loss, encode=encode, reconstruction_error=error, kinds=('image', 'audio'))


def draw(key, views, encoder):
  """A permutation of the patches of each image [batch, patches]; those that come first are visible."""
  images = views['image']['image']
  count = images.shape[1] // encoder.patch * (images.shape[2] // encoder.patch)
  return {'order': jnp.argsort(jax.random.uniform(net.fold_name(key, 'order'), (len(images), count)))}
