"""MMCR: the centroids of all images' views should span much, which they do where the views of each agree."""

from typing import Annotated

import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, concatenate
from ssl_bench.losses import normalize
from ssl_bench.methods._views import strong_views
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, Range, Static

VERSION = 1


def mmcr(
  encoder: net.Net,
  *,
  weight: Annotated[Static, Range(0)] = 0.0,
  views: Annotated[int, Range(2, 16)] = 2,
  hidden: Annotated[int, POSITIVE] = 512,
  out: Annotated[int, POSITIVE] = 128,
) -> Method:
  """Yerxa et al., "Learning Efficient Coding of Natural Images with Maximum Manifold Capacity
  Representations" (2023).

  Objective (the authors' code): weight · mean_i ‖Z_i‖_* − ‖C‖_*, where ‖·‖_* is the nuclear norm, the sum of
  the singular values, Z_i [D, views] are the projections of the views of image i, of unit length, and C
  [batch, D] has a centroid for each image, the mean of its views.  A centroid is long where the views agree,
  and the nuclear norm is large where long centroids point in all directions.  Nothing is held constant.

  Args:
    weight: λ, of the size of each image's own manifold; at 0, as in the authors' CIFAR code, its term is left
      out.
    views: number of strong views (the authors' CIFAR code: 40, of 32 images).
    hidden: width of the projector's hidden layer (the same: 512).
    out: size of the projection (the same: 128).

  Evaluated: the encoder's features, before the projector.
  Heads: linear, BatchNorm, ReLU, linear without bias (the same).
  All views go through the network together, so BatchNorm's moments are those of all of them (the same).
  ‖C‖_* is a sum over the batch, not a mean, so it grows with the batch and the number of dimensions, and so
  does its gradient.  That is U Vᵀ of the singular vectors, and needs no difference of singular values.
  lightly's loss gets projections as they are, and does not make them of unit length.
  Deviations: at most 16 views.
  """
  model = net.chain(encoder=encoder, projector=heads.projector(hidden, out, last_bias=False))

  def init(key, seen):
    return *model.init(key, seen['a']['image']), ()

  def nuclear(matrices):
    """[..., m, n] -> [...], the sum of the singular values."""
    return jnp.linalg.svd(matrices, compute_uv=False).sum(-1)

  def loss(state, seen, key):
    images = concatenate([seen[name]['image'] for name in sorted(seen)])
    output, stats = model.apply(state.params, state.stats, images, train=True, key=key)
    z = normalize(output['projector']).reshape(views, -1, out)
    terms = {'loss/centroids': -nuclear(z.mean(0))}
    if weight:
      terms['loss/manifolds'] = weight * nuclear(z.swapaxes(0, 1)).mean()
    return sum(terms.values()), Aux(stats, (), terms)

  return Method(strong_views(views), init, loss, encode=net.output(model, 'encoder'))
