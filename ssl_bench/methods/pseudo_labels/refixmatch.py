"""ReFixMatch: confident predictions become labels, and the others soft targets."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, believe
from ssl_bench.losses import entropy, soft_cross_entropy
from ssl_bench.methods.pseudo_labels._weak_to_strong import VIEWS, corrected, objective, see
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT, Range

VERSION = 1


def refixmatch(
  encoder: net.Net,
  classes: int,
  *,
  threshold: Annotated[float, UNIT] = 0.95,
  weight: Annotated[float, Range(0)] = 1.0,
  temperature: Annotated[float, POSITIVE] = 0.5,
) -> Method:
  """Nguyen and Yang, "Boosting Semi-Supervised Learning by bridging high and low-confidence …" (2023).

  FixMatch, in which the images below the threshold are learned from, too, by sharpened soft targets.

  Objective (after the author's code in USB): mean H(y, p(w(x))) + weight · mean 1[max q ≥ threshold]
  H(argmax q, p(s(u))) + weight · mean 1[max q < threshold] KL(q_T ‖ p_T(s(u))), with q = p(w(u)) and
  q_T ∝ q^(1/temperature) held constant, and p_T ∝ p^(1/temperature).  Both means are over all unlabeled
  images.

  Args:
    threshold: confidence in [0, 1] that decides between the two (USB: 0.95).
    weight: of both unlabeled terms (USB: 1).
    temperature: of the soft targets, and of the predictions that are compared with them (USB: 0.5).

  Evaluated: the network; under `with_ema` its average.
  One forward pass sees labeled, weak and strong images together, so BatchNorm's moments are shared.
  Deviations: q_T is the sharpened prediction, where USB's code takes the softmax of q / temperature, that is
  of probabilities; that is never far from even.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))

  def init(key, views):
    return *model.init(key, views['labeled']['image']), ()

  def loss(state, views, key):
    on, stats = see(model, state, views, key)
    belief = believe(on.weak, views['weak'])
    sure = belief.confidence >= threshold
    value, metrics, pseudo = objective(on, views, belief, sure & belief.keep, weight)
    target = jax.nn.softmax(corrected(on.weak, views['weak']) / temperature)
    divergence = soft_cross_entropy(on.strong / temperature, target) - entropy(target)
    unsure = weight * jnp.where(~sure & belief.keep, divergence, 0).mean()
    return value + unsure, Aux(stats, (), metrics | {'loss/unsure': unsure}, pseudo)

  encode, predict = net.output(model, 'encoder'), net.output(model, 'head')
  return Method(VIEWS, init, loss, encode=encode, predict=predict, believes='weak')
