"""FixMatch: a confident prediction on a weak view of an image is the label of its strong view."""

from typing import Annotated

from ssl_bench.contract import Aux, Method, believe
from ssl_bench.methods.pseudo_labels._weak_to_strong import VIEWS, objective, see
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import UNIT, Range

VERSION = 1


def fixmatch(
  encoder: net.Net,
  classes: int,
  *,
  threshold: Annotated[float, UNIT] = 0.95,
  weight: Annotated[float, Range(0)] = 1.0,
) -> Method:
  """Sohn et al., "FixMatch: Simplifying Semi-Supervised Learning with Consistency and Confidence" (2020).

  The prediction on a weakly augmented image, where confident, is the label of its strongly
  augmented version.

  Objective (eq. 3 and 4): mean H(y, p(w(x))) + weight · mean 1[max q ≥ threshold] H(argmax q, p(s(u))),
  with q = p(w(u)) held constant.  The second mean is over all unlabeled images, kept or not.

  Args:
    threshold: confidence in [0, 1] from which a pseudo-label is used (τ, table 4: 0.95).
    weight: of the unlabeled term (λ_u, table 4: 1).

  Evaluated: the network; under `with_ema` its average, as in the paper.
  One forward pass sees labeled, weak and strong images together, so BatchNorm's moments are shared
  (google-research/fixmatch, which says so deliberately in issue 20).
  Deviations: none in the objective; weight decay, schedule and views belong to the config.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))

  def init(key, views):
    return *model.init(key, views['labeled']['image']), ()

  def loss(state, views, key):
    on, stats = see(model, state, views, key)
    belief = believe(on.weak, views['weak'])
    mask = (belief.confidence >= threshold) & belief.keep
    value, metrics, pseudo = objective(on, views, belief, mask, weight)
    return value, Aux(stats, (), metrics, pseudo)

  encode, predict = net.output(model, 'encoder'), net.output(model, 'head')
  return Method(VIEWS, init, loss, encode=encode, predict=predict, believes='weak')
