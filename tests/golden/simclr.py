"""Chen et al. (2020), equation 1, as written there: one anchor after the other; 2N of them."""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'hidden': 8, 'out': 3}
CASES = {
  'temperature 0.5': Case(loss=3.45653, settings=SMALL),
  'temperature 0.05': Case(loss=23.6079, settings=SMALL | {'temperature': 0.05}),
}
FLOWS = {'loss/contrastive': Flow({'encoder', 'projector'}, {'a', 'b'})}
OBSERVED = {'a', 'b'}
MEMORY: set[str] = set()
SETTINGS = {'hidden': 16, 'out': 8}
NUMBERS = {'temperature': 0.2}


def objective(params, held, stats, memory, views, *, step, steps, hidden, out, temperature=0.5):
  del held, step, steps, hidden, out
  images = np.concatenate([views['a']['image'], views['b']['image']])
  projections, pull, stats = _layers.project(params, stats, images)
  z, pull_unit = _layers.unit(projections)
  anchors = len(z)
  similarity = z @ z.T
  value, d = 0.0, np.zeros_like(similarity)
  for i in range(anchors):
    positive = (i + anchors // 2) % anchors
    others = [k for k in range(anchors) if k != i]
    top = similarity[i, others].max() / temperature
    weights = np.exp(similarity[i] / temperature - top)
    weights[i] = 0
    value += top + np.log(weights.sum()) - similarity[i, positive] / temperature
    d[i] = weights / weights.sum() / temperature
    d[i, positive] -= 1 / temperature
  value, d = value / anchors, d / anchors
  grads = pull(pull_unit((d + d.T) @ z))
  return Golden({'loss/contrastive': value}, {'loss/contrastive': grads}, stats, memory)
