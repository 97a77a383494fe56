"""Grill et al. (2020), equations 2 and 5 and section 3.2: predict the target network's projection.

Each view has its own pass through the online and through the target network; both keep running moments.
The target's decay is 1 − (1 − τ)(cos(πk/K) + 1)/2 after step k = 1, 2, … of K.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'hidden': 8, 'out': 3}
CASES = {
  'decay 0.99': Case(loss=2.53887, settings=SMALL),
  'decay 0.5': Case(loss=2.53887, settings=SMALL | {'ema_decay': 0.5}),
}
FLOWS = {'loss/prediction': Flow({'encoder', 'projector', 'predictor'}, {'a', 'b'})}
OBSERVED = {'a', 'b'}
MEMORY = {'target'}
SETTINGS = {'hidden': 16, 'out': 8}
NUMBERS = {'ema_decay': 0.5}


def objective(params, held, stats, memory, views, *, step, steps, hidden, out, ema_decay=0.99):
  del held, step, steps, hidden, out, ema_decay
  target, moments = memory['target']
  targets = {}
  for name in ('a', 'b'):
    targets[name], _, moments = _layers.project(target, moments, views[name]['image'])
  value, grads = 0.0, []
  for name, other in (('a', 'b'), ('b', 'a')):
    z, into_online, new = _layers.project(params, stats, views[name]['image'])
    q, into_predictor, last = _layers.perceptron(z, params['predictor'], stats['predictor'])
    stats = {**new, 'predictor': last}
    q_hat, pull_unit = _layers.unit(q)
    z_hat, _ = _layers.unit(targets[other])
    value += ((q_hat - z_hat) ** 2).sum(-1).mean()
    d, predictor = into_predictor(pull_unit(2 * (q_hat - z_hat) / len(q)))
    grads += [into_online(d), {'predictor': predictor}]
  memory = {'target': (target, moments)}
  return Golden({'loss/prediction': value}, {'loss/prediction': _layers.add(*grads)}, stats, memory)


def update(params, stats, memory, *, step, steps, ema_decay=0.99, **settings):
  del stats, settings
  decay = 1 - (1 - ema_decay) * (np.cos(np.pi * min(step / steps, 1)) + 1) / 2
  target, moments = memory['target']
  online = {k: params[k] for k in target}
  target = _layers.add(_layers.scale(decay, target), _layers.scale(1 - decay, online))
  return params, {'target': (target, moments)}
