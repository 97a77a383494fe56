"""Xie et al. (2020): divergence from sharpened targets, and training signal annealing, image by image.

Annealing leaves out images by the probability of their own label, not by their confidence, and the mean is
over those that are left.  The threshold is compared with the prediction before it is sharpened.
"""

import math

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SURE = [[8.0, -8, 8], [-8, 8, 8], [8, 8, -8]]
UNSURE = [[0.0, 0, 0]] * 3  # without biases: probability 1/4 each, exactly
ROWS = {'weak': SURE + UNSURE}
KNOWN = {
  'labeled': [[0.0, 3, -6], [1, 0, 3], [5, 0, -2], [0, 1, -5], [-2, 6, -2]]
}  # 0.28 to 0.96 of the labels
ALL = {'threshold': 0.0}
CASES = {
  'some are confident': Case(loss=1.97448, settings={'threshold': 0.4, 'weight': 0.7}),
  'all are used': Case(loss=2.0882, settings=ALL),
  'not sharpened': Case(loss=1.88336, settings=ALL | {'temperature': 1.0}),
  'sharp': Case(loss=2.7027, settings=ALL | {'temperature': 0.1}),
  'none is confident': Case(loss=1.84394, settings={'threshold': 1.0}),
  'at the threshold': Case(loss=2.71813, settings={'threshold': 0.25}, rows=ROWS, bias=0),
  'below the threshold': Case(loss=2.67015, settings={'threshold': 0.25 + 2**-20}, rows=ROWS, bias=0),
  'linear': Case(loss=1.37662, settings=ALL | {'tsa': 'linear'}, step=5, rows=KNOWN),
  'log': Case(loss=1.03072, settings=ALL | {'tsa': 'log'}, step=5, rows=KNOWN),
  'exp': Case(loss=1.20354, settings=ALL | {'tsa': 'exp'}, step=17, rows=KNOWN),
  'no label is left': Case(loss=0.244263, settings=ALL | {'tsa': 'linear'}, step=0, rows=KNOWN),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled'}),
  'loss/unsupervised': Flow({'encoder', 'head'}, {'strong'}),
}
OBSERVED = {'labeled', 'weak', 'strong'}
MEMORY: set[str] = set()
SETTINGS = {'threshold': 0.1}
NUMBERS = {'threshold': 0.9, 'temperature': 1.0, 'weight': 0.5}


def objective(
  params, held, stats, memory, views, *, step, steps, threshold=0.8, temperature=0.4, weight=1.0, tsa='none'
):
  x, w, s = (views[name]['image'] for name in ('labeled', 'weak', 'strong'))
  images, cuts = np.concatenate([x, w, s]), [len(x), len(x) + len(w)]
  logits, pull, after = _layers.classify(params, stats, images)
  on_x, _, on_s = np.split(logits, cuts)
  held_x, on_w, _ = np.split(_layers.classify(held, stats, images)[0], cuts)
  q = _layers.softmax(on_w)
  mask = q.max(-1) >= threshold
  target = np.array([row ** (1 / temperature) / sum(row ** (1 / temperature)) for row in q])

  label, classes = views['labeled']['label'], q.shape[-1]
  known = [p[y] for p, y in zip(_layers.softmax(held_x), label)]
  used = np.array([p <= ceiling(tsa, step / steps, classes) for p in known])
  labeled, d_x = _layers.cross_entropy(on_x, label, used * len(x) / max(sum(used), 1))
  divergence = [
    sum(t * (np.log(t) - l) for t, l in zip(*rows)) for rows in zip(target, _layers.log_softmax(on_s))
  ]
  d_s = weight * mask[:, None] * (_layers.softmax(on_s) - target) / len(mask)

  none = np.zeros_like(logits)
  terms = {'loss/supervised': labeled, 'loss/unsupervised': weight * (mask * divergence).mean()}
  grads = {
    'loss/supervised': pull(np.concatenate([d_x, none[cuts[0] :]])),
    'loss/unsupervised': pull(np.concatenate([none[: cuts[1]], d_s])),
  }
  return Golden(terms, grads, after, memory, (q.argmax(-1), q.max(-1), mask))


def ceiling(tsa, done, classes):
  """The probability of its label up to which a labeled image is learned from."""
  if tsa == 'none':
    return math.inf
  risen = {'linear': done, 'log': 1 - math.exp(-5 * done), 'exp': math.exp(5 * (done - 1))}[tsa]
  return 1 / classes + risen * (1 - 1 / classes)
