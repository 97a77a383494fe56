"""Bardes et al. (2021), equations 1 to 6, dimension by dimension, with the factors of the authors' code.

These are: the mean over dimensions in the invariance, half the sum of both views in the variance, the sum of
both in the covariance; n − 1 in variance and covariance; 1e-4 added to the variance.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'hidden': 4, 'out': 5}
FLAT = {'invariance': 0.5, 'variance': 0.7, 'covariance': 0.2}
CASES = {
  'the published weights': Case(loss=72.6549, settings=SMALL, rate=1e-3),
  'other weights, two layers': Case(loss=0.561135, settings=SMALL | FLAT | {'layers': 2}),
}
BOTH = Flow({'encoder', 'projector'}, {'a', 'b'})
FLOWS = {'loss/invariance': BOTH, 'loss/variance': BOTH, 'loss/covariance': BOTH}
OBSERVED = {'a', 'b'}
MEMORY: set[str] = set()
SETTINGS = {'hidden': 16, 'out': 8, 'invariance': 1.0, 'variance': 1.0, 'covariance': 0.04}
CHANGES = {'augment__strong': 'crop(1)'}  # equal views would leave nothing to the invariance
NUMBERS = {'invariance': 2.0, 'variance': 2.0, 'covariance': 0.1}


def objective(
  params,
  held,
  stats,
  memory,
  views,
  *,
  step,
  steps,
  hidden,
  out,
  layers=3,
  invariance=25.0,
  variance=25.0,
  covariance=1.0,
):
  del held, step, steps, hidden, layers
  a, pull_a, stats = _layers.project(params, stats, views['a']['image'])
  b, pull_b, stats = _layers.project(params, stats, views['b']['image'])
  n = len(a)
  error = a - b
  values = {'loss/invariance': invariance * (error**2).sum() / (n * out)}
  d = 2 * invariance * error / (n * out)
  grads = {'loss/invariance': _layers.add(pull_a(d), pull_b(-d))}
  values['loss/variance'] = values['loss/covariance'] = 0.0
  pulled = {'loss/variance': [], 'loss/covariance': []}
  for z, pull in ((a, pull_a), (b, pull_b)):
    centered = z - z.mean(0)
    d_v, d_c = np.zeros_like(z), np.zeros_like(z)
    for j in range(out):
      deviation = np.sqrt((centered[:, j] ** 2).sum() / (n - 1) + 1e-4)
      if deviation < 1:
        values['loss/variance'] += variance * (1 - deviation) / out / 2
        d_v[:, j] = -variance / out / 2 * centered[:, j] / ((n - 1) * deviation)
      for i in set(range(out)) - {j}:
        cov = (centered[:, i] * centered[:, j]).sum() / (n - 1)
        values['loss/covariance'] += covariance * cov**2 / out
        d_c[:, i] += covariance * 2 * cov / out * centered[:, j] / (n - 1)
        d_c[:, j] += covariance * 2 * cov / out * centered[:, i] / (n - 1)
    pulled['loss/variance'].append(pull(d_v))
    pulled['loss/covariance'].append(pull(d_c))
  grads |= {term: _layers.add(*both) for term, both in pulled.items()}
  return Golden(values, grads, stats, memory)
