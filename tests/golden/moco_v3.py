"""Chen, Xie and He (2021), equation 1 and algorithm 1, query by query.

The key network's decay is 1 − (1 − m)(cos(πk/K) + 1)/2 after step k = 1, 2, … of K.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'hidden': 8, 'out': 3}
CASES = {
  'temperature 0.2': Case(loss=4.67001, settings=SMALL),
  'heads of a ViT': Case(loss=0.778198, settings=SMALL | {'heads': 'vit', 'hidden': 16}, rate=0.02),
  'temperature 1, fast keys': Case(loss=8.55138, settings=SMALL | {'temperature': 1.0, 'ema_decay': 0.5}),
}
FLOWS = {'loss/contrastive': Flow({'encoder', 'projector', 'predictor'}, {'a', 'b'})}
OBSERVED = {'a', 'b'}
MEMORY = {'target'}
SETTINGS = {'hidden': 24, 'out': 8}
NUMBERS = {'temperature': 1.0, 'ema_decay': 0.5}


def objective(params, held, stats, memory, views, *, step, steps, temperature=0.2, **settings):
  del held, step, steps, settings
  target, moments = memory['target']
  keys = {}
  for name in ('a', 'b'):
    k, _, moments = _layers.project(target, moments, views[name]['image'])
    keys[name], _ = _layers.unit(k)
  value, grads = 0.0, []
  for name, other in (('a', 'b'), ('b', 'a')):
    z, into_branch, new = _layers.project(params, stats, views[name]['image'])
    p, into_predictor, last = _layers.perceptron(z, params['predictor'], stats['predictor'])
    stats = {**new, 'predictor': last}
    q, pull_unit = _layers.unit(p)
    n, d = len(q), np.zeros_like(q)
    for i in range(n):
      scores = keys[other] @ q[i] / temperature
      weights = np.exp(scores) / np.exp(scores).sum()
      value += 2 * temperature * -np.log(weights[i]) / n
      d[i] = 2 * (weights @ keys[other] - keys[other][i]) / n
    d, predictor = into_predictor(pull_unit(d))
    grads += [into_branch(d), {'predictor': predictor}]
  memory = {'target': (target, moments)}
  return Golden({'loss/contrastive': value}, {'loss/contrastive': _layers.add(*grads)}, stats, memory)


def update(params, stats, memory, *, step, steps, ema_decay=0.99, **settings):
  del stats, settings
  decay = 1 - (1 - ema_decay) * (np.cos(np.pi * min(step / steps, 1)) + 1) / 2
  target, moments = memory['target']
  online = {k: params[k] for k in target}
  target = _layers.add(_layers.scale(decay, target), _layers.scale(1 - decay, online))
  return params, {'target': (target, moments)}
