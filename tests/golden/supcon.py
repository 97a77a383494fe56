"""Khosla et al. (2020), anchor by anchor: L_out, the mean over positives outside the logarithm, and τ/0.07.

The classifier learns from the features as they are held, and nothing else learns from it.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
CASES = {
  'temperature 0.1': Case(loss=9.0445, settings={'hidden': 8, 'out': 3}),
  'temperature 0.5': Case(loss=19.697, settings={'hidden': 8, 'out': 3, 'temperature': 0.5}),
}
FLOWS = {
  'loss/contrastive': Flow({'encoder', 'projector'}, {'a', 'b'}),
  'loss/classifier': Flow({'head'}, set()),
}
OBSERVED = {'a', 'b'}
MEMORY: set[str] = set()
SETTINGS = {'hidden': 64, 'out': 16, 'temperature': 1.0}
NUMBERS = {'temperature': 0.2}


def objective(params, held, stats, memory, views, *, step, steps, temperature=0.1, **settings):
  del step, steps, settings
  images = np.concatenate([views['a']['image'], views['b']['image']])
  label = np.concatenate([views['a']['label'], views['b']['label']])
  projections, pull, after = _layers.project(params, stats, images)
  z, pull_unit = _layers.unit(projections)
  anchors, value, d = len(z), 0.0, np.zeros_like(z)
  for i in range(anchors):
    others = [k for k in range(anchors) if k != i]
    positives = [k for k in others if label[k] == label[i]]
    scores = np.array([z[i] @ z[k] for k in others]) / temperature
    wanted = np.array([(k in positives) / len(positives) for k in others])
    value -= (temperature / 0.07) * (wanted * _layers.log_softmax(scores)).sum() / anchors
    for k, slope in zip(others, _layers.softmax(scores) - wanted):
      d[i] += slope * z[k] / 0.07 / anchors
      d[k] += slope * z[i] / 0.07 / anchors
  features = _layers.embed(held['encoder'], stats['encoder'], images)[0]
  logits, into_head = _layers.dense(features, params['head']['Dense_0'])
  classified, slope = _layers.cross_entropy(logits, label)
  return Golden(
    {'loss/contrastive': value, 'loss/classifier': classified},
    {
      'loss/contrastive': pull(pull_unit(d)),
      'loss/classifier': {'head': {'Dense_0': into_head(slope)[1]}},
    },
    {**stats, **after},
    memory,
  )
