"""Berthelot et al. (2019), equations 2 to 7 and algorithm 1; three interleaved passes.

`draws` are the permutation and the share that each row keeps.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
RAMP = {'weight': 5.0, 'ramp': 0.5}  # of 20 steps: the ramp ends at step 10
CASES = {
  'as published': Case(loss=2.73156),
  'before the ramp': Case(loss=1.76829, settings=RAMP, step=0),
  'on the ramp': Case(loss=1.802, settings=RAMP, step=7),
  'after it': Case(loss=1.81645, settings=RAMP, step=15),
  'sharp': Case(loss=2.16196, settings={'temperature': 0.1, 'weight': 5.0}),
  'hardly sharpened, well mixed': Case(
    loss=1.80507, settings={'temperature': 0.9, 'alpha': 8.0, 'weight': 5.0}
  ),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled', 'a', 'b'}),
  'loss/unsupervised': Flow({'encoder', 'head'}, {'labeled', 'a', 'b'}),
}
OBSERVED = {'labeled', 'a', 'b'}
MEMORY: set[str] = set()
SETTINGS = {'weight': 5.0}
NUMBERS = {'weight': 1.0, 'temperature': 0.9, 'alpha': 2.0, 'ramp': 0.2}


def objective(
  params,
  held,
  stats,
  memory,
  views,
  *,
  step,
  steps,
  draws,
  weight=100.0,
  temperature=0.5,
  alpha=0.5,
  ramp=1 / 64,
):
  del alpha
  x, a, b = (views[name]['image'] for name in ('labeled', 'a', 'b'))
  p = sum(_layers.softmax(_layers.classify(held, stats, view)[0]) for view in (a, b)) / 2
  q = p ** (1 / temperature) / (p ** (1 / temperature)).sum(-1, keepdims=True)
  images = np.concatenate([x, a, b])
  labels = np.concatenate([np.eye(p.shape[-1])[views['labeled']['label']], q, q])
  share, other = draws['share'][:, None], draws['other']
  mixed, wanted = (share * rows + (1 - share) * rows[other] for rows in (images, labels))

  rise = weight * min(step / (ramp * steps), 1)
  n, m = len(x), len(a) + len(b)
  terms = {'loss/supervised': 0.0, 'loss/unsupervised': 0.0}
  grads: dict[str, list] = {term: [] for term in terms}
  moments = None
  for first in range(3):
    rows = np.arange(first, n + m, 3)
    logits, pull, after = _layers.classify(params, stats, mixed[rows])
    moments = moments or after
    at, goal, is_x = _layers.softmax(logits), wanted[rows], (rows < n)[:, None]
    terms['loss/supervised'] -= (is_x * goal * _layers.log_softmax(logits)).sum() / n
    terms['loss/unsupervised'] += rise * (~is_x * (at - goal) ** 2).sum() / (m * at.shape[-1])
    grads['loss/supervised'].append(pull(is_x * (at - goal) / n))
    d = rise * ~is_x * 2 * (at - goal) / (m * at.shape[-1])
    grads['loss/unsupervised'].append(pull(at * (d - (d * at).sum(-1, keepdims=True))))
  pseudo = (p.argmax(-1), p.max(-1), np.ones(len(p)))
  return Golden(terms, {k: _layers.add(*v) for k, v in grads.items()}, moments, memory, pseudo)
