"""CR-Match: FixMatch on classes, whose features may tell the views apart, and the rotation of images."""

from typing import Annotated

import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View, believe
from ssl_bench.losses import cross_entropy, normalize
from ssl_bench.methods._turns import TURNS, check_square, turn
from ssl_bench.methods.pseudo_labels._weak_to_strong import VIEWS, Logits, objective
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT, Range

VERSION = 1


def crmatch(
  encoder: net.Net,
  classes: int,
  shape: tuple[int, ...],
  *,
  threshold: Annotated[float, UNIT] = 0.95,
  weight: Annotated[float, Range(0)] = 1.0,
  distance: Annotated[float, Range(0)] = 1.0,
  rotation: Annotated[float, Range(0)] = 1.0,
  out: Annotated[int, POSITIVE] = 128,
) -> Method:
  """Fan, Kukleva and Schiele, "Revisiting Consistency Regularization for Semi-Supervised Learning" (2021).

  FixMatch, whose predictions on both views are to agree, while projected features of the views are pushed
  apart (FeatDistLoss): classes are invariant to the augmentation, features need not be.

  Objective (after USB's code): mean H(y, p(w(x))) + weight · mean m H(ŷ, p(s(u))) + distance · mean m max(0,
  cos(z(w(u)), z(s(u)))) + rotation · mean H(k, r(v turned k times)).  Here q = p(w(u)) is held constant,
  ŷ = argmax q, m = 1[max q ≥ threshold], and z is a linear map of all features of places, before they are
  averaged, in which the gradient flows through both views.  The second and third mean are over all unlabeled
  images; v are further weak views, of as many unlabeled images as there are labeled ones, k = 0, 1, 2, 3.

  Args:
    threshold: confidence in [0, 1] from which a pseudo-label is used (USB's configs: 0.95).
    weight: of the unlabeled term (USB: 1).
    distance: weight of the term of features (USB: 1).
    rotation: weight of the term of orientations (USB: 1); an image must have one upright orientation.
    out: dimensions of z (USB: as many as the encoder has features, 128 for WRN-28-2).

  Evaluated: the network; under `with_ema` its average.
  Heads: a linear classifier; linear, ReLU, linear for orientations; z.
  One forward pass sees all views together, so BatchNorm's moments are shared, as in USB's code.
  The encoder must tell the features of places: `convnet`, `resnet`, `wide_resnet`, `vit`.
  Deviations: USB turns images of a stream of their own, here they are those of the unlabeled batch; for a
  ViT, USB projects the averaged features.  The objective follows the code, since the paper could not be read.
  """
  check_square(shape, 'crmatch')
  read = heads.token_reader(encoder, 'crmatch')
  parts = {
    'head': heads.linear(classes),
    'distance': heads.linear(out),
    'rotation': heads.projector(None, TURNS, norm='none'),
  }

  def look(params, stats, images, **options):
    """Features [n, D], those of places as one row [n, P · D], and the moments after."""
    seen, new = encoder.apply(params['encoder'], stats['encoder'], images, tokens=True, **options)
    features, places = read(seen)
    return features, places.reshape(len(images), -1), {**stats, 'encoder': new}

  def init(key, views):
    images = views['labeled']['image']
    params, stats = net.init_each(key, encoder=(encoder, images))
    features, places, _ = look(params, stats, images, train=False)
    inputs = {'head': features, 'distance': places, 'rotation': features}
    more, no_moments = net.init_each(key, **{name: (part, inputs[name]) for name, part in parts.items()})
    return params | more, stats | no_moments, ()

  def loss(state, views, key):
    x, w, s = (views[v]['image'] for v in ('labeled', 'weak', 'strong'))
    turned, turns = turn(views['upright']['image'][: len(x)])
    images = jnp.concatenate([x, w, s, *turned])
    features, places, stats = look(state.params, state.stats, images, train=True, key=key)
    on = lambda part, rows: parts[part].apply(state.params[part], state.stats[part], rows, train=True)[0]
    cuts = len(x), len(x) + len(w), len(x) + 2 * len(w)
    logits = Logits(*jnp.split(on('head', features[: cuts[2]]), cuts[:2]))
    z = normalize(on('distance', places[cuts[0] : cuts[2]]))
    belief = believe(logits.weak, views['weak'])
    mask = (belief.confidence >= threshold) & belief.keep
    value, metrics, pseudo = objective(logits, views, belief, mask, weight)
    alike = jnp.maximum((z[: len(w)] * z[len(w) :]).sum(-1), 0)
    more = {
      'loss/distance': distance * jnp.where(mask, alike, 0).mean(),
      'loss/rotation': rotation * cross_entropy(on('rotation', features[cuts[2] :]), turns).mean(),
    }
    return value + sum(more.values()), Aux(stats, (), metrics | more, pseudo)

  model = net.chain(encoder=encoder, head=parts['head'])
  encode, predict = net.output(model, 'encoder'), net.output(model, 'head')
  views = {**VIEWS, 'upright': View('unlabeled', 'weak')}
  return Method(views, init, loss, encode=encode, predict=predict, believes='weak', kinds=('image',))
