"""VIbCReg: VICReg on projections that are whitened by iterations, with correlations in place of
covariances."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method
from ssl_bench.losses import normalize, off_diagonal
from ssl_bench.methods._views import see_each, strong_views
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, BadSetting, Range

VERSION = 1


def vibcreg(
  encoder: net.Net,
  *,
  invariance: Annotated[float, Range(0)] = 25.0,
  variance: Annotated[float, Range(0)] = 25.0,
  covariance: Annotated[float, Range(0)] = 200.0,
  groups: Annotated[int, POSITIVE] = 64,
  iterations: Annotated[int, POSITIVE] = 5,
  layers: Annotated[int, POSITIVE] = 3,
  hidden: Annotated[int, POSITIVE] = 512,
  out: Annotated[int, POSITIVE] = 512,
) -> Method:
  """Lee and Aune (2021, arXiv 2109.00783): VIbCReg, variance, invariance and better covariance.

  Objective (the authors' code), for whitened projections a and b of D dimensions: invariance · mean (a − b)²
  + variance · (v(a) + v(b)) + covariance · (c(a) + c(b)), where v(z) = mean_j max(0, 1 − √(Var z_j + 1e-4)),
  the variance over n − 1, and c(z) is the mean of all D² squared entries of the correlation matrix of z, with
  zeros on its diagonal.  Nothing is held constant.

  Whitening (IterNorm, Huang et al. 2019): the dimensions are cut into `groups`, side by side.  In each, with
  Σ = 1e-5 I + zᵀz/n of centered projections z and S = Σ / tr Σ, P ← (3 P − P³ S) / 2 from P = I, `iterations`
  times; the group becomes z P / √(tr Σ), and each dimension is multiplied by a trained factor, 1 at the
  start.

  Args:
    invariance: weight of the squared error (the authors' λ: 25).
    variance: weight of the hinge on the standard deviation, the sum over both views (the authors' μ: 25).
    covariance: weight of the squared correlations, the sum over both views (the authors' ν: 200).
    groups: a divisor of `out` (IterNorm's code: 64).
    iterations: of Newton's method (IterNorm's code, T: 5).
    layers: of the projector (3).
    hidden: width of its hidden layers (the authors: 4,096; solo-learn's CIFAR-10 script: 2,048).
    out: size of the projection (the same).

  Evaluated: the encoder's features, before the projector.
  Heads: linear, BatchNorm and ReLU between (solo-learn: GELU), no bias at the end, which centering removes.
  BatchNorm and whitening: every view has its own pass.
  Deviations: no bias after whitening, which no term would reach; no running whitening matrix, since the
  projector is not evaluated.  The default widths are for small nets.
  """
  if out % groups:
    raise BadSetting(f'vibcreg: groups {groups} must divide out {out}; change one of them.')
  head = heads.projector(*[hidden] * (layers - 1), out, last_bias=False)
  model = net.chain(encoder=encoder, projector=head)

  def init(key, seen):
    params, stats = model.init(key, seen['a']['image'])
    return {**params, 'whitening': {'scale': jnp.ones(out)}}, stats, ()

  def loss(state, seen, key):
    outputs, stats = see_each(model, state, seen, key)
    whitened = [whiten(output['projector'], groups, iterations) for output in outputs]
    a, b = (state.params['whitening']['scale'][None] * z for z in whitened)
    terms = {
      'loss/invariance': invariance * jnp.square(a - b).mean(),
      'loss/variance': variance * (hinge(a) + hinge(b)),
      'loss/covariance': covariance * sum(map(correlation, whitened)),  # which no factor changes
    }
    return sum(terms.values()), Aux(stats, (), terms)

  return Method(strong_views(2), init, loss, encode=net.output(model, 'encoder'))


def whiten(z, groups, iterations, epsilon=1e-5):
  """Projections [n, D], each group of dimensions times an approximation of its covariance's inverse root."""
  n, size = len(z), z.shape[1] // groups
  x = (z - z.mean(0, keepdims=True)).reshape(n, groups, size).swapaxes(0, 1)
  product = lambda a, b: jnp.matmul(a, b, precision='highest')
  identity = jnp.broadcast_to(jnp.eye(size), (groups, size, size))
  sigma = epsilon * identity + product(x.swapaxes(1, 2), x) / n
  trace = (sigma * identity).sum((1, 2), keepdims=True)
  root = identity
  for _ in range(iterations):
    root = 1.5 * root - 0.5 * product(product(root, product(root, root)), sigma / trace)
  return (product(x, root) / jnp.sqrt(trace)).swapaxes(0, 1).reshape(n, -1)


def hinge(z):
  """v of centered projections [batch, D]."""
  deviation = jnp.sqrt(jnp.square(z).sum(0) / (len(z) - 1) + 1e-4)
  return jax.nn.relu(1 - deviation).mean()


def correlation(z):
  """c of centered projections [batch, D]."""
  unit = normalize(z.T)
  return jnp.square(off_diagonal(jnp.matmul(unit, unit.T, precision='highest'))).mean()
