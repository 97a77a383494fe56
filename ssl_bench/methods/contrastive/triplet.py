"""Triplet loss: an image's two views should be closer than a view of another image, by a margin."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View, concatenate
from ssl_bench.losses import normalize
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE

VERSION = 1
FAR = 1e9  # in place of the distance of what cannot be chosen


def triplet(
  encoder: net.Net,
  *,
  margin: Annotated[float, POSITIVE] = 0.2,
  hidden: Annotated[int, POSITIVE] = 512,
  out: Annotated[int, POSITIVE] = 128,
) -> Method:
  """Schroff et al., "FaceNet: A Unified Embedding for Face Recognition and Clustering" (2015).

  Objective (eq. 2): the mean of max(0, d(a, p) - d(a, n) + margin) over 2N anchors, the views of N images,
  where d is the squared distance of projections of unit length.  The positive p is the other view of the
  anchor's image.  The negative n is semi-hard (eq. 4): of the views of other images that are farther away
  than p, the nearest; where none is farther, the farthest of all.

  Args:
    margin: α of the paper, 0.2.
    hidden: width of the projector's hidden layer (SimCLR's).
    out: width of the projection, whose length is one (section 5: 128).

  Evaluated: the encoder's features, before the projector.
  BatchNorm: one pass for both views, as SimCLR's.
  Deviations: the paper takes two images of a person for anchor and positive, and knows the person; here no
  label is known, so both are views of one image, and images of the anchor's class are negatives.  The paper
  sums over triplets and picks negatives at random among the semi-hard ones of large batches; it does not say
  what happens where there is none.  Its embedding is the network's end; here a projector is on top, as in
  SimCLR.
  """
  model = net.chain(encoder=encoder, projector=heads.projector(hidden, out, last_norm='scale'))

  def init(key, views):
    return *model.init(key, views['a']['image']), ()

  def loss(state, views, key):
    images = concatenate([views['a']['image'], views['b']['image']])
    output, stats = model.apply(state.params, state.stats, images, train=True, key=key)
    z = normalize(output['projector'])
    distance = 2 - 2 * jnp.matmul(z, z.T, precision='highest')
    anchor = jnp.arange(len(z))
    partner = jnp.roll(anchor, len(z) // 2)
    positive = distance[anchor, partner]
    negative = distance[anchor, semi_hard(jax.lax.stop_gradient(distance), partner)]
    value = jnp.maximum(positive - negative + margin, 0).mean()
    met = (positive + margin <= negative).mean()
    return value, Aux(stats, (), {'loss/triplet': value, 'margin_met': met})

  views = {'a': View('unlabeled', 'strong'), 'b': View('unlabeled', 'strong')}
  return Method(views, init, loss, encode=net.output(model, 'encoder'))


def semi_hard(distance, partner):
  """The negative of each row, int32 [n], by distances [n, n], where the positive of row i is `partner[i]`."""
  column = jnp.arange(len(distance))[None]
  own = (column == column.T) | (column == partner[:, None])
  positive = distance[column[0], partner][:, None]
  farther = (distance > positive) & ~own
  nearest = jnp.where(farther, distance, FAR).argmin(1)
  farthest = jnp.where(own, -FAR, distance).argmax(1)
  return jnp.where(farther.any(1), nearest, farthest)
