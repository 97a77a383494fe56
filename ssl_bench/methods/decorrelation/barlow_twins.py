"""Barlow Twins: the cross-correlation of the projections of two views should be the identity matrix."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View
from ssl_bench.losses import off_diagonal
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, Range

VERSION = 1


def barlow_twins(
  encoder: net.Net,
  *,
  redundancy: Annotated[float, Range(0)] = 0.0051,
  layers: Annotated[int, POSITIVE] = 3,
  hidden: Annotated[int, POSITIVE] = 512,
  out: Annotated[int, POSITIVE] = 512,
) -> Method:
  """Zbontar et al., "Barlow Twins: Self-Supervised Learning via Redundancy Reduction" (2021).

  Objective (eq. 1): Σ_i (1 − C_ii)² + redundancy · Σ_i Σ_{j≠i} C_ij², with C the cross-correlation over the
  batch (eq. 2) between the projections of two views.  Sums, not means; no other factor.

  Args:
    redundancy: weight of what is off the diagonal (λ; the authors' code: 0.0051).
    layers: of the projector (section 2.2: 3).
    hidden: width of its hidden layers (section 2.2: 8,192).
    out: size of the projection, which the method wants large (section 2.2: 8,192; figure 4).

  Evaluated: the encoder's features, before the projector.
  BatchNorm: every view has its own pass.  C is of the whole batch: projections are normalized by a BatchNorm
  without scale and bias (epsilon 1e-5 in the variance), as in the authors' code; it ends the projector here.
  The gradient is that of the C of the whole batch on any number of devices; in the authors' code, whose
  sum over devices has no gradient, it is divided by their number.
  Deviations: the default widths are for small nets; one rate for all, where the authors' code has a lower one
  for biases and normalization.
  """
  head = heads.projector(*[hidden] * (layers - 1), out, last_norm='plain')
  model = net.chain(encoder=encoder, projector=head)

  def init(key, views):
    return *model.init(key, views['a']['image']), ()

  def loss(state, views, key):
    keys = [jax.random.fold_in(key, i) for i in range(2)]
    a, stats = model.apply(state.params, state.stats, views['a']['image'], train=True, key=keys[0])
    b, stats = model.apply(state.params, stats, views['b']['image'], train=True, key=keys[1])
    c = jnp.matmul(a['projector'].T, b['projector'], precision='highest') / len(a['projector'])
    invariance = jnp.square(1 - jnp.diag(c)).sum()
    decorrelation = redundancy * jnp.square(off_diagonal(c)).sum()
    metrics = {'loss/invariance': invariance, 'loss/redundancy': decorrelation}
    return invariance + decorrelation, Aux(stats, (), metrics)

  views = {'a': View('unlabeled', 'strong'), 'b': View('unlabeled', 'strong')}
  return Method(views, init, loss, encode=net.output(model, 'encoder'))
