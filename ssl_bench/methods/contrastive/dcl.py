"""DCL: SimCLR's loss without the positive pair in its denominator."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, concatenate
from ssl_bench.losses import normalize
from ssl_bench.methods._views import strong_views
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE

VERSION = 1


def dcl(
  encoder: net.Net,
  *,
  temperature: Annotated[float, POSITIVE] = 0.1,
  weighted: bool = False,
  sigma: Annotated[float, POSITIVE] = 0.5,
  hidden: Annotated[int, POSITIVE] = 512,
  out: Annotated[int, POSITIVE] = 128,
) -> Method:
  """Yeh et al., "Decoupled Contrastive Learning" (2021).

  Objective (eq. 6): −w_i s(z_i, z'_i)/τ + log Σ exp(s(z_i, v)/τ), the mean over the 2N anchors z_i, where
  z'_i is the other view of the image, v runs over the 2(N − 1) views of all other images, s is the cosine,
  and w_i = 1.  The views of the image itself have no part in the sum, which decouples it from the positive.

  Weighted (DCLW): w_i = 2 − exp(s(z_i, z'_i)/σ) / mean_j exp(s(z_j, z'_j)/σ), the mean over the batch, so
  that pairs that agree already count less, and the mean weight is 1.  w is held constant.

  Args:
    temperature: τ (lightly's and a public code's losses: 0.1).
    weighted: whether pairs are weighted, DCLW.
    sigma: σ, of the weights (0.5 in the same); without a part in DCL.
    hidden: width of the projector's hidden layer (lightly's CIFAR-10 benchmark: 512).
    out: width of the projection (the same: 128).

  Evaluated: the encoder's features, before the projector.
  The network is SimCLR's: both views go through it together, and the projector ends with BatchNorm.
  Equation 6 has the logarithm of one sum, as lightly 1.6 has; earlier versions added two logarithms, of the
  sum over the views of the anchor's kind and of the sum over the others.  In raminnakhli's code the mean in w
  is a sum, so that w is almost 2 for every pair.
  Deviations: the mean over anchors instead of the sum.  That no gradient flows through w is lightly's choice.
  """
  model = net.chain(encoder=encoder, projector=heads.projector(hidden, out, last_norm='scale'))

  def init(key, views):
    return *model.init(key, views['a']['image']), ()

  def loss(state, views, key):
    images = concatenate([views['a']['image'], views['b']['image']])
    output, stats = model.apply(state.params, state.stats, images, train=True, key=key)
    z = normalize(output['projector'])
    n = len(z) // 2
    agreement = (z[:n] * z[n:]).sum(-1)
    weight = 2 - n * jax.nn.softmax(jax.lax.stop_gradient(agreement) / sigma) if weighted else jnp.ones(n)
    image = jnp.arange(2 * n) % n
    scores = jnp.matmul(z, z.T, precision='highest') / temperature
    negative = jax.nn.logsumexp(scores, 1, where=image[:, None] != image[None])
    terms = {
      'loss/positive': -(weight * agreement).mean() / temperature,
      'loss/negative': negative.mean(),
    }
    return sum(terms.values()), Aux(stats, (), terms)

  return Method(strong_views(2), init, loss, encode=net.output(model, 'encoder'))
