"""Calder et al. (2020): the Poisson equation by a pseudo-inverse, in each connected part by itself."""

import numpy as np

from golden import Refresh, _graph, _layers

VERSION = 1
REFRESHES = {
  'usual': Refresh(value=15.6234),
  'narrow': Refresh(value=1.63266, settings={'width': 0.4, 'neighbors': 5}),
  'parts of one class, and of none': Refresh(value=11.1624, settings={'neighbors': 1}),
  'parts of several classes': Refresh(value=8.42803, settings={'neighbors': 2}),
}
MEMORY = {'bank', 'belief', 'scale'}
SETTINGS: dict[str, float] = {}
NUMBERS = {'width': 0.5}


def parts_of(weights):
  """The points of each connected part, by walks from its first point."""
  left, parts = set(range(len(weights))), []
  while left:
    part, new = set(), {min(left)}
    while new:
      part |= new
      new = {int(j) for i in new for j in np.flatnonzero(weights[i])} - part
    parts.append(sorted(part))
    left -= part
  return parts


def refresh(params, stats, memory, images, labeled, *, step, steps, classes, neighbors=10, width=1.0):
  del params, stats, memory, step, steps
  weights, scale = _graph.gaussian(images, neighbors, width)
  targets = _graph.one_hot(len(images), labeled, classes)
  potential = np.zeros_like(targets)
  mixed = []
  for part in parts_of(weights):
    given = targets[part]
    known = given.sum(1) > 0
    if not known.any():
      continue
    mean = given[known].mean(0)
    if mean.max() == 1:
      potential[part] = mean - 1 / classes
      continue
    mixed += part
    within = weights[np.ix_(part, part)]
    root = np.sqrt(within.sum(1))
    normal = np.eye(len(part)) - within / np.outer(root, root)
    source = np.where(known[:, None], given - mean, 0)
    potential[part] = np.linalg.pinv(normal, hermitian=True) @ (source / root[:, None]) / root[:, None]
  if mixed:
    potential[mixed] *= weights.sum(1)[mixed].mean()
  return {
    'bank': _graph.stored(images),
    'belief': _layers.softmax(potential),
    'scale': np.float64(scale),
  }
