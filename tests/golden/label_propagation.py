"""Zhu and Ghahramani (2002): propagate, normalize rows, clamp, until nothing changes."""

import numpy as np

from golden import Refresh, _graph

VERSION = 1
REFRESHES = {
  'usual': Refresh(value=14.6144),
  'narrow': Refresh(value=1.28848, settings={'width': 0.4, 'neighbors': 10}),
  'parts without a label': Refresh(value=9.47927, settings={'neighbors': 1}),
}
MEMORY = {'bank', 'belief', 'scale'}
SETTINGS: dict[str, float] = {}
NUMBERS = {'width': 0.5}


def refresh(params, stats, memory, images, labeled, *, step, steps, classes, neighbors=7, width=1.0):
  del params, stats, memory, step, steps
  weights, scale = _graph.gaussian(images, neighbors, width)
  clamped, targets = labeled['index'], _graph.one_hot(len(images), labeled, classes)
  walk, beliefs, before = weights / weights.sum(1, keepdims=True), targets, None
  while before is None or np.abs(beliefs - before).max() > 1e-13:
    before, beliefs = beliefs, walk @ beliefs
    beliefs = np.where(beliefs.sum(1, keepdims=True) > 0, _graph.shares(beliefs), 0)
    beliefs[clamped] = targets[clamped]
  return {'bank': _graph.stored(images), 'belief': _graph.shares(beliefs), 'scale': np.float64(scale)}
