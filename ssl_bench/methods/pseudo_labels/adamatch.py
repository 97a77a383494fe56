"""AdaMatch: a threshold relative to the labeled images, aligned pseudo-labels, random logit interpolation."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View, believe, concatenate, moving_average
from ssl_bench.losses import cross_entropy
from ssl_bench.methods._schedules import cosine_to_one
from ssl_bench.methods.pseudo_labels._weak_to_strong import VIEWS, Logits, report
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT, Range

VERSION = 1
FLOOR = 1e-6  # added to both marginals (the authors' code)


def adamatch(
  encoder: net.Net,
  classes: int,
  steps: float,
  *,
  threshold: Annotated[float, UNIT] = 0.9,
  weight: Annotated[float, Range(0)] = 1.0,
  ramp: Annotated[float, POSITIVE] = 0.5,
  decay: Annotated[float, UNIT] = 0.999,
  window: Annotated[int, POSITIVE] = 128,
) -> Method:
  """Berthelot et al., "AdaMatch: A Unified Approach to Semi-Supervised Learning and …" (2022).

  FixMatch whose labeled images have a strong view, too, with a threshold relative to the confidence on
  them and pseudo-labels that are aligned with the predictions on them.

  Objective (the authors' code, semi_supervised/adamatch.py): mean (H(y, z(w(x))) + H(y, z(s(x)))) / 2 +
  weight(t) · mean 1[max q̃ ≥ threshold · c] H(argmax q̃, p(s(u))).  The last mean is over all unlabeled images;
  weight(t) = weight · (1 − cos(π t / (ramp · steps))) / 2 until the ramp's end.

  Random logit interpolation: z = softmax(l + r (l' − l)), where the logits l come from the pass over all
  views, l' from one over the labeled views alone, and each number of r is drawn uniformly from [0, 1].
  The gradient flows through both.
  Alignment: q̃ = normalize(q · p̃_x / p̃_u) with q = p(w(u)); c is the mean of max z(w(x)).  All of these
  are held constant.

  Memory: p̃_x, the moving average of the mean of z(w(x)) over a batch, and the means of q over each of the
  latest `window` batches, whose own mean is p̃_u.  All are uniform at the start, and are brought up to date
  with the batch before they are used.

  Args:
    threshold: by which the mean confidence on the labeled images is multiplied (the authors' code: 0.9).
    weight: of the unlabeled term at the end of the ramp (the authors' code: 1).
    ramp: the part of training over which it rises (the authors' code: 0.5).
    decay: of p̃_x (the authors' code: 0.999).
    window: how many batches p̃_u is a mean over (the authors' code: 128).

  Evaluated: the network; under `with_ema` its average.
  BatchNorm: the pass over all views moves the running moments; that over the labeled ones alone moves none.
  Deviations: none in the objective; weight decay, schedule and views belong to the config.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))

  def init(key, views):
    memory = {
      'labeled': jnp.full(classes, 1 / classes, 'float32'),
      'unlabeled': jnp.full((window, classes), 1 / classes, 'float32'),
    }
    return *model.init(key, views['labeled']['image']), memory

  def loss(state, views, key):
    w_x, s_x, w_u, s_u = (views[v]['image'] for v in ('labeled', 'labeled_strong', 'weak', 'strong'))
    keys = [jax.random.fold_in(key, i) for i in range(2)]
    forward = lambda x, key: model.apply(state.params, state.stats, x, train=True, key=key)
    alone = forward(concatenate([w_x, s_x]), keys[0])[0]['head']
    out, stats = forward(concatenate([w_x, s_x, w_u, s_u]), keys[1])
    n, m = len(w_x), len(w_u)
    both, weak, strong = jnp.split(out['head'], [2 * n, 2 * n + m])
    on_w, on_s = jnp.split(both + draw(key, views, classes)['share'] * (alone - both), 2)

    seen = jax.nn.softmax(jax.lax.stop_gradient(on_w))
    own = jax.nn.softmax(jax.lax.stop_gradient(weak)).mean(0)
    memory = {
      'labeled': moving_average(state.memory['labeled'], seen.mean(0), decay),
      'unlabeled': jnp.concatenate([state.memory['unlabeled'][1:], own[None]]),
    }
    prior = jnp.log(memory['labeled'] + FLOOR) - jnp.log(memory['unlabeled'].mean(0) + FLOOR)
    view = {**views['weak'], 'log_prior': views['weak'].get('log_prior', 0.0) + prior}
    belief = believe(weak, view)
    relative = threshold * seen.max(-1).mean()
    mask = (belief.confidence >= relative) & belief.keep
    rise = weight * cosine_to_one(0.0, state.step, ramp * steps)
    label = views['labeled']['label']
    labeled = (cross_entropy(on_w, label).mean() + cross_entropy(on_s, label).mean()) / 2
    unlabeled = rise * jnp.where(mask, cross_entropy(strong, belief.label), 0).mean()
    on = Logits(on_w, weak, strong)
    value, metrics, pseudo = report(on, views, belief, mask, labeled, unlabeled)
    return value, Aux(stats, memory, metrics | {'threshold': relative}, pseudo)

  views = {**VIEWS, 'labeled_strong': View('labeled', 'strong')}
  encode, predict = net.output(model, 'encoder'), net.output(model, 'head')
  return Method(views, init, loss, encode=encode, predict=predict, believes='weak')


def draw(key, views, classes):
  """How far each logit of the labeled views, weak then strong, goes to that of the pass over them alone."""
  rows = 2 * len(views['labeled']['image'])
  return {'share': jax.random.uniform(jax.random.fold_in(key, 2), (rows, classes))}
