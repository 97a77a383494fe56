"""FastSiam: SimSiam with several views, each of which predicts the mean projection of all others."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method
from ssl_bench.losses import normalize
from ssl_bench.methods._views import see_each, strong_views
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, Range

VERSION = 1


def fastsiam(
  encoder: net.Net,
  *,
  views: Annotated[int, Range(2, 16)] = 4,
  layers: Annotated[int, POSITIVE] = 2,
  out: Annotated[int, POSITIVE] = 512,
  bottleneck: Annotated[int, POSITIVE] = 128,
) -> Method:
  """Pototzky et al., "FastSiam: Resource-Efficient Self-Supervised Learning on a Single GPU" (2022).

  Objective (lightly's code; of the paper only the abstract could be read): mean_v D(p_v, mean_{w≠v} z_w), the
  mean over images too, where D is the negative cosine, p_v the prediction from the projection z_v of view v,
  and the target, a mean of projections as they are, is held constant.  With two views it is SimSiam; more
  views make the target steadier.

  Args:
    views: number of strong views (lightly's CIFAR-10 results: 4).
    layers: of the projector (SimSiam, CIFAR-10: 2).
    out: width of all layers of the projector, and of the prediction (SimSiam: 2,048).
    bottleneck: width of the predictor's hidden layer (SimSiam: 512, a quarter of `out`).

  Evaluated: the encoder's features, before the projector.
  Heads: SimSiam's, with BatchNorm in every layer of the projector, the last one without scale and bias.
  BatchNorm: every view has its own pass.
  SimSiam keeps the predictor's rate constant: `optimizer: {groups: {predictor: {schedule: constant}}}`.
  Deviations: the default widths are for small nets.
  """
  model = net.chain(
    encoder=encoder,
    projector=heads.projector(*[out] * layers, last_norm='plain'),
    predictor=heads.projector(bottleneck, out),
  )

  def init(key, seen):
    return *model.init(key, seen['a']['image']), ()

  def loss(state, seen, key):
    outputs, stats = see_each(model, state, seen, key)
    z, p = (jnp.stack([output[name] for output in outputs]) for name in ('projector', 'predictor'))
    z = jax.lax.stop_gradient(z)
    target = (z.sum(0, keepdims=True) - z) / (views - 1)
    value = -(normalize(p) * normalize(target)).sum(-1).mean()
    return value, Aux(stats, (), {'loss/prediction': value})

  return Method(strong_views(views), init, loss, encode=net.output(model, 'encoder'))
