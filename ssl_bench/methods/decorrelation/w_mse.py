"""W-MSE: views should agree after whitening, which leaves no way to collapse."""

from itertools import combinations
from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method
from ssl_bench.losses import cosine_distance
from ssl_bench.methods._views import strong_views
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT, BadSetting, Range

VERSION = 1


def w_mse(
  encoder: net.Net,
  *,
  size: Annotated[int, Range(0)] = 0,
  iterations: Annotated[int, POSITIVE] = 1,
  epsilon: Annotated[float, UNIT] = 0.0,
  views: Annotated[int, Range(2, 16)] = 2,
  hidden: Annotated[int, POSITIVE] = 512,
  out: Annotated[int, POSITIVE] = 16,
) -> Method:
  """Ermolov et al., "Whitening for Self-Supervised Representation Learning" (2021).

  Objective (the authors' code): 2 − 2 cos(v_a, v_b), the mean over images and pairs of views,
  where v = L⁻¹ (z − μ) is a whitened projection: μ and Σ = L Lᵀ are mean and covariance, over n − 1, of one
  view's projections z in a sub-batch of `size` images, and L is Σ's Cholesky factor.  Sub-batches are drawn
  anew in every step, the same for all views.  The gradient flows through all views, and through L and μ.

  Args:
    size: images in a sub-batch, a divisor of the batch, best twice `out` or more (w_size, 128 for 64
      dimensions); 0 is the whole batch, as in the authors' code where no size is given.
    iterations: draws of sub-batches in a step, of which the mean is taken (w_iter, 1; for STL-10 4).
    epsilon: share of the identity in Σ, against dimensions that almost depend on others (w_eps, 0).
    views: number of strong views (num_samples, 2 and 4).
    hidden: width of the projector's hidden layer (head_size, 1,024).
    out: size of the projection (emb, 64 for CIFAR).

  Evaluated: the encoder's features, before the projector.
  Heads: linear, BatchNorm, ReLU, linear without bias, which centering would remove.
  BatchNorm: every view has its own pass through the encoder; the projector sees all views together (the
  authors' code).
  solo-learn's faster loss has the same value, but holds one side of a pair constant, and so has half the
  gradient.
  Deviations: none but the default sizes, which are for small batches.
  """
  head = heads.projector(hidden, out, last_bias=False)
  model = net.chain(encoder=net.each(encoder), projector=head)
  seen_by = lambda seen: [seen[name]['image'] for name in sorted(seen)]

  def init(key, seen):
    n = len(seen['a']['image'])
    if n % (size or n) or (size or n) <= out:
      raise BadSetting(
        f'w_mse: size {size or n} must divide the {n} unlabeled images of a step, and be above out {out}, '
        'best twice it; change one of them.'
      )
    return *model.init(key, *seen_by(seen)), ()

  def loss(state, seen, key):
    output, stats = model.apply(state.params, state.stats, *seen_by(seen), train=True, key=key)
    z = output['projector'].reshape(views, -1, out)
    whitened = [
      whiten(z[:, order].reshape(views, -1, size or z.shape[1], out), epsilon).reshape(views, -1, out)
      for order in draw(key, seen, iterations=iterations)['orders']
    ]
    pairs = [cosine_distance(v[i], v[j]) for v in whitened for i, j in combinations(range(views), 2)]
    value = jnp.stack(pairs).mean()
    return value, Aux(stats, (), {'loss/invariance': value})

  return Method(strong_views(views), init, loss, encode=net.output(model, 'encoder'))


def whiten(z, epsilon):
  """Projections [..., n, d] with the identity as their covariance over n − 1, but for `epsilon`."""
  z = z - z.mean(-2, keepdims=True)
  covariance = jnp.matmul(z.swapaxes(-1, -2), z, precision='highest') / (z.shape[-2] - 1)
  identity = jnp.broadcast_to(jnp.eye(z.shape[-1]), covariance.shape)
  factor = jnp.linalg.cholesky((1 - epsilon) * covariance + epsilon * identity)
  solved = jax.lax.linalg.triangular_solve(factor, z.swapaxes(-1, -2), left_side=True, lower=True)
  return solved.swapaxes(-1, -2)


def draw(key, views, *, iterations):
  """Orders of the batch, whose neighbors make sub-batches: int32 [iterations, batch]."""
  own = jax.random.fold_in(key, 100)
  one = lambda key: jax.random.permutation(key, len(views['a']['image']))
  return {'orders': jnp.stack([one(jax.random.fold_in(own, i)) for i in range(iterations)])}
