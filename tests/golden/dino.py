"""Caron et al. (2021): the student says of every crop what the teacher says of another, global one.

Pair by pair; the teacher's scores are centered and sharpened, and the center follows their mean.
The teacher's decay after step k = 1, 2, … of K is 1 − (1 − λ)(cos(π(k − 1)/K) + 1)/2.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'hidden': 8, 'bottleneck': 3, 'out': 5, 'crops': 2}
RISING = {'first_temperature': 0.1, 'teacher_temperature': 0.3, 'warmup': 0.5}  # of 20 steps: until step 10
CASES = {
  'two local crops': Case(loss=4.91731, settings=SMALL),
  'soft targets': Case(loss=2.08976, settings=SMALL | {'temperature': 0.5, 'teacher_temperature': 0.4}),
  'global views only, a fast teacher and center': Case(
    loss=4.8392, settings=SMALL | {'crops': 0, 'ema_decay': 0.5, 'center_decay': 0.1}
  ),
  'BatchNorm in the projector, soft targets': Case(
    loss=2.60533,
    settings=SMALL | {'batch_norm': True, 'temperature': 0.5, 'teacher_temperature': 0.4},
    rate=0.1,
  ),
  'before the warm-up': Case(loss=4.59728, settings=SMALL | RISING, step=0),
  'into its end': Case(loss=5.98766, settings=SMALL | RISING, step=8),
}
FLOWS = {'loss/distillation': Flow({'encoder', 'projector', 'last'}, {'a', 'b', 'local'})}
OBSERVED = {'a', 'b', 'local'}
MEMORY = {'teacher', 'center'}
SETTINGS = {'hidden': 16, 'bottleneck': 8, 'out': 12, 'crops': 2, 'teacher_temperature': 0.07, 'warmup': 0.3}
NUMBERS = {
  'temperature': 0.2,
  'teacher_temperature': 0.1,
  'first_temperature': 0.05,
  'warmup': 0.5,
  'ema_decay': 0.5,
  'center_decay': 0.5,
}
CHANGES = {'augment__local': 'none'}


def objective(
  params,
  held,
  stats,
  memory,
  views,
  *,
  step,
  steps,
  out,
  temperature=0.1,
  teacher_temperature=0.04,
  first_temperature=0.04,
  warmup=0.0,
  center_decay=0.9,
  **settings,
):
  del held, settings
  n, batches = len(views['a']['image']), _layers.by_size(views)
  scores, pull, stats = score(params, stats, batches)
  student = [scores[i : i + n] / temperature for i in range(0, len(scores), n)]

  teacher, moments = memory['teacher']
  taught, _, moments = score(teacher, moments, batches[:1])
  sharp = teacher_temperature
  if step < warmup * steps:
    sharp = first_temperature + (teacher_temperature - first_temperature) * step / (warmup * steps)
  targets = [_layers.softmax((taught[i : i + n] - memory['center']) / sharp) for i in (0, n)]

  pairs = [(t, v) for t in range(2) for v in range(len(student)) if t != v]
  value, d = 0.0, [np.zeros((n, out)) for _ in student]
  for t, v in pairs:
    value -= (targets[t] * _layers.log_softmax(student[v])).sum() / n / len(pairs)
    d[v] += (_layers.softmax(student[v]) - targets[t]) / temperature / n / len(pairs)
  center = center_decay * memory['center'] + (1 - center_decay) * taught.mean(0)
  memory = {'teacher': (teacher, moments), 'center': center}
  return Golden({'loss/distillation': value}, {'loss/distillation': pull(np.concatenate(d))}, stats, memory)


def score(params, stats, batches):
  """Cosines of the projections to the rows of the last layer."""
  z, into_projector, stats = _layers.project_each(params, stats, batches, _layers.gelu)
  rows, pull_rows = _layers.unit(params['last'])

  def pull(d):
    return {**into_projector(d @ rows), 'last': pull_rows(d.T @ z)}

  return z @ rows.T, pull, stats


def update(params, stats, memory, *, step, steps, ema_decay=0.996, **settings):
  del stats, settings
  decay = 1 - (1 - ema_decay) * (np.cos(np.pi * min((step - 1) / steps, 1)) + 1) / 2
  teacher, moments = memory['teacher']
  teacher = _layers.add(_layers.scale(decay, teacher), _layers.scale(1 - decay, params))
  return params, {**memory, 'teacher': (teacher, moments)}
