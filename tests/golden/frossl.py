"""Skean et al. (2024), and the authors' multi-view code: view by view and entry by entry."""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'hidden': 8, 'out': 3, 'layers': 2}
CASES = {
  'two views': Case(loss=-0.251012, settings=SMALL),
  'four views, three layers': Case(
    loss=0.175972, settings=SMALL | {'views': 4, 'layers': 3, 'hidden': 12, 'weight': 0.3}
  ),
}
BOTH = Flow({'encoder', 'projector'}, {'a', 'b', 'c', 'd'})
FLOWS = {'loss/spread': BOTH, 'loss/invariance': BOTH}
OBSERVED = {'a', 'b'}
MEMORY: set[str] = set()
SETTINGS = {'hidden': 16, 'out': 8}
NUMBERS = {'weight': 2.0}
CHANGES = {'augment__strong': 'crop(1)'}  # equal views would leave nothing to the invariance


def objective(params, held, stats, memory, seen, *, step, steps, out, views=2, weight=1.0, **settings):
  del held, step, steps, settings
  scaled, pulls = [], []
  for name in 'abcd'[:views]:
    z, into_network, stats = _layers.project(params, stats, seen[name]['image'])
    centered = z - z.mean(0)
    columns, pull_unit = _layers.unit(centered.T)
    scaled.append(np.sqrt(out) * columns.T)

    def pull(d, into_network=into_network, pull_unit=pull_unit):
      d = pull_unit(np.sqrt(out) * d.T).T
      return into_network(d - d.mean(0))

    pulls.append(pull)

  center = sum(scaled) / views
  terms = {'loss/spread': 0.0, 'loss/invariance': 0.0}
  grads = {'loss/spread': [], 'loss/invariance': []}
  for z, pull in zip(scaled, pulls):
    covariance = z.T @ z / np.trace(z.T @ z)
    norm = sum(covariance[i, j] ** 2 for i in range(out) for j in range(out))
    terms['loss/spread'] += np.log(norm)
    d = 2 * covariance / norm / np.trace(z.T @ z)
    d -= np.eye(out) * (d * covariance).sum()
    grads['loss/spread'].append(pull(2 * z @ d))
    terms['loss/invariance'] += weight * ((z - center) ** 2).mean()
    grads['loss/invariance'].append(pull(2 * weight * (z - center) / z.size))
  return Golden(terms, {term: _layers.add(*each) for term, each in grads.items()}, stats, memory)
