"""Zhu et al. (2022): agreement with the moving average's projection, and covariance contrast, image by image.

C is of the projections as they are held, those of the batch among them.  The target's decay is
1 − (1 − m)(cos(πk/K) + 1)/2 after step k = 1, 2, … of K.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'hidden': 16, 'out': 3}
CASES = {
  'weight 8': Case(loss=1.81403, settings=SMALL),
  'a fast covariance and target': Case(
    loss=1.8837, settings=SMALL | {'decay': 0.25, 'ema_decay': 0.5, 'weight': 2.0}
  ),
}
BRANCH = {'encoder', 'projector'}
FLOWS = {'loss/invariance': Flow(BRANCH, {'a'}), 'loss/covariance': Flow(BRANCH, {'a'})}
OBSERVED = {'a'}
MEMORY = {'target', 'covariance'}
SETTINGS = {'hidden': 16, 'out': 8}
NUMBERS = {'weight': 2.0, 'decay': 0.5, 'ema_decay': 0.5}


def objective(params, held, stats, memory, views, *, step, steps, weight=8.0, decay=0.9, **settings):
  del step, steps, settings
  target, moments = memory['target']
  kept, _, moments = _layers.project(target, moments, views['b']['image'])
  k, _ = _layers.unit(kept)
  constant, _ = _layers.unit(_layers.project(held, stats, views['a']['image'])[0])
  projections, pull, after = _layers.project(params, stats, views['a']['image'])
  z, pull_unit = _layers.unit(projections)
  n = len(z)
  covariance = decay * memory['covariance']
  for row in constant:
    covariance = covariance + (1 - decay) * np.outer(row, row) / n
  terms = {'loss/invariance': 1.0, 'loss/covariance': 0.0}
  contrast = np.zeros_like(z)
  for i in range(n):
    terms['loss/invariance'] -= z[i] @ k[i] / n
    terms['loss/covariance'] += weight * z[i] @ covariance @ z[i] / n
    contrast[i] = weight * (covariance + covariance.T) @ z[i] / n
  grads = {'loss/invariance': pull(pull_unit(-k / n)), 'loss/covariance': pull(pull_unit(contrast))}
  return Golden(terms, grads, after, {'target': (target, moments), 'covariance': covariance})


def update(params, stats, memory, *, step, steps, ema_decay=0.99, **settings):
  del stats, settings
  decay = 1 - (1 - ema_decay) * (np.cos(np.pi * min(step / steps, 1)) + 1) / 2
  target, moments = memory['target']
  target = _layers.add(_layers.scale(decay, target), _layers.scale(1 - decay, params))
  return params, {**memory, 'target': (target, moments)}
