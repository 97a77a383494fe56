"""SequenceMatch: FixMatch with a medium view between weak and strong, and agreement of each pair of views."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View, believe, concatenate
from ssl_bench.losses import entropy, soft_cross_entropy
from ssl_bench.methods.pseudo_labels._weak_to_strong import VIEWS, Logits, corrected, objective
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT, Range

VERSION = 1


def sequencematch(
  encoder: net.Net,
  classes: int,
  *,
  threshold: Annotated[float, UNIT] = 0.95,
  weight: Annotated[float, Range(0)] = 1.0,
  temperature: Annotated[float, POSITIVE] = 0.5,
) -> Method:
  """Nguyen, "SequenceMatch: Revisiting the design of weak-strong augmentations …" (2023).

  FixMatch, and soft agreement along the sequence of views weak w, medium m and strong s: of each pair, the
  stronger view learns from the weaker one.

  Objective (after the author's code): mean H(y, p(w(x))) + weight · (mean 1[max q ≥ threshold] H(argmax q,
  p(s(u))) + D(w, m) + D(m, s) + D(w, s)), with q = p(w(u)) and D(a, b) = mean 1[max p(a(u)) ≥ threshold]
  KL(p_T(a(u)) ‖ p(b(u))), where p_T ∝ p^(1/temperature).  Predictions on the weaker view are held constant;
  all means are over all unlabeled images.

  Args:
    threshold: confidence in [0, 1] from which a prediction is learned from (the author's configs: 0.95).
    weight: of the four unlabeled terms (the author's configs: 1).
    temperature: of the soft targets (the author's configs: 0.5).

  Evaluated: the network; under `with_ema` its average.
  Views: the medium view has the policy `other` of the config (the author's code: one operation of RandAugment
  where the strong one has three).
  One forward pass sees all four views together, so BatchNorm's moments are shared, as in the author's code.
  Deviations: none in the objective.  The author's code offers FlexMatch's thresholds, which USB's port has
  and the author's configs leave off; soft targets are the sharpened predictions, where USB's port takes the
  softmax of probabilities / temperature.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))

  def init(key, views):
    return *model.init(key, views['labeled']['image']), ()

  def loss(state, views, key):
    images = [views[v]['image'] for v in ('labeled', 'weak', 'medium', 'strong')]
    out, stats = model.apply(state.params, state.stats, concatenate(images), train=True, key=key)
    n, m = len(images[0]), len(images[1])
    x, weak, medium, strong = jnp.split(out['head'], [n, n + m, n + 2 * m])
    belief = believe(weak, views['weak'])
    mask = (belief.confidence >= threshold) & belief.keep
    value, metrics, pseudo = objective(Logits(x, weak, strong), views, belief, mask, weight)

    def agree(weaker, stronger):
      taught = corrected(weaker, views['weak'])
      target = jax.nn.softmax(taught / temperature)
      sure = (jax.nn.softmax(taught).max(-1) >= threshold) & belief.keep
      divergence = soft_cross_entropy(stronger, target) - entropy(target)
      return weight * jnp.where(sure, divergence, 0).mean()

    more = {
      'loss/medium_weak': agree(weak, medium),
      'loss/strong_medium': agree(medium, strong),
      'loss/strong_weak': agree(weak, strong),
    }
    return value + sum(more.values()), Aux(stats, (), metrics | more, pseudo)

  views = {**VIEWS, 'medium': View('unlabeled', 'other')}
  encode, predict = net.output(model, 'encoder'), net.output(model, 'head')
  return Method(views, init, loss, encode=encode, predict=predict, believes='weak')
