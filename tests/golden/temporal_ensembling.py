"""Laine and Aila (2017), algorithm 2: squared error to an image's past predictions, corrected for the start.

`ensemble` and `seen` are by image; the batch's images are 40 to 45.
"""

import math

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
N, CLASSES = 240, 4
RAMP = {'weight': 5.0, 'ramp': 0.5}  # of 20 steps: the ramp ends at step 10


def remember(*counts, decay=0.6):
  """A memory in which the images of the batch were seen so often, the others three times."""
  seen = np.full(N, 3)
  seen[40:46] = counts
  beliefs = _layers.softmax(np.sin(np.arange(N * CLASSES).reshape(N, CLASSES)))
  return {'ensemble': beliefs * (1 - decay**seen)[:, None], 'seen': seen}


FIRST, SOME, OFTEN = remember(0, 0, 0, 0, 0, 0), remember(0, 1, 2, 0, 5, 1), remember(90, 7, 3, 4, 5, 1)
CASES = {
  'nothing was seen yet': Case(loss=1.84394, settings=RAMP, memory=FIRST),
  'some were seen': Case(loss=1.91344, settings=RAMP, step=7, memory=SOME),
  'all were seen': Case(loss=2.29596, memory=OFTEN),
  'before the ramp': Case(loss=1.84526, settings=RAMP, step=0, memory=OFTEN),
  'at its end': Case(loss=2.04012, settings=RAMP, step=10, memory=OFTEN),
  'after it': Case(loss=2.04012, settings=RAMP, step=15, memory=OFTEN),
  'slow': Case(
    loss=2.03723, settings=RAMP | {'decay': 0.95}, step=15, memory=remember(0, 1, 2, 3, 5, 9, decay=0.95)
  ),
  'only the last prediction counts': Case(
    loss=2.03723, settings=RAMP | {'decay': 0.0}, step=15, memory=remember(0, 1, 2, 3, 5, 9, decay=0.0)
  ),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled'}),
  'loss/consistency': Flow({'encoder', 'head'}, {'unlabeled'}),
}
OBSERVED = {'labeled'}
MEMORY = {'ensemble', 'seen'}
SETTINGS = {'weight': 5.0}
NUMBERS = {'weight': 1.0, 'decay': 0.2, 'ramp': 0.01}
CHANGES = {'batch__unlabeled_ratio': 30}  # every image is seen in every step


def objective(params, held, stats, memory, views, *, step, steps, weight=30.0, decay=0.6, ramp=0.26667):
  on_x, pull_x, after = _layers.classify(params, stats, views['labeled']['image'])
  images, index = views['unlabeled']['image'], views['unlabeled']['index']
  on_u, pull_u, _ = _layers.classify(params, stats, images)
  now = _layers.softmax(_layers.classify(held, stats, images)[0])
  p, target, error = _layers.softmax(on_u), now.copy(), np.zeros_like(on_u)
  ensemble, seen = memory['ensemble'].copy(), memory['seen'].copy()
  for i, n in enumerate(index):
    if seen[n]:
      target[i] = ensemble[n] / (1 - decay ** seen[n])
      error[i] = p[i] - target[i]
    ensemble[n] = decay * ensemble[n] + (1 - decay) * now[i]
    seen[n] += 1

  alpha = weight * math.exp(-5 * (1 - min(step / (ramp * steps), 1)) ** 2)
  labeled, d_x = _layers.cross_entropy(on_x, views['labeled']['label'])
  d_p = 2 * error / p.size
  d_u = p * (d_p - (d_p * p).sum(-1, keepdims=True))
  return Golden(
    {'loss/supervised': labeled, 'loss/consistency': alpha * (error**2).mean()},
    {'loss/supervised': pull_x(d_x), 'loss/consistency': pull_u(alpha * d_u)},
    after,
    {'ensemble': ensemble, 'seen': seen},
    (target.argmax(-1), target.max(-1), np.ones(len(p))),
  )
