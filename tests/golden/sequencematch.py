"""Nguyen (2023), after the author's code: FixMatch, and Kullback-Leibler divergences between three views.

Each divergence is of those images whose weaker view, which is held, is confident.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SURE = [[8.0, -8, 8], [-8, 8, 8], [8, 8, -8]]
UNSURE = [[0.0, 0, 0]] * 3  # without biases: probability 1/4 each, exactly
CASES = {
  'some are confident': Case(loss=3.64752, settings={'threshold': 0.4}),
  'all are used': Case(loss=3.08182, settings={'threshold': 0.0, 'weight': 0.5}),
  'none is confident': Case(loss=1.84394, settings={'threshold': 1.0}),
  'sharp': Case(loss=5.4509, settings={'threshold': 0.4, 'temperature': 0.1}),
  'smoothed': Case(loss=2.73857, settings={'threshold': 0.4, 'temperature': 2.0}),
  'the medium view alone is confident': Case(
    loss=2.66464, settings={'threshold': 0.9}, rows={'weak': UNSURE * 2, 'medium': SURE + UNSURE}, bias=0
  ),
  'the weak view alone is confident': Case(
    loss=4.1863, settings={'threshold': 0.9}, rows={'weak': UNSURE + SURE, 'medium': UNSURE * 2}, bias=0
  ),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled'}),
  'loss/unsupervised': Flow({'encoder', 'head'}, {'strong'}),
  'loss/medium_weak': Flow({'encoder', 'head'}, {'medium'}),
  'loss/strong_medium': Flow({'encoder', 'head'}, {'strong'}),
  'loss/strong_weak': Flow({'encoder', 'head'}, {'strong'}),
}
OBSERVED = {'labeled', 'weak', 'medium', 'strong'}
MEMORY: set[str] = set()
SETTINGS = {'threshold': 0.1}
NUMBERS = {'threshold': 0.9, 'weight': 0.5, 'temperature': 0.9}


def objective(
  params, held, stats, memory, views, *, step, steps, threshold=0.95, weight=1.0, temperature=0.5
):
  del step, steps
  x, w, m, s = (views[name]['image'] for name in ('labeled', 'weak', 'medium', 'strong'))
  images, cuts = np.concatenate([x, w, m, s]), np.cumsum([len(x), len(w), len(m)])
  logits, pull, after = _layers.classify(params, stats, images)
  on_x, _, on_m, on_s = np.split(logits, cuts)
  _, held_w, held_m, _ = np.split(_layers.classify(held, stats, images)[0], cuts)
  q, q_m = _layers.softmax(held_w), _layers.softmax(held_m)
  target, mask = q.argmax(-1), q.max(-1) >= threshold

  labeled, d_x = _layers.cross_entropy(on_x, views['labeled']['label'])
  unlabeled, d_s = _layers.cross_entropy(on_s, target, mask)

  def part(d, which):
    rows = [np.zeros_like(block) for block in np.split(logits, cuts)]
    rows[which] = d
    return pull(np.concatenate(rows))

  def diverge(teacher, student):
    """Σ_c t log(t / p) of the images of a confident teacher, and its gradient in the student's logits."""
    t = teacher ** (1 / temperature)
    t /= t.sum(-1, keepdims=True)
    sure = (teacher.max(-1) >= threshold)[:, None]
    value = (sure * t * (np.log(t) - _layers.log_softmax(student))).sum() / len(t)
    return weight * value, weight * sure * (_layers.softmax(student) - t) / len(t)

  medium_weak, d_mw = diverge(q, on_m)
  strong_medium, d_sm = diverge(q_m, on_s)
  strong_weak, d_sw = diverge(q, on_s)
  terms = {
    'loss/supervised': labeled,
    'loss/unsupervised': weight * unlabeled,
    'loss/medium_weak': medium_weak,
    'loss/strong_medium': strong_medium,
    'loss/strong_weak': strong_weak,
  }
  grads = {
    'loss/supervised': part(d_x, 0),
    'loss/unsupervised': part(weight * d_s, 3),
    'loss/medium_weak': part(d_mw, 2),
    'loss/strong_medium': part(d_sm, 3),
    'loss/strong_weak': part(d_sw, 3),
  }
  return Golden(terms, grads, after, memory, (target, q.max(-1), mask))
