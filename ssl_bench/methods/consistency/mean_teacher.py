"""Mean Teacher: the network should agree with a teacher, the moving average of its own weights."""

from typing import Annotated

import jax

from ssl_bench.contract import Aux, Method, View, moving_average, warm
from ssl_bench.methods._schedules import linear_ramp
from ssl_bench.methods.consistency._agreement import objective
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT, Range

VERSION = 1


def mean_teacher(
  encoder: net.Net,
  classes: int,
  steps: float,
  *,
  weight: Annotated[float, Range(0)] = 50.0,
  ema_decay: Annotated[float, UNIT] = 0.999,
  ramp: Annotated[float, POSITIVE] = 0.4,
) -> Method:
  """Tarvainen and Valpola, "Mean teachers are better role models" (2017).

  The teacher's parameters are the moving average of the student's.

  Objective (section 2): mean H(y, p(w(x))) + α(t) · mean ‖p(w(u)) − p'(w'(u))‖² / classes, where p' is
  the teacher on another weak view, held constant.

  Args:
    weight: of the consistency at the end of the ramp (FixMatch's code and TorchSSL: 50).
    ema_decay: of the teacher (the paper's code: 0.999); lower at the start, see `contract.warm`.
    ramp: the part of training over which α grows linearly from 0 (TorchSSL's configs: 0.4).

  Evaluated: the teacher, with the student's running BatchNorm moments (the average is over
  parameters only, FixMatch's code).
  BatchNorm: the student's and the teacher's unlabeled passes use their batch's moments; the running
  ones come from the labeled pass only.
  Deviations: a linear ramp instead of exp(−5 (1 − t)²); no Gaussian input noise; the decay starts as
  (1 + t) / (10 + t) where the paper's code has 1 − 1 / (t + 1), the plain mean of all weights so far, from
  which a short run does not recover.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))

  def init(key, views):
    params, stats = model.init(key, views['labeled']['image'])
    return params, stats, {'teacher': params}

  def loss(state, views, key):
    keys = [jax.random.fold_in(key, i) for i in range(3)]
    x, u, v = (views[name]['image'] for name in ('labeled', 'student', 'teacher'))
    on_x, stats = model.apply(state.params, state.stats, x, train=True, key=keys[0])
    on_u, _ = model.apply(state.params, state.stats, u, train=True, key=keys[1])
    on_v, _ = model.apply(state.memory['teacher'], state.stats, v, train=True, key=keys[2])
    student, teacher = jax.nn.softmax(on_u['head']), jax.nn.softmax(on_v['head'])
    alpha = weight * linear_ramp(state.step, ramp * steps)
    y, index = views['labeled']['label'], views['teacher']['index']
    value, metrics, pseudo = objective(on_x['head'], y, student, teacher, alpha, index)
    return value, Aux(stats, state.memory, metrics, pseudo)

  def update(state):
    teacher = moving_average(state.memory['teacher'], state.params, warm(ema_decay, state.step))
    return state._replace(memory={'teacher': teacher})

  views = {
    'labeled': View('labeled', 'weak'),
    'student': View('unlabeled', 'weak'),
    'teacher': View('unlabeled', 'weak'),
  }
  teacher = lambda state: (state.memory['teacher'], state.stats)
  encode, predict = (net.output(model, part, teacher) for part in ('encoder', 'head'))
  return Method(views, init, loss, encode=encode, predict=predict, update=update)
