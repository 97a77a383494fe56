"""Balestriero and LeCun (2025), and their MINIMAL.md: SIGReg, slice by slice and point by point; prediction.

`draws` has the directions.  All views enter both terms; the center is of the global ones.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'hidden': 8, 'out': 3, 'slices': 4, 'knots': 5, 'crops': 2}
CASES = {
  'two global and two local views': Case(loss=1.07057, settings=SMALL),
  'one global view, a wide integral': Case(
    loss=1.88986, settings=SMALL | {'views': 1, 'extent': 5.0, 'knots': 9, 'weight': 0.5}
  ),
  'global views only': Case(loss=0.832127, settings=SMALL | {'views': 4, 'crops': 0, 'weight': 0.02}),
}
BOTH = Flow({'encoder', 'projector'}, {'a', 'b', 'c', 'd', 'local'})
FLOWS = {'loss/gaussian': BOTH, 'loss/prediction': BOTH}
OBSERVED = {'a', 'b', 'local'}
MEMORY: set[str] = set()
SETTINGS = {'hidden': 16, 'out': 8, 'slices': 12, 'knots': 5, 'crops': 2}
NUMBERS = {'weight': 0.5, 'extent': 5.0}
CHANGES = {'augment__local': 'none'}


def objective(
  params,
  held,
  stats,
  memory,
  seen,
  *,
  step,
  steps,
  draws,
  out,
  knots,
  crops,
  views=2,
  weight=0.05,
  extent=3.0,
  **settings,
):
  del held, step, steps, settings
  batches = [np.concatenate([seen[name]['image'] for name in 'abcd'[:views]])]
  if crops:
    local = seen['local']['image']
    batches.append(np.concatenate([local[:, i] for i in range(crops)]))
  projections, pull, after = _layers.project_batches(params, stats, batches)
  z = projections.reshape(views + crops, -1, out)
  count, n, _ = z.shape

  points = [extent * k / (knots - 1) for k in range(knots)]
  gaussian, d_gaussian = 0.0, np.zeros_like(z)
  share = weight / count / len(draws['directions'])
  for v in range(count):
    for direction in draws['directions']:
      scalars = z[v] @ direction
      for k, t in enumerate(points):
        width = extent / (knots - 1) * (1 if k in (0, knots - 1) else 2)
        normal = np.exp(-(t**2) / 2)
        real, imaginary = np.cos(t * scalars).mean() - normal, np.sin(t * scalars).mean()
        gaussian += share * n * width * normal * (real**2 + imaginary**2)
        slope = 2 * t * (imaginary * np.cos(t * scalars) - real * np.sin(t * scalars)) / n
        d_gaussian[v] += share * n * width * normal * np.outer(slope, direction)

  error = z - z[:views].mean(0)
  prediction = (1 - weight) * (error**2).mean()
  d_prediction = 2 * (1 - weight) * error / error.size
  d_prediction[:views] -= d_prediction.sum(0) / views
  grads = {
    'loss/gaussian': pull(d_gaussian.reshape(-1, out)),
    'loss/prediction': pull(d_prediction.reshape(-1, out)),
  }
  return Golden({'loss/gaussian': gaussian, 'loss/prediction': prediction}, grads, after, memory)
