"""Ermolov et al. (2021): agreement of whitened projections, sub-batch by sub-batch and pair by pair.

`draws` are the orders of the batch.  The gradient passes through whitening on both sides of each pair: with
A = L⁻¹ and Σ = L Lᵀ, dL = L Φ(L⁻¹ dΣ L⁻ᵀ), where Φ keeps the lower triangle and half of the diagonal.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'hidden': 16, 'out': 2}
CASES = {
  'one sub-batch': Case(loss=3.49658, settings=SMALL),
  'two sub-batches, drawn twice, shrunk': Case(
    loss=2.77898, settings=SMALL | {'size': 3, 'iterations': 2, 'epsilon': 0.2}
  ),
  'three views, three dimensions, shrunk': Case(
    loss=1.11746, settings=SMALL | {'views': 3, 'out': 3, 'epsilon': 0.1}
  ),
}
FLOWS = {'loss/invariance': Flow({'encoder', 'projector'}, {'a', 'b', 'c'})}
OBSERVED = {'a', 'b'}
MEMORY: set[str] = set()
SETTINGS = {'hidden': 64, 'out': 4, 'epsilon': 0.3}
NUMBERS = {'epsilon': 0.05}
CHANGES = {'augment__strong': 'crop(1)'}  # equal views would leave nothing to the loss


def objective(
  params, held, stats, memory, seen, *, step, steps, draws, out, size=0, epsilon=0.0, views=2, **settings
):
  del held, step, steps, settings
  batches = [seen[name]['image'] for name in 'abc'[:views]]
  z, pull, after = _layers.project_batches(params, stats, batches)
  z = z.reshape(views, -1, out)
  n, value, d = z.shape[1], 0.0, np.zeros_like(z)
  pairs = [(i, j) for i in range(views) for j in range(i + 1, views)]
  count = n * len(pairs) * len(draws['orders'])
  for order in np.asarray(draws['orders'], int):
    for rows in order.reshape(-1, size or n):
      units, pulls = zip(*(whiten(z[i, rows], epsilon) for i in range(views)))
      slopes = [np.zeros_like(u) for u in units]
      for i, j in pairs:
        value += ((units[i] - units[j]) ** 2).sum() / count
        slopes[i] += 2 * (units[i] - units[j]) / count
        slopes[j] += 2 * (units[j] - units[i]) / count
      for i in range(views):
        d[i, rows] += pulls[i](slopes[i])
  return Golden({'loss/invariance': value}, {'loss/invariance': pull(d.reshape(-1, out))}, after, memory)


def whiten(z, epsilon):
  """Rows of unit length in the directions of the whitened ones, and the pullback to z."""
  n, dims = z.shape
  centered = z - z.mean(0)
  shrunk = (1 - epsilon) * centered.T @ centered / (n - 1) + epsilon * np.eye(dims)
  factor = np.linalg.cholesky(shrunk)
  inverse = np.linalg.inv(factor)
  white = centered @ inverse.T
  units, pull_unit = _layers.unit(white)

  def pull(dy):
    d_white = pull_unit(dy)
    d_factor = np.tril(-inverse.T @ (d_white.T @ white))
    inner = np.tril(factor.T @ d_factor)
    inner -= np.diag(np.diag(inner)) / 2
    d_shrunk = inverse.T @ inner @ inverse
    d_shrunk = (d_shrunk + d_shrunk.T) / 2
    d = d_white @ inverse + 2 * (1 - epsilon) / (n - 1) * centered @ d_shrunk
    return d - d.mean(0)

  return units, pull
