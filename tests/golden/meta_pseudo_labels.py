"""Pham et al. (2020): a student learns from drawn pseudo-labels, a teacher from labels, UDA and its progress.

`draws` are the noise by which a label is drawn.  The progress is a directional derivative of the student's
loss on labeled images, which are by themselves in that pass, after a step of plain descent.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
RAMP = {'ramp': 0.5}  # of 20 steps: the ramp ends at step 10
BEHIND, AHEAD = {'baseline': -0.5}, {'baseline': 0.8}
CASES = {
  'as published': Case(loss=3.43288, memory={'baseline': 0.0}),
  'at the start': Case(loss=4.13738, settings=RAMP, step=0, memory=BEHIND),
  'on the ramp, some are confident': Case(
    loss=3.39865, settings=RAMP | {'threshold': 0.5}, step=7, memory=AHEAD
  ),
  'a long step': Case(
    loss=5.40179, settings=RAMP | {'rate': 2.0, 'decay': 0.5, 'threshold': 0.45}, memory=BEHIND
  ),
  'sharp': Case(loss=2.77104, settings={'temperature': 0.1, 'weight': 0.5}, memory=AHEAD),
}
FLOWS = {
  'loss/student': Flow({'encoder', 'head'}, {'strong'}),
  'loss/supervised': Flow({'teacher'}, set()),
  'loss/unsupervised': Flow({'teacher'}, set()),
  'loss/meta': Flow({'teacher'}, set()),
}
OBSERVED = {'labeled', 'weak', 'strong'}
MEMORY = {'baseline'}
SETTINGS = {'threshold': 0.1, 'rate': 1.0}
NUMBERS = {'weight': 1.0, 'threshold': 0.9, 'temperature': 0.3, 'ramp': 0.2, 'rate': 0.5, 'decay': 0.5}


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
  weight=8.0,
  threshold=0.6,
  temperature=0.7,
  ramp=0.0166667,
  rate=0.1,
  decay=0.99,
):
  x, w, s = (views[name]['image'] for name in ('labeled', 'weak', 'strong'))
  label, cuts = views['labeled']['label'], [len(x), len(x) + len(w)]
  images, both = np.concatenate([x, w, s]), np.concatenate([s, x])
  logits, pull_teacher, moments = _layers.classify(params['teacher'], stats['teacher'], images)
  on_x, _, on_s = np.split(logits, cuts)
  known = _layers.classify(held['teacher'], stats['teacher'], images)[0]
  _, held_w, held_s = np.split(known, cuts)
  given = (held_s + draws['noise']).argmax(-1)

  def learn(params):
    on, pull, new = _layers.classify(params, stats, both)
    value, d = _layers.cross_entropy(on[: len(s)], given)
    return value, pull(np.concatenate([d, np.zeros_like(on[len(s) :])])), new

  own, own_grads, after = learn(params)
  direction = learn(held)[1]
  student = {name: held[name] for name in ('encoder', 'head')}
  on, pull, _ = _layers.classify(_layers.add(student, _layers.scale(-rate, direction)), stats, x)
  slope = dot(pull(_layers.cross_entropy(on, label)[1]), direction)
  progress = rate * slope
  baseline = decay * memory['baseline'] + (1 - decay) * progress

  labeled, d_x = _layers.cross_entropy(on_x, label)
  q = _layers.softmax(held_w / temperature)
  used = (q.max(-1) >= threshold)[:, None]
  rise = weight * min(step / (ramp * steps), 1)
  unlabeled = -(used * q * _layers.log_softmax(on_s)).sum() / len(s)
  d_u = used * (_layers.softmax(on_s) - q) / len(s)
  follow, d_f = _layers.cross_entropy(on_s, given)

  def of_teacher(d, first):
    rows = np.zeros_like(logits)
    rows[first : first + len(d)] = d
    return {'teacher': pull_teacher(rows)}

  terms = {
    'loss/student': own,
    'loss/supervised': labeled,
    'loss/unsupervised': rise * unlabeled,
    'loss/meta': (progress - baseline) * follow,
  }
  grads = {
    'loss/student': own_grads,
    'loss/supervised': of_teacher(d_x, 0),
    'loss/unsupervised': of_teacher(rise * d_u, cuts[1]),
    'loss/meta': of_teacher((progress - baseline) * d_f, cuts[1]),
  }
  confidence = _layers.softmax(held_s)[np.arange(len(s)), given]
  pseudo = (given, confidence, np.ones(len(s)))
  return Golden(terms, grads, {**after, 'teacher': moments}, {'baseline': baseline}, pseudo)


def dot(a, b):
  """Σ a·b over nested dicts of the same names."""
  return sum(dot(a[k], b[k]) for k in b) if isinstance(b, dict) else (a * b).sum()
