"""VICReg: two views should agree, each dimension keep its variance, and no two dimensions be correlated."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View
from ssl_bench.losses import off_diagonal
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, Range

VERSION = 1


def vicreg(
  encoder: net.Net,
  *,
  invariance: Annotated[float, Range(0)] = 25.0,
  variance: Annotated[float, Range(0)] = 25.0,
  covariance: Annotated[float, Range(0)] = 1.0,
  layers: Annotated[int, POSITIVE] = 3,
  hidden: Annotated[int, POSITIVE] = 512,
  out: Annotated[int, POSITIVE] = 512,
) -> Method:
  """Bardes et al., "VICReg: Variance-Invariance-Covariance Regularization" (2021).

  Objective (eq. 1 to 6, with the factors of the authors' code), for projections a and b of D dimensions:
  invariance · mean (a − b)² + variance · ½ (v(a) + v(b)) + covariance · (c(a) + c(b)),
  where v(z) = mean_j max(0, 1 − √(Var z_j + 1e-4)), c(z) = Σ_i Σ_{j≠i} Cov(z)_ij² / D; variance and
  covariance are over the whole batch, with n − 1.  Nothing is held constant.

  Args:
    invariance: weight of the squared error, the mean over images and dimensions (λ, section 4.2: 25).
    variance: weight of the hinge on the standard deviation, half of it for each view (μ, section 4.2: 25).
    covariance: weight of the squared covariances, the sum over both views (ν, section 4.2: 1).
    layers: of the projector (section 4.2: 3).
    hidden: width of its hidden layers (section 4.2: 8,192).
    out: size of the projection (section 4.2: 8,192).

  Evaluated: the encoder's features, before the projector.
  Heads: linear without bias at the end, no normalization there.
  BatchNorm: every view has its own pass, as in the authors' code.
  Deviations: eq. 5 sums over dimensions where the authors' code has the mean, and eq. 6 has no ½ before the
  variance where their code has; the published weights are the code's.  The default widths are for small nets.
  """
  head = heads.projector(*[hidden] * (layers - 1), out, last_bias=False)
  model = net.chain(encoder=encoder, projector=head)

  def init(key, views):
    return *model.init(key, views['a']['image']), ()

  def spread(z):
    """v and c of projections [batch, D]."""
    z = z - z.mean(0, keepdims=True)
    cov = jnp.matmul(z.T, z, precision='highest') / (len(z) - 1)
    deviation = jnp.sqrt(jnp.square(z).sum(0) / (len(z) - 1) + 1e-4)
    return jax.nn.relu(1 - deviation).mean(), jnp.square(off_diagonal(cov)).sum() / out

  def loss(state, views, key):
    keys = [jax.random.fold_in(key, i) for i in range(2)]
    a, stats = model.apply(state.params, state.stats, views['a']['image'], train=True, key=keys[0])
    b, stats = model.apply(state.params, stats, views['b']['image'], train=True, key=keys[1])
    a, b = a['projector'], b['projector']
    (v_a, c_a), (v_b, c_b) = spread(a), spread(b)
    terms = {
      'loss/invariance': invariance * jnp.square(a - b).mean(),
      'loss/variance': variance * (v_a + v_b) / 2,
      'loss/covariance': covariance * (c_a + c_b),
    }
    return sum(terms.values()), Aux(stats, (), terms)

  views = {'a': View('unlabeled', 'strong'), 'b': View('unlabeled', 'strong')}
  return Method(views, init, loss, encode=net.output(model, 'encoder'))
