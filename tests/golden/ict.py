"""Verma et al. (2019): mixtures of labeled images and labels, and of images and the teacher's predictions.

`draws` are the share and the permutation of each stream.  The decay of the teacher after step t = 1, 2, … is
min(α, (1 + t) / (10 + t)).
"""

import math

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
RAMP = {'weight': 5.0, 'ramp': 0.5}  # of 20 steps: the ramp ends at step 10
CASES = {
  'as published': Case(loss=2.26143),
  'at the start': Case(loss=1.83142, settings=RAMP, step=0),
  'on the ramp': Case(loss=1.86163, settings=RAMP, step=7),
  'at its end': Case(loss=1.87898, settings=RAMP, step=10),
  'after it': Case(loss=1.87898, settings=RAMP, step=15),
  'hardly mixed': Case(loss=2.55657, settings={'alpha': 0.05}),
  'well mixed': Case(loss=1.6705, settings=RAMP | {'alpha': 8.0}, step=15),
  'the average is as slow as it gets': Case(loss=1.8397, settings={'ema_decay': 0.4, 'weight': 2.0}),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled'}),
  'loss/consistency': Flow({'encoder', 'head'}, {'unlabeled'}),
}
OBSERVED = {'labeled'}
MEMORY = {'teacher'}
SETTINGS = {'weight': 5.0}
NUMBERS = {'weight': 1.0, 'alpha': 4.0, 'ema_decay': 0.3, 'ramp': 0.2}


def objective(
  params,
  held,
  stats,
  memory,
  views,
  *,
  step,
  steps,
  draws,
  weight=100.0,
  alpha=1.0,
  ema_decay=0.999,
  ramp=0.25,
):
  del held, alpha, ema_decay

  def mix(rows, stream):
    share, other = draws[stream], draws[f'{stream}_other']
    return np.array([share * rows[i] + (1 - share) * rows[j] for i, j in enumerate(other)])

  x, u, label = views['labeled']['image'], views['unlabeled']['image'], views['labeled']['label']
  on_x, pull_x, after = _layers.classify(params, stats, mix(x, 'labeled'))
  on_u, pull_u, _ = _layers.classify(params, stats, mix(u, 'unlabeled'))
  wanted = mix(np.eye(on_x.shape[-1])[label], 'labeled')
  labeled = -(wanted * _layers.log_softmax(on_x)).sum(-1).mean()
  d_x = (_layers.softmax(on_x) - wanted) / len(x)

  taught = _layers.softmax(_layers.classify(memory['teacher'], stats, u)[0])
  p, target = _layers.softmax(on_u), mix(taught, 'unlabeled')
  rise = weight * math.exp(-5 * (1 - min(step / (ramp * steps), 1)) ** 2)
  d_p = 2 * (p - target) / p.size
  d_u = p * (d_p - (d_p * p).sum(-1, keepdims=True))
  return Golden(
    {'loss/supervised': labeled, 'loss/consistency': rise * ((p - target) ** 2).mean()},
    {'loss/supervised': pull_x(d_x), 'loss/consistency': pull_u(rise * d_u)},
    after,
    memory,
    (taught.argmax(-1), taught.max(-1), np.ones(len(u))),
  )


def update(params, stats, memory, *, step, steps, ema_decay=0.999, **settings):
  del stats, steps, settings
  decay = min(ema_decay, (1 + step) / (10 + step))
  teacher = _layers.add(_layers.scale(decay, memory['teacher']), _layers.scale(1 - decay, params))
  return params, {'teacher': teacher}
