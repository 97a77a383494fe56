"""Dwibedi et al. (2021): InfoNCE between neighbors in the queue and predictions, row by row.

Each view has its own pass; neighbors are found at the projections as they are held, and are constants.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'hidden': 8, 'out': 3, 'predictor': 8, 'queue': 10, 'layers': 2}
WIDE = {'hidden': 12, 'out': 4, 'predictor': 12, 'queue': 10}
CASES = {
  'temperature 0.1': Case(loss=3.56352, settings=SMALL),
  'three layers, temperature 1': Case(loss=2.00181, settings=WIDE | {'temperature': 1.0}),
  'a queue shorter than the batch': Case(
    loss=2.11617, settings=SMALL | {'predictor': 16, 'queue': 4, 'temperature': 0.5}
  ),
}
FLOWS = {'loss/contrastive': Flow({'encoder', 'projector', 'predictor'}, {'a', 'b'})}
OBSERVED = {'a', 'b'}
MEMORY = {'queue'}
SETTINGS = {'hidden': 16, 'out': 16, 'predictor': 16, 'queue': 40, 'layers': 2, 'temperature': 0.5}
NUMBERS = {'temperature': 0.2}


def objective(params, held, stats, memory, views, *, step, steps, temperature=0.1, **settings):
  del step, steps, settings
  queue = memory['queue']
  constant = {
    name: _layers.unit(_layers.project(held, stats, views[name]['image'])[0])[0] for name in ('a', 'b')
  }
  value, grads = 0.0, []
  for name, other in (('a', 'b'), ('b', 'a')):
    z, into_branch, new = _layers.project(params, stats, views[name]['image'])
    p, into_predictor, last = _layers.perceptron(z, params['predictor'], stats['predictor'])
    stats = {**new, 'predictor': last}
    p, pull_unit = _layers.unit(p)
    n, d = len(p), np.zeros_like(p)
    for i in range(n):
      neighbor = queue[np.argmax([row @ constant[other][i] for row in queue])]
      scores = np.array([neighbor @ p[k] for k in range(n)]) / temperature
      value -= _layers.log_softmax(scores)[i] / n / 2
      d += np.outer(_layers.softmax(scores) - np.eye(n)[i], neighbor) / temperature / n / 2
    d, predictor = into_predictor(pull_unit(d))
    grads += [into_branch(d), {'predictor': predictor}]
  memory = {'queue': np.concatenate([constant['a'], queue])[: len(queue)]}
  return Golden({'loss/contrastive': value}, {'loss/contrastive': _layers.add(*grads)}, stats, memory)
