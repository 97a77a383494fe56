"""Huang et al. (2021), section 2, with "Autoscale": both diffusions in closed form."""

import numpy as np

from golden import Refresh, _graph, _layers, _nodes

VERSION = 1
KIND = 'graph'
REFRESHES = {
  'usual': Refresh(value=2.23028),
  'little': Refresh(value=-2.81131, settings={'correct': 0.3, 'smooth': 0.2}),
  'labels alone': Refresh(value=0.513113, settings={'correct': 0.0, 'smooth': 0.0}),
}
MEMORY = {'belief', 'order'}
SETTINGS: dict[str, float] = {}
NUMBERS = {'correct': 0.5, 'smooth': 0.5}
CHANGES = {'dataset': 'fake_graph', 'batch': {'whole': True}, 'teacher': {'method': 'supervised'}}


def refresh(
  params, stats, memory, nodes, labeled, *, step, steps, classes, teacher, correct=0.98, smooth=0.76
):
  del params, stats, memory, step, steps
  adjacency = _nodes.reach_of(nodes) - np.eye(nodes.graph.count)
  degree = np.where(adjacency.sum(1) > 0, adjacency.sum(1), 1)
  spreading = adjacency / np.sqrt(np.outer(degree, degree))

  def diffuse(values, alpha):
    return (1 - alpha) * np.linalg.solve(np.eye(len(values)) - alpha * spreading, values)

  at = nodes.index[labeled['index']]
  truth = np.eye(classes)[labeled['label']]
  base = _layers.softmax(teacher.predict(_nodes.features_of(nodes)))
  errors = np.zeros_like(base)
  errors[at] = truth - base[at]
  usual = np.abs(errors[at]).sum(1).mean()
  correction = diffuse(errors, correct)
  correction[np.abs(correction) < 1e-15] = 0  # where no path leads to a label
  corrected = base.copy()
  for i, row in enumerate(correction):
    size = np.abs(row).sum()
    factor = usual / size if size > 0 else 1
    corrected[i] += (factor if factor <= 1000 else 1) * row
  corrected[at] = truth
  return {'belief': _graph.shares(np.maximum(diffuse(corrected, smooth), 0)), 'order': nodes.index}
