"""Menon et al. (2021), equation 10: one plus a sum over the other classes, label by label."""

import numpy as np

from golden import Case, Flow, _labeled

VERSION = 1
FEW = [-1, 1, 2, -1, 2, 2, -1, 0]  # labels of images that were seen
CASES = {
  'nothing was seen': Case(loss=1.84394),
  'some were seen': Case(loss=1.93515, memory={'label': FEW}),
  'half the adjustment': Case(loss=1.87482, settings={'temperature': 0.5}, memory={'label': FEW}),
}
FLOWS = {'loss/supervised': Flow({'encoder', 'head'}, {'labeled'})}
OBSERVED = {'labeled'}
MEMORY = {'label'}
SETTINGS: dict[str, float] = {}
NUMBERS = {'temperature': 3.0}


def objective(params, held, stats, memory, views, *, step, steps, temperature=1.0):
  del held, step, steps

  def value_of(logits, labels, counts):
    share = counts / counts.sum()
    value, d = 0.0, np.zeros_like(logits)
    for i, y in enumerate(labels):
      others = [
        (share[c] / share[y]) ** temperature * np.exp(logits[i, c] - logits[i, y]) for c in range(len(share))
      ]  # equation 10; that of y itself is 1
      value += np.log(sum(others))
      d[i] = np.array(others) / sum(others) - np.eye(len(share))[y]
    return value / len(labels), d / len(labels)

  return _labeled.objective(params, stats, memory, views, value_of)
