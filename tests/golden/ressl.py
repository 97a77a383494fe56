"""Zheng et al. (2021), section 3.2: the student is like the queue as the teacher is, image by image.

The teacher sees the weak view and is sharper; its projections enter the queue after the loss.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'hidden': 8, 'out': 3, 'queue': 8}
CASES = {
  'the published temperatures': Case(loss=9.72354, settings=SMALL),
  'soft relations, a fast teacher': Case(
    loss=2.27914, settings=SMALL | {'temperature': 1.0, 'teacher_temperature': 0.5, 'ema_decay': 0.5}
  ),
  'a queue shorter than the batch': Case(loss=1.73271, settings=SMALL | {'queue': 4}),
}
FLOWS = {'loss/relation': Flow({'encoder', 'projector'}, {'strong'})}
OBSERVED = {'strong'}
MEMORY = {'teacher', 'queue'}
SETTINGS = {'hidden': 16, 'out': 8, 'queue': 40}
NUMBERS = {'temperature': 0.5, 'teacher_temperature': 0.1, 'ema_decay': 0.5}


def objective(
  params,
  held,
  stats,
  memory,
  views,
  *,
  step,
  steps,
  queue,
  temperature=0.1,
  teacher_temperature=0.04,
  **settings,
):
  del held, step, steps, settings
  teacher, moments = memory['teacher']
  taught, _, moments = _layers.project(teacher, moments, views['weak']['image'])
  k, _ = _layers.unit(taught)
  projections, pull, after = _layers.project(params, stats, views['strong']['image'])
  z, pull_unit = _layers.unit(projections)
  rows, n = memory['queue'], len(z)
  value, d = 0.0, np.zeros_like(z)
  for i in range(n):
    p = _layers.softmax(np.array([row @ k[i] for row in rows]) / teacher_temperature)
    scores = np.array([row @ z[i] for row in rows]) / temperature
    value -= (p * _layers.log_softmax(scores)).sum() / n
    d[i] = (_layers.softmax(scores) - p) @ rows / temperature / n
  memory = {'teacher': (teacher, moments), 'queue': np.concatenate([k, rows])[:queue]}
  return Golden({'loss/relation': value}, {'loss/relation': pull(pull_unit(d))}, after, memory)


def update(params, stats, memory, *, step, steps, ema_decay=0.99, **settings):
  del stats, step, steps, settings
  teacher, moments = memory['teacher']
  teacher = _layers.add(_layers.scale(ema_decay, teacher), _layers.scale(1 - ema_decay, params))
  return params, {**memory, 'teacher': (teacher, moments)}
