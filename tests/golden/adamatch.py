"""Berthelot et al. (2022): random logit interpolation, distribution alignment and a relative threshold.

Labeled views are seen twice, by themselves and with all others; `draws` say how far each of their logits goes
from the second to the first.  Marginals and threshold are of held predictions, this batch's among them.
"""

import math

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
EVEN = np.full(4, 0.25)
SKEW = np.array([0.7, 0.1, 0.1, 0.1])
SMALL = {'window': 3}
RISEN = SMALL | {'ramp': 0.1}
SURE = [[8.0, -8, 8], [-8, 8, 8], [8, 8, -8]]
UNSURE = [[0.0, 0, 0]] * 3  # without biases: probability 1/4 each, exactly
ROWS = {'weak': SURE + UNSURE, 'labeled': [[0.0, 0, 0]] * 5}
CASES = {
  'at the start': Case(loss=1.56418, settings=SMALL, step=0),
  'on the ramp': Case(loss=1.65791, settings=SMALL | {'weight': 0.7}, step=4),
  'at its end': Case(loss=2.42304, settings=SMALL | {'threshold': 0.8}, step=10),
  'one class is believed in': Case(
    loss=2.26579, settings=RISEN, memory={'labeled': EVEN, 'unlabeled': np.stack([SKEW] * 3)}
  ),
  'the labeled images are of one class': Case(
    loss=3.18124, settings=RISEN, memory={'labeled': SKEW, 'unlabeled': np.stack([EVEN] * 3)}
  ),
  'the batch alone decides': Case(loss=2.42304, settings={'window': 1, 'ramp': 0.1, 'decay': 0.0}),
  'as confident as the labeled images': Case(loss=1.95173, settings=RISEN | {'threshold': 1.0}),
  'the labeled images are not confident': Case(loss=2.83436, settings=RISEN, rows=ROWS, bias=0),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled', 'labeled_strong'}),
  'loss/unsupervised': Flow({'encoder', 'head'}, {'strong'}),
}
OBSERVED = {'labeled', 'labeled_strong', 'weak', 'strong'}
MEMORY = {'labeled', 'unlabeled'}
SETTINGS = {'threshold': 0.5, 'window': 4}
NUMBERS = {'threshold': 0.9, 'weight': 0.5, 'ramp': 0.1, 'decay': 0.5}


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
  threshold=0.9,
  weight=1.0,
  ramp=0.5,
  decay=0.999,
  window=128,
):
  names = ('labeled', 'labeled_strong', 'weak', 'strong')
  w_x, s_x, w_u, s_u = (views[name]['image'] for name in names)
  n, m, share = len(w_x), len(w_u), draws['share']

  def forward(params):
    alone, pull_alone, _ = _layers.classify(params, stats, np.concatenate([w_x, s_x]))
    all_of, pull_all, after = _layers.classify(params, stats, np.concatenate([w_x, s_x, w_u, s_u]))
    mixed = (1 - share) * all_of[: 2 * n] + share * alone
    none = np.zeros_like(all_of[: 2 * n])

    def pull(d_mixed, d_strong):
      rest = np.concatenate([(1 - share) * d_mixed, np.zeros_like(all_of[:m]), d_strong])
      return _layers.add(pull_all(rest), pull_alone(share * d_mixed))

    return mixed, all_of[2 * n : 2 * n + m], all_of[2 * n + m :], pull, none, after

  mixed, _, strong, pull, none, after = forward(params)
  held_mixed, weak, *_ = forward(held)
  q, on_labeled = _layers.softmax(weak), _layers.softmax(held_mixed[:n])
  memory = {
    'labeled': decay * memory['labeled'] + (1 - decay) * on_labeled.mean(0),
    'unlabeled': np.concatenate([memory['unlabeled'], q.mean(0)[None]])[-window:],
  }
  factor = (memory['labeled'] + 1e-6) / (memory['unlabeled'].mean(0) + 1e-6)
  aligned = np.array([row * factor / sum(row * factor) for row in q])
  mask = aligned.max(-1) >= threshold * np.mean([max(row) for row in on_labeled])
  target = aligned.argmax(-1)

  rise = weight * (1 - math.cos(math.pi * min(step / (ramp * steps), 1))) / 2
  label = views['labeled']['label']
  labeled, d_x = _layers.cross_entropy(mixed, np.concatenate([label, label]))
  unlabeled, d_s = _layers.cross_entropy(strong, target, mask)
  terms = {'loss/supervised': labeled, 'loss/unsupervised': rise * unlabeled}
  grads = {
    'loss/supervised': pull(d_x, np.zeros_like(strong)),
    'loss/unsupervised': pull(none, rise * d_s),
  }
  return Golden(terms, grads, after, memory, (target, aligned.max(-1), mask))
