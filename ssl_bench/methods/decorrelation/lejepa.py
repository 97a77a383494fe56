"""LeJEPA: all views should predict their mean, and every view be a standard normal distribution."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View, concatenate
from ssl_bench.losses import normalize
from ssl_bench.methods._multi_crop import by_size
from ssl_bench.methods._views import strong_views
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT, BadSetting, Range

VERSION = 1


def lejepa(
  encoder: net.Net,
  *,
  weight: Annotated[float, UNIT] = 0.05,
  views: Annotated[int, Range(1, 16)] = 2,
  crops: Annotated[int, Range(0)] = 6,
  slices: Annotated[int, POSITIVE] = 256,
  knots: Annotated[int, Range(2)] = 17,
  extent: Annotated[float, POSITIVE] = 3.0,
  hidden: Annotated[int, POSITIVE] = 512,
  out: Annotated[int, POSITIVE] = 64,
) -> Method:
  """Balestriero and LeCun, "LeJEPA: Provable and Scalable Self-Supervised Learning Without the Heuristics"
  (2025).

  Objective (eq. 6 and 7): weight · mean_v SIGReg(z_v) + (1 − weight) · mean_v ‖z_v − μ‖² / D, the mean over
  images too, for the projections z_v [batch, D] of all views of an image, global and local, and the mean μ of
  its global ones.  Nothing is held constant.

  SIGReg is the mean over random directions a of the statistic of Epps and Pulley of the scalars a·z_i:
  N ∫ |φ̂(t) − e^{−t²/2}|² e^{−t²/2} dt, with φ̂(t) = mean_i e^{i t a·z_i} over the N images of the batch.  The
  integral is over [−extent, extent] by the trapezoidal rule; by symmetry, twice that over [0, extent].  The
  directions are drawn anew in each step and are the same for all views.

  Args:
    weight: λ (lightly's loss: 0.05; the authors' MINIMAL.md: 0.02).
    views: number of global views, all of the policy `strong` (README: 2; MINIMAL.md: 4, and no local ones).
    crops: number of local views, of the policy `local` (README: 6).
    slices: number of directions (MINIMAL.md: 256; README: 1,024).
    knots: points of the trapezoidal rule in [0, extent] (authors' code: 17).
    extent: bound of the integral (authors' code: 3).
    hidden: width of the two hidden layers of the projector (MINIMAL.md: 2,048).
    out: size of the projection (D, MINIMAL.md: 16 to 128).

  Evaluated: the encoder's features, before the projector.
  BatchNorm: in the encoder a pass for each size of crops, in the projector all views together (MINIMAL.md has
  one pass for all views).  For other nets than transformers the paper makes all views global, `crops: 0`
  (galilai-group/lejepa, issue 11).
  Both terms are of all views, and SIGReg is of one view after the other (lightly, issue 2002;
  stable-pretraining, issue 413).
  Deviations: no bias at the projector's end, which the prediction would not reach; the default widths are for
  small nets.
  """
  if views + crops < 2:
    raise BadSetting('lejepa: one view has no other to agree with; make views or crops larger.')
  head = heads.projector(hidden, hidden, out, last_bias=False)
  model = net.chain(encoder=net.each(encoder), projector=head)
  asked = strong_views(views)

  def batches(views):
    """The images of the global views, view after view, and those of the local ones, if any."""
    local = by_size({**views, 'b': views['a']})[1:]
    return [concatenate([views[name]['image'] for name in asked]), *local]

  def init(key, views):
    return *model.init(key, *batches(views)), ()

  def loss(state, seen, key):
    own = jax.random.fold_in(key, 1)
    output, stats = model.apply(state.params, state.stats, *batches(seen), train=True, key=own)
    z = output['projector'].reshape(views + crops, -1, out)
    center = z[:views].mean(0, keepdims=True)
    t = jnp.linspace(0, 1, knots) * extent
    normal = jnp.exp(-jnp.square(t) / 2)
    rule = normal * extent / (knots - 1) * jnp.full(knots, 2.0).at[jnp.array([0, -1])].set(1)
    directions = draw(key, seen, slices=slices, out=out)['directions']
    angles = jnp.matmul(z, directions.T, precision='highest')[..., None] * t[None, None, None]
    real = jnp.cos(angles).mean(1) - normal[None, None]  # [views, slices, knots]
    gap = jnp.square(real) + jnp.square(jnp.sin(angles).mean(1))
    statistic = z.shape[1] * jnp.matmul(gap, rule, precision='highest')
    terms = {
      'loss/gaussian': weight * statistic.mean(),
      'loss/prediction': (1 - weight) * jnp.square(z - center).mean(),
    }
    return sum(terms.values()), Aux(stats, (), terms)

  local = {'local': View('unlabeled', 'local', crops)} if crops else {}
  return Method(asked | local, init, loss, encode=net.output(model, 'encoder'))


def draw(key, views, *, slices, out):
  """Random directions, float32 [slices, out], rows of unit length."""
  del views
  return {'directions': normalize(jax.random.normal(jax.random.fold_in(key, 0), (slices, out)))}
