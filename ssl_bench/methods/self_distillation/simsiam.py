"""SimSiam: predict the projection of the other view, held constant; no negatives, no target network."""

from typing import Annotated

import jax

from ssl_bench.contract import Aux, Method, View
from ssl_bench.losses import normalize
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE

VERSION = 1


def simsiam(
  encoder: net.Net,
  *,
  layers: Annotated[int, POSITIVE] = 2,
  out: Annotated[int, POSITIVE] = 512,
  bottleneck: Annotated[int, POSITIVE] = 128,
) -> Method:
  """Chen and He, "Exploring Simple Siamese Representation Learning" (2020).

  Objective (eq. 1 to 4): ½ D(p_a, z_b) + ½ D(p_b, z_a), the mean over images, where D is the negative cosine,
  in [-1, 1], p the prediction from z, and z held constant in D: the gradient flows through p only.

  Args:
    layers: of the projector (section 3: 3; appendix D, CIFAR-10: 2).
    out: width of all layers of the projector, and of the prediction (d, section 3: 2,048).
    bottleneck: width of the predictor's hidden layer (section 3: 512, a quarter of `out`).

  Evaluated: the encoder's features, before the projector.
  Heads: every layer of the projector has BatchNorm, the last one without scale and bias; the predictor's
  output has none (section 3, section 4.4).
  BatchNorm: every view has its own pass, as in the authors' code.
  The paper keeps the predictor's rate constant: `optimizer: {groups: {predictor: {schedule: constant}}}`.
  Deviations: the default widths are for small nets; the authors' code gives the projector's hidden layers
  the width of the features.
  """
  model = net.chain(
    encoder=encoder,
    projector=heads.projector(*[out] * layers, last_norm='plain'),
    predictor=heads.projector(bottleneck, out),
  )

  def init(key, views):
    return *model.init(key, views['a']['image']), ()

  def distance(p, z):
    return -(normalize(p) * normalize(jax.lax.stop_gradient(z))).sum(-1).mean()

  def loss(state, views, key):
    keys = [jax.random.fold_in(key, i) for i in range(2)]
    a, stats = model.apply(state.params, state.stats, views['a']['image'], train=True, key=keys[0])
    b, stats = model.apply(state.params, stats, views['b']['image'], train=True, key=keys[1])
    value = (distance(a['predictor'], b['projector']) + distance(b['predictor'], a['projector'])) / 2
    return value, Aux(stats, (), {'loss/prediction': value})

  views = {'a': View('unlabeled', 'strong'), 'b': View('unlabeled', 'strong')}
  return Method(views, init, loss, encode=net.output(model, 'encoder'))
