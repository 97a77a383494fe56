"""Chen et al. (2023): truncated Gaussian weights of aligned confidences, image by image.

Alignment changes the weights, never the pseudo-labels; the moving averages hold what a batch adds before it
is used, and the variance of a batch is the unbiased one.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
EVEN = np.full(4, 0.25)
SKEW = [0.6, 0.2, 0.1, 0.1]  # aligned, another class is the most probable one of some images
NARROW = {'beliefs': EVEN, 'mean': 0.6, 'variance': 0.02}
SURE = [[8.0, -8, 8], [-8, 8, 8], [8, 8, -8]]
UNSURE = [[0.0, 0, 0]] * 3  # without biases: probability 1/4 each, exactly
ROWS = {'weak': SURE + UNSURE}
CASES = {
  'at the start': Case(loss=2.90681, memory={'beliefs': EVEN, 'mean': 0.25, 'variance': 1.0}),
  'most are below the mean': Case(loss=1.91956, settings={'weight': 0.7}, memory=NARROW),
  'one class is believed in': Case(
    loss=2.64268, settings={'decay': 1.0}, memory={'beliefs': SKEW, 'mean': 0.5, 'variance': 0.05}
  ),
  'the batch alone decides': Case(loss=2.65024, settings={'decay': 0.0}),
  'wide': Case(loss=2.66794, settings={'narrowing': 0.5}, memory=NARROW),
  'at the mean': Case(
    loss=3.27573,
    settings={'decay': 1.0},
    rows=ROWS,
    bias=0,
    memory={'beliefs': EVEN, 'mean': 0.25, 'variance': 1e-4},
  ),
  'below the mean': Case(
    loss=2.67341,
    settings={'decay': 1.0},
    rows=ROWS,
    bias=0,
    memory={'beliefs': EVEN, 'mean': 0.27, 'variance': 1e-4},
  ),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled'}),
  'loss/unsupervised': Flow({'encoder', 'head'}, {'strong'}),
}
OBSERVED = {'labeled', 'weak', 'strong'}
MEMORY = {'beliefs', 'mean', 'variance'}
SETTINGS = {'decay': 0.9}
NUMBERS = {'decay': 0.5, 'weight': 0.5, 'narrowing': 1.0}


def objective(params, held, stats, memory, views, *, step, steps, decay=0.999, weight=1.0, narrowing=2.0):
  del step, steps
  x, w, s = (views[name]['image'] for name in ('labeled', 'weak', 'strong'))
  images, cuts = np.concatenate([x, w, s]), [len(x), len(x) + len(w)]
  logits, pull, after = _layers.classify(params, stats, images)
  on_x, _, on_s = np.split(logits, cuts)
  _, on_w, _ = np.split(_layers.classify(held, stats, images)[0], cuts)
  q = _layers.softmax(on_w)
  target, classes = q.argmax(-1), q.shape[-1]

  blend = lambda old, new: decay * old + (1 - decay) * new
  beliefs = blend(memory['beliefs'], q.mean(0))
  aligned = np.array([row * (1 / classes + 1e-6) / (beliefs + 1e-6) for row in q])
  confidence = np.array([max(row) / sum(row) for row in aligned])
  mean, variance = blend(memory['mean'], confidence.mean()), blend(memory['variance'], confidence.var(ddof=1))
  deviation = np.sqrt(variance) / narrowing
  share = np.array([1.0 if c >= mean else np.exp(-(((c - mean) / deviation) ** 2) / 2) for c in confidence])

  labeled, d_x = _layers.cross_entropy(on_x, views['labeled']['label'])
  unlabeled, d_s = _layers.cross_entropy(on_s, target, share)
  none = np.zeros_like(logits)
  grads = {
    'loss/supervised': pull(np.concatenate([d_x, none[cuts[0] :]])),
    'loss/unsupervised': pull(np.concatenate([none[: cuts[1]], weight * d_s])),
  }
  terms = {'loss/supervised': labeled, 'loss/unsupervised': weight * unlabeled}
  memory = {'beliefs': beliefs, 'mean': mean, 'variance': variance}
  return Golden(terms, grads, after, memory, (target, q.max(-1), share))
