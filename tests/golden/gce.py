"""Zhang and Sabuncu (2018), equation 6, label by label, and its gradient through the softmax."""

import numpy as np

from golden import Case, Flow, _labeled, _layers

VERSION = 1
CASES = {
  'power 0.7': Case(loss=1.02105),
  'near cross-entropy': Case(loss=1.82629, settings={'power': 0.01}),
  'absolute error': Case(loss=0.829812, settings={'power': 1.0}),
}
FLOWS = {'loss/supervised': Flow({'encoder', 'head'}, {'labeled'})}
OBSERVED = {'labeled'}
MEMORY: set[str] = set()
SETTINGS: dict[str, float] = {}
NUMBERS = {'power': 0.3}


def objective(params, held, stats, memory, views, *, step, steps, power=0.7):
  del held, step, steps

  def value_of(logits, labels):
    p, value, d = _layers.softmax(logits), 0.0, np.zeros_like(logits)
    for i, y in enumerate(labels):
      value += (1 - p[i, y] ** power) / power
      d[i] = -(p[i, y] ** (power - 1)) * p[i, y] * (np.eye(len(p[i]))[y] - p[i])
    return value / len(labels), d / len(labels)

  return _labeled.objective(params, stats, memory, views, value_of)
