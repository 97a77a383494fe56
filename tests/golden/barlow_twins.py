"""Zbontar et al. (2021), equations 1 and 2, entry by entry of the cross-correlation.

The projector ends in the normalization over the batch that equation 2 asks for, with BatchNorm's epsilon.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'hidden': 8, 'out': 3}
CASES = {
  'the published weight': Case(loss=7.83982, settings=SMALL),
  'weight 0.3, two layers': Case(loss=5.40241, settings=SMALL | {'redundancy': 0.3, 'layers': 2}),
}
BOTH = Flow({'encoder', 'projector'}, {'a', 'b'})
FLOWS = {'loss/invariance': BOTH, 'loss/redundancy': BOTH}
OBSERVED = {'a', 'b'}
MEMORY: set[str] = set()
SETTINGS = {'hidden': 16, 'out': 4, 'redundancy': 0.1}
NUMBERS = {'redundancy': 0.5}


def objective(params, held, stats, memory, views, *, step, steps, hidden, out, layers=3, redundancy=0.0051):
  del held, step, steps, hidden, layers
  a, pull_a, stats = _layers.project(params, stats, views['a']['image'])
  b, pull_b, stats = _layers.project(params, stats, views['b']['image'])
  n = len(a)
  values = {'loss/invariance': 0.0, 'loss/redundancy': 0.0}
  d = {term: np.zeros((out, out)) for term in values}
  for i in range(out):
    for j in range(out):
      c = sum(a[row, i] * b[row, j] for row in range(n)) / n
      if i == j:
        values['loss/invariance'] += (1 - c) ** 2
        d['loss/invariance'][i, j] = -2 * (1 - c)
      else:
        values['loss/redundancy'] += redundancy * c**2
        d['loss/redundancy'][i, j] = 2 * redundancy * c
  grads = {term: _layers.add(pull_a(b @ d_c.T / n), pull_b(a @ d_c / n)) for term, d_c in d.items()}
  return Golden(values, grads, stats, memory)
