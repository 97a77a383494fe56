"""Zhou et al. (2004): the closed form of F ← α S F + (1 − α) Y."""

import numpy as np

from golden import Refresh, _graph

VERSION = 1
REFRESHES = {
  'usual': Refresh(value=14.6064),
  'mostly itself': Refresh(value=-2.10022, settings={'alpha': 0.2, 'width': 0.4, 'neighbors': 10}),
  'itself only': Refresh(value=16.0249, settings={'alpha': 0.0}),
  'parts without a label': Refresh(value=9.47927, settings={'neighbors': 1}),
}
MEMORY = {'bank', 'belief', 'scale'}
SETTINGS: dict[str, float] = {}
NUMBERS = {'alpha': 0.5, 'width': 0.5}


def refresh(
  params, stats, memory, images, labeled, *, step, steps, classes, alpha=0.99, neighbors=7, width=1.0
):
  del params, stats, memory, step, steps
  weights, scale = _graph.gaussian(images, neighbors, width)
  inverse = np.linalg.inv(np.eye(len(images)) - alpha * _graph.normalized(weights))
  beliefs = (1 - alpha) * inverse @ _graph.one_hot(len(images), labeled, classes)
  beliefs[np.abs(beliefs) < 1e-15] = 0  # of a part without a label
  return {'bank': _graph.stored(images), 'belief': _graph.shares(beliefs), 'scale': np.float64(scale)}
