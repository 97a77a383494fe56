"""Nguyen and Yang (2023): hard labels above the threshold, divergence from sharpened targets below it."""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SURE = [[8.0, -8, 8], [-8, 8, 8], [8, 8, -8]]
UNSURE = [[0.0, 0, 0]] * 3  # without biases: probability 1/4 each, exactly
ROWS = {'weak': SURE + UNSURE}
CASES = {
  'some are confident': Case(loss=2.33163, settings={'threshold': 0.4, 'weight': 0.7}),
  'all are confident': Case(loss=2.90681, settings={'threshold': 0.0}),
  'none is confident': Case(loss=1.98357, settings={'threshold': 1.0}),
  'not sharpened': Case(loss=2.46939, settings={'threshold': 0.4, 'temperature': 1.0}),
  'at the threshold': Case(loss=3.27573, settings={'threshold': 0.25}, rows=ROWS, bias=0),
  'below the threshold': Case(loss=2.8502, settings={'threshold': 0.25 + 2**-20}, rows=ROWS, bias=0),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled'}),
  'loss/unsupervised': Flow({'encoder', 'head'}, {'strong'}),
  'loss/unsure': Flow({'encoder', 'head'}, {'strong'}),
}
OBSERVED = {'labeled', 'weak', 'strong'}
MEMORY: set[str] = set()
SETTINGS = {'threshold': 0.2}
NUMBERS = {'threshold': 0.9, 'weight': 0.5, 'temperature': 1.0}


def objective(
  params, held, stats, memory, views, *, step, steps, threshold=0.95, weight=1.0, temperature=0.5
):
  del step, steps
  x, w, s = (views[name]['image'] for name in ('labeled', 'weak', 'strong'))
  images, cuts = np.concatenate([x, w, s]), [len(x), len(x) + len(w)]
  logits, pull, after = _layers.classify(params, stats, images)
  on_x, _, on_s = np.split(logits, cuts)
  _, on_w, _ = np.split(_layers.classify(held, stats, images)[0], cuts)
  q = _layers.softmax(on_w)
  target, sure = q.argmax(-1), q.max(-1) >= threshold
  labeled, d_x = _layers.cross_entropy(on_x, views['labeled']['label'])
  unlabeled, d_s = _layers.cross_entropy(on_s, target, sure)

  soft, d_soft = 0.0, np.zeros_like(on_s)
  for i in np.flatnonzero(~sure):
    t = q[i] ** (1 / temperature) / sum(q[i] ** (1 / temperature))
    p = _layers.softmax(on_s[i] / temperature)
    soft += sum(t * np.log(t / p)) / len(q)
    d_soft[i] = (p - t) / temperature / len(q)

  none = np.zeros_like(logits)
  at_s = lambda d: pull(np.concatenate([none[: cuts[1]], weight * d]))
  terms = {
    'loss/supervised': labeled,
    'loss/unsupervised': weight * unlabeled,
    'loss/unsure': weight * soft,
  }
  grads = {
    'loss/supervised': pull(np.concatenate([d_x, none[cuts[0] :]])),
    'loss/unsupervised': at_s(d_s),
    'loss/unsure': at_s(d_soft),
  }
  return Golden(terms, grads, after, memory, (target, q.max(-1), sure))
