"""Temporal ensembling: the network should agree with the average of its own past predictions on an image."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View
from ssl_bench.methods._schedules import gaussian_ramp
from ssl_bench.methods.consistency._agreement import objective
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, Range

VERSION = 1


def temporal_ensembling(
  encoder: net.Net,
  classes: int,
  steps: float,
  examples: int,
  *,
  weight: Annotated[float, Range(0)] = 30.0,
  decay: Annotated[float, Range(0, 1, below=True)] = 0.6,
  ramp: Annotated[float, POSITIVE] = 0.26667,
) -> Method:
  """Laine and Aila, "Temporal Ensembling for Semi-Supervised Learning" (2017), section 2.2.

  Objective (algorithm 2): mean H(y, p(w(x))) + α(t) · mean ‖p(w(u)) − z̃‖² / classes, with the target z̃ of
  an image held constant, and α(t) = weight · exp(−5 (1 − t / (ramp · steps))²) until the ramp's end.

  Targets: z̃ = Z / (1 − decay^n), where Z is the image's ensemble prediction and n how often the image was
  seen; the divisor corrects that Z starts at 0.  An image that was not seen yet has no part in the term.

  Memory: Z and n of each unlabeled image; a step makes Z ← decay · Z + (1 − decay) · p(w(u)) and n ← n + 1 of
  the images of its batch.

  Args:
    weight: of the consistency at the end of the ramp (the authors' code: unsup_weight_max, 30, of which it
      takes the share of labeled images, since its labeled term is a mean over all images).
    decay: of the ensemble (α of the paper; the authors' code: 0.6).
    ramp: the part of training over which α(t) grows (the authors' code: 80 of 300 epochs).

  Evaluated: the network; under `with_ema` its average.
  BatchNorm: two passes; both use their batch's moments, and the running ones come from the labeled pass only,
  as for the Π-model.
  Deviations: n counts how often an image was seen, where the authors' code counts epochs, in each of which it
  sees all images; no Gaussian input noise, and dropout only where the encoder has it; the learning rate is
  not ramped up.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))

  def init(key, views):
    memory = {'ensemble': jnp.zeros((examples, classes)), 'seen': jnp.zeros(examples, 'int32')}
    return *model.init(key, views['labeled']['image']), memory

  def loss(state, views, key):
    x, u = views['labeled']['image'], views['unlabeled']['image']
    on_x, stats = model.apply(state.params, state.stats, x, train=True, key=jax.random.fold_in(key, 0))
    on_u, _ = model.apply(state.params, state.stats, u, train=True, key=jax.random.fold_in(key, 1))
    student, index = jax.nn.softmax(on_u['head']), views['unlabeled']['index']
    held = jax.lax.stop_gradient(student)
    before, seen = state.memory['ensemble'][index], state.memory['seen'][index]
    correction = jnp.where(seen > 0, 1 - decay ** seen.astype('float32'), 1)
    target = jnp.where(
      (seen > 0)[:, None], before / correction[:, None], held
    )  # equal: no error, no gradient
    memory = {
      'ensemble': state.memory['ensemble'].at[index].set(decay * before + (1 - decay) * held),
      'seen': state.memory['seen'].at[index].set(seen + 1),
    }
    alpha = weight * gaussian_ramp(state.step, ramp * steps)
    y = views['labeled']['label']
    value, metrics, pseudo = objective(on_x['head'], y, student, target, alpha, index)
    return value, Aux(stats, memory, metrics, pseudo)

  views = {'labeled': View('labeled', 'weak'), 'unlabeled': View('unlabeled', 'weak')}
  return Method(views, init, loss, encode=net.output(model, 'encoder'), predict=net.output(model, 'head'))
