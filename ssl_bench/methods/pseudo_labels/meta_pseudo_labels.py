"""Meta Pseudo Labels: a teacher learns to give the labels from which a student learns most."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, PseudoLabels, concatenate
from ssl_bench.losses import cross_entropy, soft_cross_entropy
from ssl_bench.methods._schedules import linear_ramp
from ssl_bench.methods.pseudo_labels._weak_to_strong import VIEWS
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT, Range

VERSION = 1


def meta_pseudo_labels(
  encoder: net.Net,
  classes: int,
  steps: float,
  *,
  weight: Annotated[float, Range(0)] = 8.0,
  threshold: Annotated[float, UNIT] = 0.6,
  temperature: Annotated[float, POSITIVE] = 0.7,
  ramp: Annotated[float, POSITIVE] = 0.0166667,
  rate: Annotated[float, POSITIVE] = 0.1,
  decay: Annotated[float, UNIT] = 0.99,
) -> Method:
  """Pham et al., "Meta Pseudo Labels" (2020), with the teacher's terms of UDA as in the authors' code.

  Two networks of one architecture.  The student S sees no label: it learns from the teacher's pseudo-labels
  ŷ, drawn from T(s(u)).  The teacher T learns from labels, by UDA, and from how far ŷ brought the student.

  Objective: mean H(ŷ, S(s(u))), of the student alone, and of the teacher alone mean H(y, T(w(x))) + weight(t)
  · mean 1[max q ≥ threshold] H(q, T(s(u))) + (h − b) · mean H(ŷ, T(s(u))).  q ∝ T(w(u))^(1/temperature),
  ŷ, h and b are held constant.  weight(t) grows linearly from 0.

  Progress: h = rate · ∇L(θ')·g is to first order what the student's loss on the labeled images, L = mean H(y,
  S(w(x))), loses by the step θ' = θ − rate · g, with g the gradient of its own term.  The derivative is exact
  for this step of plain descent and the drawn ŷ; the authors' code takes the difference of two losses.

  Memory: b, the moving average of h, this step's among them.

  Args:
    weight: of UDA's term at the end of the ramp (the authors' command for CIFAR-10: 8).
    threshold: of the largest entry of q, from which an image is used (that command: 0.6).
    temperature: of q (that command: 0.7).
    ramp: the part of training over which the weight grows (that command: 5,000 of 300,000 steps).
    rate: of the step that is looked at; it scales h (the authors' code: the student's rate at the time).
    decay: of b (the authors' code: 0.99).

  Evaluated: the student; under `with_ema` its average.
  BatchNorm: each network has moments of its own, those of one pass over all that it sees: of the student s(u)
  and w(x).  The pass that measures L moves none.
  Deviations: ŷ is drawn, as in the paper; in the authors' code it is T(s(u)) itself, whose cross-entropy
  under T has no gradient.  No label smoothing, no waiting of the student, and no training on labels
  afterwards; one optimizer for both networks.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))

  def init(key, views):
    (params, stats), (teacher, moments) = (
      model.init(jax.random.fold_in(key, i), views['labeled']['image']) for i in range(2)
    )
    return {**params, 'teacher': teacher}, {**stats, 'teacher': moments}, {'baseline': jnp.zeros(())}

  def loss(state, views, key):
    x, w, s = (views[v]['image'] for v in ('labeled', 'weak', 'strong'))
    label, keys = views['labeled']['label'], [jax.random.fold_in(key, i) for i in range(3)]
    own = {name: (state.params[name], state.stats[name]) for name in ('encoder', 'head')}
    student, seen = ({name: pair[i] for name, pair in own.items()} for i in range(2))
    look = lambda params, stats, images, key: model.apply(params, stats, images, train=True, key=key)

    out, moments = look(state.params['teacher'], state.stats['teacher'], concatenate([x, w, s]), keys[0])
    on_x, on_w, on_s = jnp.split(out['head'], [len(x), len(x) + len(w)])
    given = jax.lax.stop_gradient(on_s + draw(key, views, classes)['noise']).argmax(-1)

    def learn(params):
      out, new = look(params, seen, concatenate([s, x]), keys[1])
      return cross_entropy(out['head'][: len(s)], given).mean(), new

    def labeled_loss(params):
      return cross_entropy(look(params, seen, x, keys[2])[0]['head'], label).mean()

    held = jax.lax.stop_gradient(student)
    step = jax.grad(learn, has_aux=True)(held)[0]
    moved = jax.tree.map(lambda p, g: p - rate * g, held, step)
    progress = jax.lax.stop_gradient(rate * jax.jvp(labeled_loss, (moved,), (step,))[1])
    baseline = decay * state.memory['baseline'] + (1 - decay) * progress

    learned, stats = learn(student)
    soft = jax.nn.softmax(jax.lax.stop_gradient(on_w) / temperature)
    each = jnp.where(soft.max(-1) >= threshold, soft_cross_entropy(on_s, soft), 0)
    terms = {
      'loss/student': learned,
      'loss/supervised': cross_entropy(on_x, label).mean(),
      'loss/unsupervised': weight * linear_ramp(state.step, ramp * steps) * each.mean(),
      'loss/meta': (progress - baseline) * cross_entropy(on_s, given).mean(),
    }
    probs = jax.nn.softmax(jax.lax.stop_gradient(on_s))
    sure = jnp.take_along_axis(probs, given[:, None], 1)[:, 0]
    pseudo = PseudoLabels(views['strong']['index'], given, sure, jnp.ones_like(sure), probs)
    stats = {**stats, 'teacher': moments}
    metrics = terms | {'progress': progress}
    return sum(terms.values()), Aux(stats, {'baseline': baseline}, metrics, pseudo)

  encode, predict = net.output(model, 'encoder'), net.output(model, 'head')
  return Method(VIEWS, init, loss, encode=encode, predict=predict)


def draw(key, views, classes):
  """Gumbel noise on the teacher's logits of strong views: the largest sum is a draw from its prediction."""
  return {'noise': jax.random.gumbel(jax.random.fold_in(key, 100), (len(views['strong']['image']), classes))}
