"""Zheng et al. (2022), after the authors' code and USB's: classes and instances that hear of each other.

The memory holds an embedding and a label of each labeled image, a label of no class for those that were not
yet drawn.  A batch enters it after it was used; an image that is twice in a batch enters by its mean.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers
from golden.comatch import EVEN, SKEW, align, see

VERSION = 1
N, CLASSES = 8, 4
BANK = _layers.unit(np.cos(np.arange(N * 3).reshape(N, 3) * 1.7))[0]
ALL = {'embeddings': BANK, 'labels': [2, 1, 0, 3, 3, 1, 2, 3], 'marginals': EVEN}
SOME = ALL | {'labels': [2, 4, 0, 4, 3, 1, 4, 3]}  # 4: not yet drawn
NONE = {'embeddings': np.zeros((N, 3)), 'labels': [4] * N, 'marginals': np.zeros((3, 4))}
SMALL = {'out': 3, 'window': 3, 'temperature': 0.5, 'threshold': 0.4}
CASES = {
  'some were drawn': Case(loss=4.11273, settings=SMALL, memory=SOME),
  'none was drawn': Case(loss=2.27201, settings=SMALL, memory=NONE, step=0),
  'all were drawn, one class is believed in': Case(
    loss=4.29231, settings=SMALL, memory=ALL | {'marginals': SKEW}
  ),
  'the memory is not used yet': Case(loss=2.68895, settings=SMALL | {'start': 0.5}, memory=ALL),
  'the memory alone decides': Case(
    loss=5.3151, settings=SMALL | {'smoothing': 0.0, 'instance': 2.0, 'start': 0.15}, memory=SOME
  ),
  'none is confident, fast memory': Case(
    loss=3.38307, settings=SMALL | {'threshold': 1.0, 'decay': 0.1, 'temperature': 1.0}, memory=SOME
  ),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled'}),
  'loss/unsupervised': Flow({'encoder', 'head'}, {'strong'}),
  'loss/instance': Flow({'encoder', 'projector'}, {'strong'}),
}
OBSERVED = {'labeled', 'weak', 'strong'}
MEMORY = {'embeddings', 'labels', 'marginals'}
SETTINGS = {'threshold': 0.1, 'out': 8, 'window': 4, 'temperature': 0.5}
NUMBERS = {
  'threshold': 0.99,
  'weight': 0.5,
  'instance': 0.5,
  'temperature': 0.9,
  'smoothing': 0.5,
  'decay': 0.1,
  'start': 0.03,
}


def objective(
  params,
  held,
  stats,
  memory,
  views,
  *,
  step,
  steps,
  window,
  out,
  threshold=0.95,
  weight=1.0,
  instance=1.0,
  temperature=0.1,
  smoothing=0.9,
  decay=0.7,
  start=1 / 1024,
):
  del out, window
  x, w, s = (views[name]['image'] for name in ('labeled', 'weak', 'strong'))
  n, m, images = len(x), len(w), np.concatenate([x, w, s])
  logits, z, pull, after = see(params, stats, images)
  held_logits, held_z, *_ = see(held, stats, images)
  own = _layers.softmax(held_logits[n : n + m])
  bank, labels = memory['embeddings'], memory['labels'].astype(int)
  known = np.flatnonzero(labels < own.shape[1])

  p, marginals = align(own, memory['marginals'])
  used = step >= start * steps and len(known) > 0
  q, targets = p.copy(), np.zeros((m, len(known)))
  if used:
    for b in range(m):
      near = _layers.softmax(bank[known] @ held_z[n + b] / temperature)
      around = np.zeros_like(p[b])
      for a, k in zip(near, known):
        around[labels[k]] += a
      q[b] = smoothing * p[b] + (1 - smoothing) * around
      targets[b] = near * p[b, labels[known]]
      targets[b] /= targets[b].sum()
  target, mask = q.argmax(-1), q.max(-1) >= threshold

  label, strong = views['labeled']['label'], logits[n + m :]
  labeled, d_x = _layers.cross_entropy(logits[:n], label)
  unlabeled = -(mask[:, None] * q * _layers.log_softmax(strong)).sum() / m
  d_labeled, d_unlabeled, d_z = np.zeros_like(logits), np.zeros_like(logits), np.zeros_like(z)
  d_labeled[:n] = d_x
  d_unlabeled[n + m :] = weight * mask[:, None] * (_layers.softmax(strong) - q) / m
  matched = 0.0
  if used:
    scores = z[n + m :] @ bank[known].T / temperature
    matched = -instance * (targets * _layers.log_softmax(scores)).sum() / m
    d_z[n + m :] = instance * (_layers.softmax(scores) - targets) @ bank[known] / m / temperature

  terms = {
    'loss/supervised': labeled,
    'loss/unsupervised': weight * unlabeled,
    'loss/instance': matched,
  }
  grads = {
    'loss/supervised': pull(d_labeled, None),
    'loss/unsupervised': pull(d_unlabeled, None),
    'loss/instance': pull(None, d_z),
  }
  bank, new = bank.copy(), labels.copy()
  index = views['labeled']['labeled_index']
  for k in set(index):
    mean = held_z[:n][index == k].mean(0)
    row = decay * bank[k] + (1 - decay) * mean if k in known else mean
    bank[k], new[k] = row / np.linalg.norm(row), label[index == k][0]
  memory = {'embeddings': bank, 'labels': new, 'marginals': marginals}
  return Golden(terms, grads, after, memory, (target, q.max(-1), mask))
