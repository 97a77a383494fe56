"""A student and a teacher that score an image and its patches, with masked patches in the student's views."""

from typing import Annotated, Any

import jax
import jax.numpy as jnp

from ssl_bench.contract import Views
from ssl_bench.losses import normalize, soft_cross_entropy
from ssl_bench.methods._schedules import linear_ramp
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import Range

Shares = Annotated[tuple[float, float], Range(0, 1)]  # the lowest and the highest


class TokenScores:
  """An encoder of patches and DINO's heads: scores of images, and of the patches of their global views.

  A head is three linear layers with GELU between them, unit length, and a last layer whose rows have unit
  length: a score is a cosine.  `apart` names what the patches' head has by itself, of 'projector' and 'last'.
  Parameters: encoder, projector, last, patch_projector and patch_last where they are apart, mask_token.
  """

  def __init__(
    self, where: str, encoder: net.Net, hidden: int, bottleneck: int, out: int, apart: tuple[str, ...]
  ):
    self.encoder, self.shape, self.apart = encoder, (out, bottleneck), apart
    self.read = heads.token_reader(encoder, where)
    self.head = heads.projector(hidden, hidden, bottleneck, norm='none', activation='gelu')

  def init(self, key: jax.Array, views: Views) -> tuple[Any, Any, Any]:
    """(params, stats, teacher); the teacher starts as a copy of the student, without a mask token."""
    images = views['a']['image']
    params, stats = net.init_each(key, encoder=(self.encoder, images))
    features, _ = self.encoder.apply(params['encoder'], stats['encoder'], images, train=False)
    for prefix in ('', 'patch_'):
      if not prefix or 'projector' in self.apart:
        more = net.init_each(key, **{f'{prefix}projector': (self.head, features)})
        params, stats = params | more[0], stats | more[1]
      if not prefix or 'last' in self.apart:
        params[f'{prefix}last'] = jax.random.normal(net.fold_name(key, f'{prefix}last'), self.shape)
    teacher = dict(params), dict(stats)
    token = 0.02 * jax.random.normal(net.fold_name(key, 'mask_token'), features.shape[-1:])
    return {**params, 'mask_token': token}, stats, teacher

  def see(self, params: Any, stats: Any, batches: list[jax.Array], **how: Any) -> tuple[Any, Any, Any, Any]:
    """(scores of images, scores of patches, features, stats) of batches of one size each.

    The patches, [2 · batch, patches, out], are those of the first batch, the global views; `mask`, bool [2 ·
    batch, patches], puts the mask token in the place of some.  `train` and `key` go to the encoder.
    """
    mask, key, moments = how.pop('mask', None), how.pop('key', None), stats['encoder']
    seen = []
    for i, images in enumerate(batches):
      own = None if key is None else jax.random.fold_in(key, i)
      hide = {'mask': (mask, params['mask_token'])} if mask is not None and not i else {}
      output, moments = self.encoder.apply(
        params['encoder'], moments, images, tokens=True, key=own, **hide, **how
      )
      seen.append(self.read(output))
    features = jnp.concatenate([features for features, _ in seen])
    scores = self._score(params, stats, features, '')
    return scores, self._score(params, stats, seen[0][1], 'patch_'), features, {**stats, 'encoder': moments}

  def _score(self, params: Any, stats: Any, x: jax.Array, prefix: str) -> jax.Array:
    """Cosines of projections to the rows of the last layer, [..., out]."""
    projector, last = (prefix + part if part in self.apart else part for part in ('projector', 'last'))
    z, _ = self.head.apply(params[projector], stats[projector], x, train=True)
    return jnp.matmul(normalize(z), normalize(params[last]).T, precision='highest')

  def encode(self, state: Any, images: jax.Array) -> jax.Array:
    """The teacher's features [batch, d]."""
    params, stats = state.memory['teacher']
    return self.encoder.apply(params['encoder'], stats['encoder'], images, train=False)[0]


def masked_cross_entropy(scores: jax.Array, targets: jax.Array, mask: jax.Array) -> jax.Array:
  """soft_cross_entropy of masked patches: their mean in each image, 0 where there is none, and over images.

  [images, patches, out] twice, bool [images, patches] -> scalar.
  """
  masked = mask.astype('float32')
  wrong = (masked * soft_cross_entropy(scores, targets)).sum(-1)
  return (wrong / jnp.maximum(masked.sum(-1), 1)).mean()


def rising(step: jax.Array, steps: Any, first: Any, last: Any, warmup: Any) -> jax.Array:
  """A temperature that rises in a line in the first `warmup` of the steps; float32 []."""
  at = first + (last - first) * linear_ramp(step, jnp.maximum(warmup * steps, 1e-6))
  return jnp.where(warmup > 0, at, last)
