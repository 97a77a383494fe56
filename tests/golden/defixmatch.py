"""Schmutz et al. (2023): FixMatch's term on unlabeled images, less the same term on the labeled ones."""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SURE = [[8.0, -8, 8], [-8, 8, 8], [8, 8, -8]]
UNSURE = [[0.0, 0, 0]] * 3  # without biases: probability 1/4 each, exactly
WRONG = {'labeled': [[8.0, -8, 8], [8, -8, 8], [0, 0, 0], [0, 0, 0], [-8, 8, 8]]}  # sure of other labels
ROWS = {'weak': SURE + UNSURE, **WRONG}
CASES = {
  'some are confident': Case(loss=1.10699, settings={'threshold': 0.4, 'weight': 0.7}),
  'all are used': Case(loss=0.798421, settings={'threshold': 0.0}),
  'none is confident': Case(loss=1.56418, settings={'threshold': 1.0}),
  'sure of labels that are wrong': Case(loss=1.38782, settings={'threshold': 0.9}, rows=WRONG),
  'at the threshold': Case(loss=1.89123, settings={'threshold': 0.25}, rows=ROWS, bias=0),
  'below the threshold': Case(loss=2.14785, settings={'threshold': 0.25 + 2**-20}, rows=ROWS, bias=0),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled', 'labeled_strong'}),
  'loss/unsupervised': Flow({'encoder', 'head'}, {'strong'}),
  'loss/debiasing': Flow({'encoder', 'head'}, {'labeled_strong'}),
}
OBSERVED = {'labeled', 'labeled_strong', 'weak', 'strong'}
MEMORY: set[str] = set()
SETTINGS = {'threshold': 0.1}
NUMBERS = {'threshold': 0.9, 'weight': 0.5}


def objective(params, held, stats, memory, views, *, step, steps, threshold=0.95, weight=1.0):
  del step, steps
  names = ('labeled', 'labeled_strong', 'weak', 'strong')
  images = np.concatenate([views[name]['image'] for name in names])
  ends = np.cumsum([len(views[name]['image']) for name in names])
  at = dict(zip(names, np.split(np.arange(ends[-1]), ends[:-1])))
  logits, pull, after = _layers.classify(params, stats, images)
  beliefs = _layers.softmax(_layers.classify(held, stats, images)[0])

  def term(view, targets, mask=1.0):
    """The mean cross-entropy of a view, and its gradient in all logits."""
    value, d = _layers.cross_entropy(logits[at[view]], targets, mask)
    full = np.zeros_like(logits)
    full[at[view]] = d
    return value, full

  def pseudo(weak, strong):
    q = beliefs[at[weak]]
    mask = q.max(-1) >= threshold
    return term(strong, q.argmax(-1), mask), (q.argmax(-1), q.max(-1), mask)

  label = views['labeled']['label']
  (value_w, d_w), (value_s, d_s) = term('labeled', label), term('labeled_strong', label)
  (value_u, d_u), used = pseudo('weak', 'strong')
  (value_x, d_x), _ = pseudo('labeled', 'labeled_strong')
  terms = {
    'loss/supervised': (value_w + value_s) / 2,
    'loss/unsupervised': weight * value_u,
    'loss/debiasing': -weight * value_x,
  }
  grads = {
    'loss/supervised': pull((d_w + d_s) / 2),
    'loss/unsupervised': pull(weight * d_u),
    'loss/debiasing': pull(-weight * d_x),
  }
  return Golden(terms, grads, after, memory, used)
