"""FreeMatch: thresholds that follow the network's own confidence, and a term for even predictions."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, believe, moving_average
from ssl_bench.methods.pseudo_labels._weak_to_strong import VIEWS, objective, see
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import UNIT, Range

VERSION = 1


def freematch(
  encoder: net.Net,
  classes: int,
  *,
  decay: Annotated[float, UNIT] = 0.999,
  weight: Annotated[float, Range(0)] = 1.0,
  fairness: Annotated[float, Range(0)] = 0.001,
  ceiling: Annotated[float, UNIT] = 1.0,
) -> Method:
  """Wang et al., "FreeMatch: Self-adaptive Thresholding for Semi-supervised Learning" (2023).

  FixMatch with a threshold that rises with the mean confidence, lower for the classes predicted less often.

  Objective (the authors' code, USB): mean H(y, p(w(x))) + weight · mean 1[max q ≥ T(ŷ)] H(ŷ, p(s(u))) +
  fairness · Σ_c a(c) log b(c), with q = p(w(u)) held constant and ŷ = argmax q.  The second mean is over all
  unlabeled images.

  Thresholds: T(c) = τ · p̃(c) / max p̃, where τ is the moving average of the mean of max q over a batch, the
  global threshold, and p̃ that of the mean of q.
  Fairness: a = normalize(p̃ / h̃) is held constant; b = normalize(p̄ / h̄), where p̄ is the mean of p(s(u)) over
  the images with max q ≥ T(ŷ), and h̄ the share of each class among their predictions argmax p(s(u)), held
  constant.  The term is −H(a, b), so training moves b away from a.

  Memory: τ, p̃ and h̃, the moving average of the shares of the pseudo-labels ŷ.  They begin with 1/classes and
  are brought up to date with the batch before it is used.

  Args:
    decay: of the three moving averages (USB's configs: 0.999).
    weight: of the unlabeled term (USB's configs: 1).
    fairness: of the fairness term (USB's configs: 0.001; its default: 0.01).
    ceiling: the largest τ, in memory too (USB's configs for SVHN: 0.95, with `clip_thresh`; others: none).

  Evaluated: the network; under `with_ema` its average.
  One forward pass sees labeled, weak and strong images together, so BatchNorm's moments are shared.
  Deviations: classes with h̄(c) = 0 have no part in b and in the sum, where the authors' code adds for each of
  them the constant a(c) log 1e-12, which has no gradient.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))

  def init(key, views):
    even = jnp.full(classes, 1 / classes, 'float32')
    memory = {'confidence': jnp.full((), 1 / classes, 'float32'), 'beliefs': even, 'labels': even}
    return *model.init(key, views['labeled']['image']), memory

  def loss(state, views, key):
    on, stats = see(model, state, views, key)
    belief = believe(on.weak, views['weak'])
    seen = {
      'confidence': belief.confidence.mean(),
      'beliefs': belief.probs.mean(0),
      'labels': jax.nn.one_hot(belief.label, classes).mean(0),
    }
    memory = moving_average(state.memory, seen, decay)
    memory['confidence'] = jnp.minimum(memory['confidence'], ceiling)
    thresholds = memory['confidence'] * memory['beliefs'] / memory['beliefs'].max()
    mask = (belief.confidence >= thresholds[belief.label]) & belief.keep
    value, metrics, pseudo = objective(on, views, belief, mask, weight)
    even = fairness * unevenness(on.strong, mask, memory['beliefs'], memory['labels'])
    metrics |= {'loss/fairness': even, 'threshold': memory['confidence']}
    return value + even, Aux(stats, memory, metrics, pseudo)

  encode, predict = net.output(model, 'encoder'), net.output(model, 'head')
  return Method(VIEWS, init, loss, encode=encode, predict=predict, believes='weak')


def unevenness(logits, mask, beliefs, labels):
  """Σ_c a(c) log b(c) of the logits [batch, classes] that `mask` [batch] keeps; 0 where it keeps none."""
  probs, predicted = jax.nn.softmax(logits), jax.nn.one_hot(logits.argmax(-1), logits.shape[-1])
  count = jnp.where(mask[:, None], predicted, 0).sum(0)
  wanted, found = shares(beliefs, labels), shares(jnp.where(mask[:, None], probs, 0).sum(0), count)
  return jnp.where(count > 0, wanted * jnp.log(jnp.where(count > 0, found, 1)), 0).sum()


def shares(amount, count):
  """amount / count, normalized to sum to 1; 0 where the count is 0.  [classes] twice -> [classes]."""
  ratio = jnp.where(count > 0, amount / jnp.where(count > 0, count, 1), 0)
  return ratio / jnp.where((count > 0).any(), ratio.sum(), 1)
