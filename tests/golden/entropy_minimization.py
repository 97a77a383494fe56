"""Grandvalet and Bengio (2005): the entropy of predictions; running moments from the labeled pass only."""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
RAMP = {'weight': 0.7, 'ramp': 0.5}  # of 20 steps: the ramp ends at step 10
SURE = [[90.0, -90, 90], [-90, 90, 90], [90, 90, -90]]  # some probabilities are 0 in single precision
CASES = {
  'before the ramp': Case(loss=1.84394, settings=RAMP, step=0),
  'on the ramp': Case(loss=2.47546, settings=RAMP, step=7),
  'at its end': Case(loss=2.74612, settings=RAMP, step=10),
  'after it': Case(loss=2.74612, settings=RAMP, step=15),
  'as it stands': Case(loss=1.89227),
  'all are sure': Case(loss=1.84394, settings=RAMP, step=15, rows={'unlabeled': SURE + SURE}),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled'}),
  'loss/entropy': Flow({'encoder', 'head'}, {'unlabeled'}),
}
OBSERVED = {'labeled'}
MEMORY: set[str] = set()
SETTINGS = {'weight': 0.5}
NUMBERS = {'weight': 0.2, 'ramp': 0.2}


def objective(params, held, stats, memory, views, *, step, steps, weight=0.1, ramp=0.4):
  del held
  on_x, pull_x, after = _layers.classify(params, stats, views['labeled']['image'])
  on_u, pull_u, _ = _layers.classify(params, stats, views['unlabeled']['image'])
  p, log_p = _layers.softmax(on_u), _layers.log_softmax(on_u)
  alpha = weight * min(step / (ramp * steps), 1)
  labeled, d_x = _layers.cross_entropy(on_x, views['labeled']['label'])
  each = -(p * log_p).sum(-1)
  d_u = -p * (log_p + each[:, None]) / len(p)
  return Golden(
    {'loss/supervised': labeled, 'loss/entropy': alpha * each.mean()},
    {'loss/supervised': pull_x(d_x), 'loss/entropy': pull_u(alpha * d_u)},
    after,
    memory,
    (p.argmax(-1), p.max(-1), np.ones(len(p))),
  )
