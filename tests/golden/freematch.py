"""Wang et al. (2023): self-adaptive thresholds, class by class, and the self-adaptive fairness term.

The moving averages hold what a batch adds before it is used.  Fairness looks at the kept images only, and its
gradient goes through their mean prediction, not through the counts of their classes.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SURE = [[8.0, -8, 8], [-8, 8, 8], [8, 8, -8]]
UNSURE = [[0.0, 0, 0]] * 3  # without biases: probability 1/4 each, exactly; the first class by argmax
ROWS = {'weak': SURE + UNSURE}
EVEN = np.full(4, 0.25)
# Without decay the batch alone decides: its mean confidence, times its mean prediction by the largest.
BATCH = {'decay': 0.0, 'fairness': 0.5}
CASES = {
  'at the start': Case(
    loss=2.409,
    settings={'fairness': 0.5, 'weight': 0.7},
    memory={'confidence': 0.25, 'beliefs': EVEN, 'labels': EVEN},
  ),
  'one class is believed in': Case(
    loss=2.28873,
    settings={'decay': 0.9, 'fairness': 0.5},
    memory={'confidence': 0.6, 'beliefs': [0.7, 0.1, 0.1, 0.1], 'labels': [0.4, 0.3, 0.2, 0.1]},
  ),
  'the batch alone decides': Case(loss=2.72284, settings=BATCH),
  'at the threshold': Case(
    loss=2.83047,
    settings={'decay': 1.0, 'fairness': 0.5},
    rows=ROWS,
    bias=0,
    memory={'confidence': 0.25, 'beliefs': EVEN, 'labels': EVEN},
  ),
  'below the threshold': Case(
    loss=2.49545,
    settings={'decay': 1.0, 'fairness': 0.5},
    rows=ROWS,
    bias=0,
    memory={'confidence': 0.25 + 2**-20, 'beliefs': EVEN, 'labels': EVEN},
  ),
  'clipped': Case(
    loss=2.26052,
    settings={'decay': 1.0, 'fairness': 0.5, 'ceiling': 0.4},
    memory={'confidence': 0.9, 'beliefs': EVEN, 'labels': EVEN},
  ),
  'none is kept': Case(
    loss=1.84394,
    settings={'decay': 1.0, 'fairness': 0.5},
    memory={'confidence': 1.0, 'beliefs': EVEN, 'labels': EVEN},
  ),
  'some labels were never given': Case(
    loss=2.61714,
    settings={'decay': 1.0, 'fairness': 0.5},
    memory={'confidence': 0.3, 'beliefs': EVEN, 'labels': [0.5, 0, 0.5, 0]},
  ),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled'}),
  'loss/unsupervised': Flow({'encoder', 'head'}, {'strong'}),
  'loss/fairness': Flow({'encoder', 'head'}, {'strong'}),
}
OBSERVED = {'labeled', 'weak', 'strong'}
MEMORY = {'confidence', 'beliefs', 'labels'}
SETTINGS = {'fairness': 0.1}
NUMBERS = {'decay': 0.5, 'weight': 0.5, 'fairness': 0.2, 'ceiling': 0.05}


def objective(
  params, held, stats, memory, views, *, step, steps, decay=0.999, weight=1.0, fairness=0.001, ceiling=1.0
):
  del step, steps
  x, w, s = (views[name]['image'] for name in ('labeled', 'weak', 'strong'))
  images, cuts = np.concatenate([x, w, s]), [len(x), len(x) + len(w)]
  logits, pull, after = _layers.classify(params, stats, images)
  on_x, _, on_s = np.split(logits, cuts)
  _, on_w, on_s_held = np.split(_layers.classify(held, stats, images)[0], cuts)
  q = _layers.softmax(on_w)
  target, classes = q.argmax(-1), q.shape[-1]

  seen = {
    'confidence': q.max(-1).mean(),
    'beliefs': q.mean(0),
    'labels': np.array([(target == c).mean() for c in range(classes)]),
  }
  memory = {k: decay * np.asarray(memory[k]) + (1 - decay) * seen[k] for k in memory}
  memory['confidence'] = min(memory['confidence'], ceiling)
  thresholds = [memory['confidence'] * p / max(memory['beliefs']) for p in memory['beliefs']]
  mask = np.array([row.max() >= thresholds[c] for row, c in zip(q, target)])

  labeled, d_x = _layers.cross_entropy(on_x, views['labeled']['label'])
  unlabeled, d_s = _layers.cross_entropy(on_s, target, mask)
  even, d_even = fair(on_s, on_s_held, mask, memory['beliefs'], memory['labels'])
  none = np.zeros_like(logits)
  at_s = lambda d: pull(np.concatenate([none[: cuts[1]], d]))
  grads = {
    'loss/supervised': pull(np.concatenate([d_x, none[cuts[0] :]])),
    'loss/unsupervised': at_s(weight * d_s),
    'loss/fairness': at_s(fairness * d_even),
  }
  terms = {
    'loss/supervised': labeled,
    'loss/unsupervised': weight * unlabeled,
    'loss/fairness': fairness * even,
  }
  return Golden(terms, grads, after, memory, (target, q.max(-1), mask))


def fair(logits, held, mask, beliefs, labels):
  """Σ_c a(c) log b(c), and its gradient in the logits; the classes' counts are of held predictions."""
  p, d, classes = _layers.softmax(logits), np.zeros_like(logits), logits.shape[-1]
  counts = [sum(mask & (held.argmax(-1) == c)) for c in range(classes)]
  there = [c for c in range(classes) if counts[c]]
  if not there:
    return 0.0, d
  a = np.array([beliefs[c] / labels[c] if labels[c] else 0.0 for c in range(classes)])
  a = a / a.sum()
  r = {c: p[mask, c].sum() / counts[c] for c in there}
  total = sum(r.values())
  value = sum(a[c] * np.log(r[c] / total) for c in there)
  used = sum(a[c] for c in there)
  for c in there:
    d_r = a[c] / r[c] - used / total
    for i in np.flatnonzero(mask):
      d[i] += d_r / counts[c] * p[i, c] * (np.eye(classes)[c] - p[i])
  return value, d
