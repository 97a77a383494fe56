"""UDA: the sharpened prediction on an image is the target of its strong view; known labels come gradually."""

from typing import Annotated, Literal

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, believe
from ssl_bench.losses import cross_entropy, entropy, soft_cross_entropy
from ssl_bench.methods.pseudo_labels._weak_to_strong import VIEWS, corrected, report, see
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT, Range

VERSION = 1
SCALE = 5  # of the schedules log and exp


def uda(
  encoder: net.Net,
  classes: int,
  steps: float,
  *,
  threshold: Annotated[float, UNIT] = 0.8,
  temperature: Annotated[float, POSITIVE] = 0.4,
  weight: Annotated[float, Range(0)] = 1.0,
  tsa: Literal['none', 'linear', 'log', 'exp'] = 'none',
) -> Method:
  """Xie et al., "Unsupervised Data Augmentation for Consistency Training" (2020).

  The prediction on a weakly augmented image, sharpened, is the soft target of its strongly augmented version
  where it is confident.

  Objective (the authors' code, image/main.py): Σ m H(y, p(w(x))) / max(Σ m, 1) + weight · mean 1[max q ≥
  threshold] KL(q_T ‖ p(s(u))), with q = p(w(u)) and its sharpened q_T ∝ q^(1/temperature) held constant.  The
  mean is over all unlabeled images; the threshold is compared with q, which is not sharpened.

  Training signal annealing: m = 1[p(w(x))_y ≤ η(t)], held constant, leaves labeled images out whose own label
  is predicted with more than η(t) = a(t) (1 − 1/classes) + 1/classes, where with r = step / steps a is r
  (linear), 1 − exp(−5 r) (log) or exp(5 (r − 1)) (exp); m = 1 where there is none.

  Args:
    threshold: confidence in [0, 1] from which a target is used (the authors' script for SVHN: 0.8).
    temperature: of the sharpening (the same script: 0.4).
    weight: of the unlabeled term (the authors' code: 1).
    tsa: the schedule of annealing: none as in the same script, or linear, log (those for CIFAR-10) or exp.

  Evaluated: the network; under `with_ema` its average.
  One forward pass sees labeled, weak and strong images together, so BatchNorm's moments are shared, as in the
  authors' code.
  Deviations: max q ≥ threshold, where the authors' code has >; their script for CIFAR-10 also minimizes the
  entropy of q, with a factor of 0.1.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))

  def init(key, views):
    return *model.init(key, views['labeled']['image']), ()

  def loss(state, views, key):
    on, stats = see(model, state, views, key)
    belief = believe(on.weak, views['weak'])
    mask = (belief.confidence >= threshold) & belief.keep
    target = jax.nn.softmax(corrected(on.weak, views['weak']) / temperature)
    divergence = soft_cross_entropy(on.strong, target) - entropy(target)
    each = cross_entropy(on.labeled, views['labeled']['label'])
    learned = jnp.ones_like(each)
    if tsa != 'none':
      ceiling = annealed(tsa, state.step.astype('float32') / steps) * (1 - 1 / classes) + 1 / classes
      learned = (jnp.exp(-jax.lax.stop_gradient(each)) <= ceiling).astype('float32')
    labeled = (learned * each).sum() / jnp.maximum(learned.sum(), 1)
    unlabeled = weight * jnp.where(mask, divergence, 0).mean()
    value, metrics, pseudo = report(on, views, belief, mask, labeled, unlabeled)
    return value, Aux(stats, (), metrics | {'labeled': learned.mean()}, pseudo)

  encode, predict = net.output(model, 'encoder'), net.output(model, 'head')
  return Method(VIEWS, init, loss, encode=encode, predict=predict, believes='weak')


def annealed(schedule, done):
  """How far the schedule has risen, in [0, 1], when the part `done` of training is done."""
  if schedule == 'linear':
    return done
  return 1 - jnp.exp(-SCALE * done) if schedule == 'log' else jnp.exp(SCALE * (done - 1))
