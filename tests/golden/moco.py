"""He et al. (2019), equation 1 and section 3.3, query by query; the head is v2's, without BatchNorm.

Queries see BatchNorm in groups of neighbors, keys in groups of every s-th image, where s is the number of
groups; the running moments are the mean over the groups' own.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'hidden': 8, 'out': 3, 'queue': 8}
CASES = {
  'two groups': Case(loss=3.84708, settings=SMALL | {'splits': 2}),
  'three groups, low temperature': Case(loss=12.9459, settings=SMALL | {'splits': 3, 'temperature': 0.05}),
  'global moments, fast keys': Case(loss=3.84708, settings=SMALL | {'splits': 1, 'ema_decay': 0.5}),
  'a queue shorter than the batch': Case(loss=3.62906, settings=SMALL | {'splits': 2, 'queue': 4}),
}
FLOWS = {'loss/contrastive': Flow({'encoder', 'projector'}, {'a'})}
OBSERVED = {'a'}
MEMORY = {'target', 'queue'}
SETTINGS = {'hidden': 16, 'out': 8, 'queue': 40, 'splits': 2}
NUMBERS = {'temperature': 0.5, 'ema_decay': 0.5}


def objective(params, held, stats, memory, views, *, step, steps, queue, splits, temperature=0.2, **settings):
  del held, step, steps, settings
  n = len(views['a']['image'])
  q, pull, stats = in_groups(
    params, stats, views['a']['image'], [range(g, g + n // splits) for g in range(0, n, n // splits)]
  )
  target, moments = memory['target']
  k, _, moments = in_groups(
    target, moments, views['b']['image'], [range(g, n, splits) for g in range(splits)]
  )
  value, d = 0.0, np.zeros_like(q)
  for i in range(n):
    candidates = np.stack([k[i], *memory['queue']])
    scores = candidates @ q[i] / temperature
    value += (np.log(np.exp(scores - scores.max()).sum()) + scores.max() - scores[0]) / n
    d[i] = (_layers.softmax(scores) - np.eye(len(scores))[0]) @ candidates / temperature / n
  memory = {'target': (target, moments), 'queue': np.concatenate([k, memory['queue']])[:queue]}
  return Golden({'loss/contrastive': value}, {'loss/contrastive': pull(d)}, stats, memory)


def in_groups(params, stats, images, groups):
  """Unit projections of all images, each group normalized by itself; all groups start from `stats`."""
  made = [_layers.project(params, stats, images[list(rows)]) for rows in groups]
  z = np.zeros((len(images), made[0][0].shape[1]))
  for rows, (part, _, _) in zip(groups, made):
    z[list(rows)] = part
  z, pull_unit = _layers.unit(z)

  def pull(dz):
    d = pull_unit(dz)
    return _layers.add(*(into(d[list(rows)]) for rows, (_, into, _) in zip(groups, made)))

  return z, pull, _layers.scale(1 / len(groups), _layers.add(*(new for _, _, new in made)))


def update(params, stats, memory, *, step, steps, ema_decay=0.999, **settings):
  del stats, step, steps, settings
  target, moments = memory['target']
  target = _layers.add(_layers.scale(ema_decay, target), _layers.scale(1 - ema_decay, params))
  return params, {**memory, 'target': (target, moments)}
