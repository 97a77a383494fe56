"""Zhang et al. (2021), section 3 and algorithm 1: FixMatch under thresholds of curriculum pseudo-labeling.

`learned` holds the latest confident pseudo-label of each unlabeled image, the number of classes for none.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
N, CLASSES = 240, 4
SURE = [[8.0, -8, 8], [-8, 8, 8], [8, 8, -8]]
UNSURE = [[0.0, 0, 0]] * 3  # without biases: probability 1/4 each, exactly; the first class by argmax
ROWS = {'weak': SURE + UNSURE}


def remember(*counts):
  """A memory with so many images of each class, those of the batch (40 to 45) among them."""
  learned = np.repeat(np.arange(CLASSES + 1), [*counts, N - sum(counts)])
  return {'learned': learned[np.arange(N) * 77 % N]}


WARM, LATE = remember(70, 60, 20, 5), remember(110, 60, 3, 55)
EVEN = remember(80, 40, 40, 80)  # T of the first class is the threshold
CASES = {
  'nothing is learned yet': Case(loss=2.58795, settings={'threshold': 0.6, 'weight': 0.7}),
  'most images are still unused': Case(loss=2.31525, settings={'threshold': 0.95}, memory=WARM),
  'most images were used': Case(loss=2.51927, settings={'threshold': 0.7}, memory=LATE),
  'all thresholds are 0': Case(loss=2.90681, settings={'threshold': 0.0}, memory=LATE),
  'none is confident': Case(loss=2.31525, settings={'threshold': 1.0}, memory=LATE),
  'at the threshold': Case(loss=3.27573, settings={'threshold': 0.25}, rows=ROWS, bias=0, memory=EVEN),
  'below the threshold': Case(
    loss=2.67321, settings={'threshold': 0.25 + 2**-20}, rows=ROWS, bias=0, memory=EVEN
  ),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled'}),
  'loss/unsupervised': Flow({'encoder', 'head'}, {'strong'}),
}
OBSERVED = {'labeled', 'weak', 'strong'}
MEMORY = {'learned'}
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

  learned, classes = memory['learned'].copy(), logits.shape[-1]
  sigma = [sum(label == c for label in learned) for c in range(classes)]
  unused = len(learned) - sum(sigma)
  thresholds = []
  for c in range(classes):
    beta = sigma[c] / max(*sigma, unused)
    thresholds.append(threshold * beta / (2 - beta))
  target, mask = q.argmax(-1), np.zeros(len(q), bool)
  for b, n in enumerate(views['weak']['index']):
    mask[b] = q[b].max() >= thresholds[target[b]]
    if q[b].max() >= threshold:
      learned[n] = target[b]

  labeled, d_x = _layers.cross_entropy(on_x, views['labeled']['label'])
  unlabeled, d_s = _layers.cross_entropy(on_s, target, mask)
  none = np.zeros_like(logits)
  grads = {
    'loss/supervised': pull(np.concatenate([d_x, none[cuts[0] :]])),
    'loss/unsupervised': pull(np.concatenate([none[: cuts[1]], weight * d_s])),
  }
  terms = {'loss/supervised': labeled, 'loss/unsupervised': weight * unlabeled}
  return Golden(terms, grads, after, {'learned': learned}, (target, q.max(-1), mask))
