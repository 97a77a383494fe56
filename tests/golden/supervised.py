"""The mean cross-entropy of labeled images."""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
CASES = {
  'weak': Case(loss=1.84394),
  'weak and strong': Case(loss=1.56443, settings={'strong': True}),
}
FLOWS = {'loss/supervised': Flow({'encoder', 'head'}, {'labeled', 'strong'})}
OBSERVED = {'labeled', 'strong'}
MEMORY: set[str] = set()
SETTINGS = {'strong': True}
NUMBERS: dict[str, float] = {}


def objective(params, held, stats, memory, views, *, step, steps, strong=False):
  del held, step, steps, strong
  images = np.concatenate([view['image'] for view in views.values()])
  labels = np.concatenate([view['label'] for view in views.values()])
  logits, pull, stats = _layers.classify(params, stats, images)
  value, d = _layers.cross_entropy(logits, labels)
  return Golden({'loss/supervised': value}, {'loss/supervised': pull(d)}, stats, memory)
