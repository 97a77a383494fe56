"""Laine and Aila (2017), algorithm 1: squared error between two passes, one of them held constant."""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
RAMP = {'weight': 5.0, 'ramp': 0.5}  # of 20 steps: the ramp ends at step 10
CASES = {
  'before the ramp': Case(loss=1.84394, settings=RAMP, step=0),
  'on the ramp': Case(loss=1.94899, settings=RAMP, step=7),
  'at its end': Case(loss=1.99402, settings=RAMP, step=10),
  'after it': Case(loss=1.99402, settings=RAMP, step=15),
  'as published': Case(loss=1.9565),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled'}),
  'loss/consistency': Flow({'encoder', 'head'}, {'student'}),
}
OBSERVED = {'labeled'}
MEMORY: set[str] = set()
SETTINGS = {'weight': 5.0}
NUMBERS = {'weight': 1.0, 'ramp': 0.2}
CHANGES = {'augment__weak': 'crop(1)'}  # two views of an image have to differ


def objective(params, held, stats, memory, views, *, step, steps, weight=10.0, ramp=0.4):
  on_x, pull_x, after = _layers.classify(params, stats, views['labeled']['image'])
  on_u, pull_u, _ = _layers.classify(params, stats, views['student']['image'])
  p = _layers.softmax(on_u)
  q = _layers.softmax(_layers.classify(held, stats, views['target']['image'])[0])
  alpha = weight * min(step / (ramp * steps), 1)
  value_x, d_x = _layers.cross_entropy(on_x, views['labeled']['label'])
  d_p = 2 * (p - q) / p.size
  d_u = p * (d_p - (d_p * p).sum(-1, keepdims=True))
  return Golden(
    {'loss/supervised': value_x, 'loss/consistency': alpha * ((p - q) ** 2).mean()},
    {'loss/supervised': pull_x(d_x), 'loss/consistency': pull_u(alpha * d_u)},
    after,
    memory,
    (q.argmax(-1), q.max(-1), np.ones(len(q))),
  )
