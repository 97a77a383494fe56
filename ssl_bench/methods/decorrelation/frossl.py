"""FroSSL: views should agree, and the covariance of each have a small Frobenius norm, so that it is even."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method
from ssl_bench.methods._views import see_each, strong_views
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, Range

VERSION = 1


def frossl(
  encoder: net.Net,
  *,
  weight: Annotated[float, Range(0)] = 1.0,
  views: Annotated[int, Range(2, 16)] = 2,
  layers: Annotated[int, POSITIVE] = 3,
  hidden: Annotated[int, POSITIVE] = 512,
  out: Annotated[int, POSITIVE] = 256,
) -> Method:
  """Skean et al., "FroSSL: Frobenius Norm Minimization for Self-Supervised Learning" (2024).

  Objective: Σ_v [log ‖C_v‖²_F + weight · mean (z_v − z̄)²], over the views v, where each of the D dimensions
  of the projections z_v [batch, D] is centered over the batch and scaled to length √D, z̄ is the mean over
  views, and C_v = z_vᵀ z_v / tr(z_vᵀ z_v).  The trace of C_v is 1, so its norm is least where its eigenvalues
  are equal.  Nothing is held constant.

  Args:
    weight: of the invariance (authors' CIFAR script: 1).
    views: number of strong views (the authors use 2, 4 and 8).
    layers: of the projector (solo-learn's method, whose code is the authors': 3).
    hidden: width of its hidden layers (authors' CIFAR script: 2,048).
    out: size of the projection (authors' CIFAR script: 1,024).

  Evaluated: the encoder's features, before the projector.
  Heads: no bias at the end, which centering removes.
  BatchNorm: every view has its own pass.
  The two terms and their factors are those of the authors' multi-view code.  Their notes write minus before
  the logarithm, which would reward collapse to one dimension.  lightly's invariance is V times theirs, for V
  views, and it and solo-learn do not center; one version of the authors' code normalizes images instead.
  Deviations: the default widths are for small nets.
  """
  head = heads.projector(*[hidden] * (layers - 1), out, last_bias=False)
  model = net.chain(encoder=encoder, projector=head)

  def init(key, seen):
    return *model.init(key, seen['a']['image']), ()

  def scaled(z):
    """Each dimension of projections [batch, D] centered and of length 1."""
    z = z - z.mean(0, keepdims=True)
    return z * jax.lax.rsqrt(jnp.maximum(jnp.square(z).sum(0, keepdims=True), 1e-12))

  def loss(state, seen, key):
    outputs, stats = see_each(model, state, seen, key)
    z = jnp.stack([scaled(output['projector']) for output in outputs])
    covariance = jnp.matmul(z.swapaxes(1, 2), z, precision='highest') / out  # the trace is D
    spread = jnp.log(jnp.square(covariance).sum((1, 2))).sum()
    agreement = out * jnp.square(z - z.mean(0, keepdims=True)).mean((1, 2)).sum()
    terms = {'loss/spread': spread, 'loss/invariance': weight * agreement}
    return sum(terms.values()), Aux(stats, (), terms)

  return Method(strong_views(views), init, loss, encode=net.output(model, 'encoder'))
