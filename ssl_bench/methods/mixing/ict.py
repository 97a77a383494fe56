"""ICT: the prediction on a mixture of two images should be the mixture of a teacher's predictions on them."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import DENSE, Aux, Method, View, moving_average, use_all, warm
from ssl_bench.losses import soft_cross_entropy, squared_error
from ssl_bench.methods._schedules import gaussian_ramp
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT, Range

VERSION = 1


def ict(
  encoder: net.Net,
  classes: int,
  steps: float,
  *,
  weight: Annotated[float, Range(0)] = 100.0,
  alpha: Annotated[float, POSITIVE] = 1.0,
  ema_decay: Annotated[float, UNIT] = 0.999,
  ramp: Annotated[float, POSITIVE] = 0.25,
) -> Method:
  """Verma et al., "Interpolation Consistency Training for Semi-Supervised Learning" (2019).

  Objective (the authors' code, main.py): mean H(mix_λ(y), p(mix_λ(w(x)))) + weight(t) · mean
  ‖p(mix_μ(w(u))) − mix_μ(p'(w(u)))‖² / classes, where p' is the teacher, held constant, and mix_λ(z)_i =
  λ z_i + (1 − λ) z_π(i) for a random permutation π of the batch.  λ and μ ~ Beta(α, α) are drawn once for
  each batch; weight(t) = weight · exp(−5 (1 − t / (ramp · steps))²) until the ramp's end.

  Args:
    weight: of the consistency at the end of the ramp (the authors' commands: 100).
    alpha: of both Beta distributions (α; the authors' commands: 1 for CIFAR-10, 0.1 for SVHN).
    ema_decay: of the teacher (the authors' commands: 0.999); lower at the start, see `contract.warm`.
    ramp: the part of training over which the weight grows (the authors' code: a quarter).

  Evaluated: the teacher, with the student's running BatchNorm moments, as Mean Teacher.
  BatchNorm: all passes use their batch's moments; the running ones come from the labeled pass only.
  Deviations: the targets are mixtures of predictions, where the authors' code mixes the teacher's logits and
  takes the softmax of the mixture; the decay starts as (1 + t) / (10 + t), where it has 1 − 1 / (t + 1).
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))

  def init(key, views):
    params, stats = model.init(key, views['labeled']['image'])
    return params, stats, {'teacher': params}

  def loss(state, views, key):
    keys = [jax.random.fold_in(key, i) for i in range(3)]
    x, u = views['labeled']['image'], views['unlabeled']['image']
    drawn = draw(key, views, alpha=alpha)
    forward = lambda params, images, key: model.apply(params, state.stats, images, train=True, key=key)

    def mix(rows, stream):
      share, other = drawn[stream], drawn[f'{stream}_other']
      return share * rows + (1 - share) * jnp.take(rows, other, 0)

    on_x, stats = forward(state.params, mix(x, 'labeled'), keys[0])
    on_u = forward(state.params, mix(u, 'unlabeled'), keys[1])[0]
    taught = jax.nn.softmax(forward(state.memory['teacher'], u, keys[2])[0]['head'])
    student, target = jax.nn.softmax(on_u['head']), mix(taught, 'unlabeled')
    wanted = mix(jax.nn.one_hot(views['labeled']['label'], classes), 'labeled')
    labeled = soft_cross_entropy(on_x['head'], wanted).mean()
    rise = weight * gaussian_ramp(state.step, ramp * steps)
    consistency = rise * squared_error(student, target).mean()
    metrics = {'loss/supervised': labeled, 'loss/consistency': consistency}
    pseudo = use_all(views['unlabeled']['index'], taught)
    return labeled + consistency, Aux(stats, state.memory, metrics, pseudo)

  def update(state):
    teacher = moving_average(state.memory['teacher'], state.params, warm(ema_decay, state.step))
    return state._replace(memory={'teacher': teacher})

  views = {'labeled': View('labeled', 'weak'), 'unlabeled': View('unlabeled', 'weak')}
  teacher = lambda state: (state.memory['teacher'], state.stats)
  encode, predict = (net.output(model, part, teacher) for part in ('encoder', 'head'))
  return Method(views, init, loss, encode=encode, predict=predict, update=update, kinds=DENSE)


def draw(key, views, *, alpha):
  """For each stream the share (λ, in [0, 1]) and the permutation (π) of its mixtures."""
  drawn = {}
  for i, (name, view) in enumerate(views.items()):
    keys = [jax.random.fold_in(key, 100 + 2 * i + j) for j in range(2)]
    drawn[name] = jax.random.beta(keys[0], alpha, alpha, (), 'float32')
    drawn[f'{name}_other'] = jax.random.permutation(keys[1], len(view['image']))
  return drawn
