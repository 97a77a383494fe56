"""Yeh et al. (2021), equation 6, anchor by anchor: one logarithm over all views of all other images.

The weights of DCLW are of the projections as they are held.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'hidden': 8, 'out': 3}
CASES = {
  'temperature 0.1': Case(loss=12.1463, settings=SMALL),
  'temperature 0.5': Case(loss=3.40608, settings=SMALL | {'temperature': 0.5}),
  'weighted': Case(loss=15.7516, settings=SMALL | {'weighted': True}),
  'weighted sharply': Case(
    loss=3.21495, settings=SMALL | {'weighted': True, 'sigma': 0.1, 'temperature': 1.0}
  ),
}
BOTH = Flow({'encoder', 'projector'}, {'a', 'b'})
FLOWS = {'loss/positive': BOTH, 'loss/negative': BOTH}
OBSERVED = {'a', 'b'}
MEMORY: set[str] = set()
SETTINGS = {'hidden': 16, 'out': 8, 'weighted': True, 'temperature': 0.5}
NUMBERS = {'temperature': 0.2, 'sigma': 0.1}


def objective(
  params, held, stats, memory, views, *, step, steps, temperature=0.1, weighted=False, sigma=0.5, **settings
):
  del step, steps, settings
  images = np.concatenate([views['a']['image'], views['b']['image']])
  projections, pull, after = _layers.project(params, stats, images)
  z, pull_unit = _layers.unit(projections)
  constant, _ = _layers.unit(_layers.project(held, stats, images)[0])
  anchors, n = len(z), len(z) // 2
  likeness = np.array([np.exp(constant[i] @ constant[i + n] / sigma) for i in range(n)])
  positive = negative = 0.0
  d_positive, d_negative = np.zeros_like(z), np.zeros_like(z)
  for i in range(anchors):
    partner = (i + n) % anchors
    weight = 2 - likeness[i % n] / likeness.mean() if weighted else 1.0
    positive -= weight * (z[i] @ z[partner]) / temperature / anchors
    d_positive[i] -= weight * z[partner] / temperature / anchors
    d_positive[partner] -= weight * z[i] / temperature / anchors
    others = [k for k in range(anchors) if k not in (i, partner)]
    scores = np.array([z[i] @ z[k] for k in others]) / temperature
    negative += (scores.max() + np.log(np.exp(scores - scores.max()).sum())) / anchors
    for k, share in zip(others, _layers.softmax(scores)):
      d_negative[i] += share * z[k] / temperature / anchors
      d_negative[k] += share * z[i] / temperature / anchors
  terms = {'loss/positive': positive, 'loss/negative': negative}
  grads = {'loss/positive': pull(pull_unit(d_positive)), 'loss/negative': pull(pull_unit(d_negative))}
  return Golden(terms, grads, after, memory)
