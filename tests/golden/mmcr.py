"""Yerxa et al. (2023): nuclear norms by the eigenvalues of the smaller Gram matrix, and their gradients."""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'hidden': 8, 'out': 2}  # two dimensions: all singular values are above zero here
CASES = {
  'centroids only': Case(loss=-2.71962, settings=SMALL),
  'two views, with manifolds': Case(loss=-1.82043, settings=SMALL | {'weight': 0.5}, rate=0.1),
  'three views': Case(loss=2.381, settings=SMALL | {'views': 3, 'weight': 2.0, 'hidden': 12}, rate=0.1),
}
BOTH = Flow({'encoder', 'projector'}, {'a', 'b', 'c'})
FLOWS = {'loss/centroids': BOTH, 'loss/manifolds': BOTH}
OBSERVED = {'a', 'b'}
MEMORY: set[str] = set()
SETTINGS = {'hidden': 64, 'out': 4, 'weight': 0.5}
NUMBERS: dict[str, float] = {}


def objective(params, held, stats, memory, seen, *, step, steps, out, views=2, weight=0.0, **settings):
  del held, step, steps, settings
  images = np.concatenate([seen[name]['image'] for name in 'abc'[:views]])
  projections, pull, after = _layers.project(params, stats, images)
  unit, pull_unit = _layers.unit(projections)
  z = unit.reshape(views, -1, out)
  n = z.shape[1]
  size, d = nuclear(z.mean(0))
  terms, manifolds = {'loss/centroids': -size}, 0.0
  d_centroids, d_manifolds = np.stack([-d / views] * views), np.zeros_like(z)
  for i in range(n):
    size, d_manifolds[:, i] = nuclear(z[:, i])
    manifolds += weight * size / n
  grads = {'loss/centroids': pull(pull_unit(d_centroids.reshape(-1, out)))}
  if weight:
    terms['loss/manifolds'] = manifolds
    grads['loss/manifolds'] = pull(pull_unit(weight * d_manifolds.reshape(-1, out) / n))
  return Golden(terms, grads, after, memory)


def nuclear(matrix):
  """The sum of the roots of the eigenvalues of M Mᵀ or Mᵀ M, and its gradient, M (Mᵀ M)^(−1/2)."""
  wide = matrix.shape[0] < matrix.shape[1]
  tall = matrix.T if wide else matrix
  values, vectors = np.linalg.eigh(tall.T @ tall)
  d = tall @ (vectors / np.sqrt(values)) @ vectors.T
  return np.sqrt(values).sum(), d.T if wide else d
