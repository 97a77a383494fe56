"""Schroff et al. (2015), equations 2 and 4, one anchor after the other; 2N of them."""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'hidden': 8, 'out': 3}
CASES = {  # of the twelve anchors one has no negative that is farther away than its positive
  'margin 0.2': Case(loss=0.0769089, settings=SMALL),
  'margin 2': Case(loss=1.60225, settings=SMALL | {'margin': 2.0}),
}
FLOWS = {'loss/triplet': Flow({'encoder', 'projector'}, {'a', 'b'})}
OBSERVED = {'a', 'b'}
MEMORY: set[str] = set()
SETTINGS = {'hidden': 16, 'out': 8}
NUMBERS = {'margin': 1.0}


def objective(params, held, stats, memory, views, *, step, steps, hidden, out, margin=0.2):
  del step, steps, hidden, out
  images = np.concatenate([views['a']['image'], views['b']['image']])
  fixed, _ = _layers.unit(_layers.project(held, stats, images)[0])
  projections, pull, stats = _layers.project(params, stats, images)
  z, pull_unit = _layers.unit(projections)
  anchors, value, d = len(z), 0.0, np.zeros_like(z)
  for i in range(anchors):
    p = (i + anchors // 2) % anchors
    away = {n: ((fixed[i] - fixed[n]) ** 2).sum() for n in range(anchors) if n != i}
    others = {n: far for n, far in away.items() if n != p}
    farther = {n: far for n, far in others.items() if far > away[p]}
    n = min(farther, key=farther.get) if farther else max(others, key=others.get)
    gap = ((z[i] - z[p]) ** 2).sum() - ((z[i] - z[n]) ** 2).sum() + margin
    if gap > 0:
      value += gap
      d[i] += 2 * (z[n] - z[p])
      d[p] -= 2 * (z[i] - z[p])
      d[n] += 2 * (z[i] - z[n])
  value, d = value / anchors, d / anchors
  return Golden({'loss/triplet': value}, {'loss/triplet': pull(pull_unit(d))}, stats, memory)
