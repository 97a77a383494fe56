"""Sohn et al. (2020), equations 3 and 4; one forward pass sees labeled, weak and strong images together."""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SURE = [[8.0, -8, 8], [-8, 8, 8], [8, 8, -8]]
UNSURE = [[0.0, 0, 0]] * 3  # without biases: probability 1/4 each, exactly
ROWS = {'weak': SURE + UNSURE}
CASES = {
  'some are confident': Case(loss=2.26526, settings={'threshold': 0.4, 'weight': 0.7}),
  'all are used': Case(loss=2.90681, settings={'threshold': 0.0}),
  'none is confident': Case(loss=1.84394, settings={'threshold': 1.0}),
  'at the threshold': Case(loss=3.27573, settings={'threshold': 0.25}, rows=ROWS, bias=0),
  'below the threshold': Case(loss=2.67321, settings={'threshold': 0.25 + 2**-20}, rows=ROWS, bias=0),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled'}),
  'loss/unsupervised': Flow({'encoder', 'head'}, {'strong'}),
}
OBSERVED = {'labeled', 'weak', 'strong'}
MEMORY: set[str] = set()
SETTINGS = {'threshold': 0.1}
NUMBERS = {'threshold': 0.9, 'weight': 0.5}


def objective(params, held, stats, memory, views, *, step, steps, threshold=0.95, weight=1.0):
  del step, steps
  x, w, s = (views[name]['image'] for name in ('labeled', 'weak', 'strong'))
  images, cuts = np.concatenate([x, w, s]), [len(x), len(x) + len(w)]
  logits, pull, after = _layers.classify(params, stats, images)
  on_x, _, on_s = np.split(logits, cuts)
  _, on_w, _ = np.split(_layers.classify(held, stats, images)[0], cuts)
  q = _layers.softmax(on_w)
  target, mask = q.argmax(-1), q.max(-1) >= threshold
  labeled, d_x = _layers.cross_entropy(on_x, views['labeled']['label'])
  unlabeled, d_s = _layers.cross_entropy(on_s, target, mask)
  terms = {'loss/supervised': labeled, 'loss/unsupervised': weight * unlabeled}
  none = np.zeros_like(logits)
  grads = {
    'loss/supervised': pull(np.concatenate([d_x, none[cuts[0] :]])),
    'loss/unsupervised': pull(np.concatenate([none[: cuts[1]], weight * d_s])),
  }
  return Golden(terms, grads, after, memory, (target, q.max(-1), mask))
