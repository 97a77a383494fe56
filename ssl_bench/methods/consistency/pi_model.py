"""Π-model: the predictions on two random views of an image should agree."""

from typing import Annotated

import jax

from ssl_bench.contract import Aux, Method, View
from ssl_bench.methods._schedules import linear_ramp
from ssl_bench.methods.consistency._agreement import objective
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, Range

VERSION = 1


def pi_model(
  encoder: net.Net,
  classes: int,
  steps: float,
  *,
  weight: Annotated[float, Range(0)] = 10.0,
  ramp: Annotated[float, POSITIVE] = 0.4,
) -> Method:
  """Laine and Aila, "Temporal Ensembling for Semi-Supervised Learning" (2017), section 2.1.

  Objective (algorithm 1): mean H(y, p(w(x))) + α(t) · mean ‖p(w(u)) − q‖² / classes, where
  q = p(w'(u)), held constant, is the same network on another weak view.

  Args:
    weight: of the consistency at the end of the ramp (FixMatch's code and TorchSSL: 10).
    ramp: the part of training over which α grows linearly from 0 (FixMatch's code and TorchSSL: 0.4).

  Evaluated: the network; under `with_ema` its average.
  BatchNorm: all three passes use their batch's moments; the running ones come from the labeled pass
  only (FixMatch's code).
  Deviations: a linear ramp over 0.4 of training instead of exp(−5 (1 − t)²) over 80 epochs; no Gaussian
  input noise, and dropout only where the encoder has it.  The paper does not hold q constant; FixMatch's
  code and TorchSSL do, which halves the expected gradient, since the two views are exchangeable.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))

  def init(key, views):
    return *model.init(key, views['labeled']['image']), ()

  def loss(state, views, key):
    keys = [jax.random.fold_in(key, i) for i in range(3)]
    x, u, v = (views[name]['image'] for name in ('labeled', 'student', 'target'))
    on_x, stats = model.apply(state.params, state.stats, x, train=True, key=keys[0])
    on_u, _ = model.apply(state.params, state.stats, u, train=True, key=keys[1])
    on_v, _ = model.apply(state.params, state.stats, v, train=True, key=keys[2])
    student, target = jax.nn.softmax(on_u['head']), jax.nn.softmax(jax.lax.stop_gradient(on_v['head']))
    alpha = weight * linear_ramp(state.step, ramp * steps)
    y, index = views['labeled']['label'], views['target']['index']
    value, metrics, pseudo = objective(on_x['head'], y, student, target, alpha, index)
    return value, Aux(stats, (), metrics, pseudo)

  views = {
    'labeled': View('labeled', 'weak'),
    'student': View('unlabeled', 'weak'),
    'target': View('unlabeled', 'weak'),
  }
  return Method(views, init, loss, encode=net.output(model, 'encoder'), predict=net.output(model, 'head'))
