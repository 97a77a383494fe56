"""Xu et al. (2021): selection by the loss of the pseudo-label itself, under a threshold that falls in steps.

The threshold starts from the training loss of labeled images at the end of the warm-up, from no other data.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
# Of 20 steps: a warm-up of 4, and a fall after every 2 of the others.
FALLING = {'warmup': 0.2, 'interval': 0.1, 'gamma': 1.5, 'factor': 1.1, 'floor': 0.3}
KNOWN = {'loss': 1.2}
SURE = [[8.0, -8, 8], [-8, 8, 8], [8, 8, -8]]
UNSURE = [[0.0, 0, 0]] * 3  # without biases: probability 1/4 each, exactly, so a loss of log 4
ROWS = {'weak': SURE + UNSURE}
CASES = {
  'in the warm-up': Case(loss=1.84394, settings=FALLING, step=3, memory=KNOWN),
  'its last step is over': Case(loss=2.80862, settings=FALLING, step=4, memory=KNOWN),
  'after a fall': Case(loss=2.22612, settings=FALLING | {'weight': 0.7}, step=7, memory={'loss': 1.4}),
  'after two falls, sharper': Case(
    loss=2.49286, settings=FALLING | {'temperature': 0.3}, step=9, memory={'loss': 2.0}
  ),
  'at the floor': Case(loss=2.70279, settings=FALLING | {'floor': 1.1}, step=15, memory=KNOWN),
  'just above the floor': Case(
    loss=2.56547, settings=FALLING | {'floor': 1.09, 'factor': 1.0}, step=4, memory={'loss': 1.1}
  ),
  'the loss of an even prediction': Case(
    loss=3.27573, settings=FALLING | {'floor': 1.3863}, step=15, rows=ROWS, bias=0, memory=KNOWN
  ),
  'just below it': Case(
    loss=2.67321, settings=FALLING | {'floor': 1.3862}, step=15, rows=ROWS, bias=0, memory=KNOWN
  ),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled'}),
  'loss/unsupervised': Flow({'encoder', 'head'}, {'strong'}),
}
OBSERVED = {'labeled', 'weak', 'strong'}
MEMORY = {'loss'}
SETTINGS = {'warmup': 0.01, 'gamma': 1.001}
NUMBERS = {
  'gamma': 3.0,
  'factor': 0.5,
  'floor': 5.0,
  'temperature': 0.9,
  'weight': 0.5,
  'warmup': 0.03,
  'interval': 1e-5,
  'decay': 0.1,
}


def objective(
  params,
  held,
  stats,
  memory,
  views,
  *,
  step,
  steps,
  gamma=1.27,
  factor=1.0001,
  floor=0.05,
  temperature=0.5,
  weight=1.0,
  warmup=2**11 / 2**20,
  interval=10 * 2**10 / 2**20,
  decay=0.9,
):
  x, w, s = (views[name]['image'] for name in ('labeled', 'weak', 'strong'))
  images, cuts = np.concatenate([x, w, s]), [len(x), len(x) + len(w)]
  logits, pull, after = _layers.classify(params, stats, images)
  on_x, _, on_s = np.split(logits, cuts)
  _, on_w, _ = np.split(_layers.classify(held, stats, images)[0], cuts)
  labeled, d_x = _layers.cross_entropy(on_x, views['labeled']['label'])

  q = _layers.softmax(on_w)
  start, used = float(memory['loss']), np.zeros(len(q), bool)
  target = np.array([row ** (1 / temperature) / sum(row ** (1 / temperature)) for row in q])
  since = step - round(warmup * steps)
  if since < 0:
    start = decay * start + (1 - decay) * labeled
  else:
    falls = int((since + 0.5) / (interval * steps))
    limit = factor * start / gamma**falls
    if limit <= floor:
      limit, target = floor, np.eye(q.shape[-1])[q.argmax(-1)]
    own = [-(t * l).sum() for t, l in zip(target, _layers.log_softmax(on_w))]
    used = np.array(own) <= limit

  own_strong = -(target * _layers.log_softmax(on_s)).sum(-1)
  d_s = weight * used[:, None] * (_layers.softmax(on_s) - target) / len(q)
  none = np.zeros_like(logits)
  terms = {'loss/supervised': labeled, 'loss/unsupervised': weight * (used * own_strong).mean()}
  grads = {
    'loss/supervised': pull(np.concatenate([d_x, none[cuts[0] :]])),
    'loss/unsupervised': pull(np.concatenate([none[: cuts[1]], d_s])),
  }
  memory = {'loss': np.asarray(start)}
  return Golden(terms, grads, after, memory, (q.argmax(-1), q.max(-1), used))
