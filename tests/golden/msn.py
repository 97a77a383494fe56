"""Assran et al. (2022, 2023): prototypes of a view with dropped patches, and a prior on their mean.

A patch is one pixel of the stub, and `draws` says which are kept of the anchor view.  Sharpened probabilities
themselves, not exponentials of scores, are made even.  The target's decay after step k = 1, 2, … of K is
m + (1 − m)(k − 1) / 1.25 K.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers
from golden._scores import CHANGES as CHANGES

VERSION = 1
SIDE = 2
SMALL = {'hidden': 8, 'out': 3, 'prototypes': 4, 'crops': 2, 'dropping': 0.25}
SOFT = SMALL | {'temperature': 0.5, 'sharpening': 0.5}
CASES = {
  'soft, two crops': Case(loss=2.60694, settings=SOFT, rate=0.1),
  'as sharp as theirs': Case(loss=9.25441, settings=SMALL, rate=0.01),
  'a long tail, a fast target': Case(
    loss=3.23534, settings=SOFT | {'exponent': 1.5, 'weight': 2.0, 'ema_decay': 0.5}, step=9, rate=0.1
  ),
  'no crops, one iteration, half dropped': Case(
    loss=2.30749, settings=SOFT | {'crops': 0, 'iterations': 1, 'dropping': 0.5}, rate=0.1
  ),
  'no BatchNorm': Case(loss=3.51533, settings=SOFT | {'batch_norm': False}),
  'not made even, nothing dropped': Case(
    loss=2.30579, settings=SOFT | {'equalized': False, 'dropping': 0.0}, rate=0.02
  ),
}
FLOWS = {
  'loss/assignment': Flow({'encoder', 'projector', 'prototypes'}, {'b', 'local'}),
  'loss/prior': Flow({'encoder', 'projector', 'prototypes'}, {'b', 'local'}),
}
OBSERVED: set[str] = set()  # the tiny network has no BatchNorm, and its projector is tried without it
MEMORY = {'target'}
SETTINGS = {'hidden': 16, 'out': 8, 'prototypes': 12, 'crops': 2, 'batch_norm': False}
NUMBERS = {'temperature': 0.3, 'sharpening': 0.5, 'weight': 2.0, 'exponent': 0.5, 'ema_decay': 0.5}


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
  temperature=0.1,
  sharpening=0.25,
  weight=1.0,
  exponent=0.0,
  equalized=True,
  iterations=3,
  **settings,
):
  del step, steps, settings
  keep, anchors = draws['keep'].astype(int), [views['b']['image'], *_layers.by_size(views)[1:]]
  every = np.tile(np.arange(SIDE**2), (len(keep), 1))
  seen, pulls = [], []
  for i, images in enumerate(anchors):
    z, pull, stats = project(params, stats, images, keep if i == 0 else None)
    seen.append(z)
    pulls.append(pull)
  z, into_z = _layers.unit(np.concatenate(seen))
  rows, into_rows = _layers.unit(params['prototypes'])
  logits = z @ rows.T / temperature
  probs = _layers.softmax(logits)

  target, moments = memory['target']
  h, _, moments = project(target, moments, views['a']['image'], every)
  taught = _layers.softmax(_layers.unit(h)[0] @ _layers.unit(held['prototypes'])[0].T / temperature)
  q = taught ** (1 / sharpening)
  q = q / q.sum(1, keepdims=True)
  if equalized:
    q = even(q, iterations)
  q = np.concatenate([q] * (len(z) // len(q)))

  n, mean = len(z), probs.mean(0)
  law = np.arange(1, len(rows) + 1.0) ** -exponent
  law = law / law.sum()
  terms = {
    'loss/assignment': -(q * _layers.log_softmax(logits)).sum() / n,
    'loss/prior': weight * (mean * np.log(mean / law)).sum(),
  }
  into_mean = np.log(mean / law) + 1
  slopes = {
    'loss/assignment': (probs - q) / n,
    'loss/prior': weight * probs * (into_mean - (probs * into_mean).sum(1, keepdims=True)) / n,
  }
  grads = {}
  for term, slope in slopes.items():
    slope = slope / temperature
    parts = np.split(into_z(slope @ rows), np.cumsum([len(part) for part in seen])[:-1])
    own = _layers.add(*(pull(part) for pull, part in zip(pulls, parts)))
    grads[term] = {**own, 'prototypes': into_rows(slope.T @ z)}
  return Golden(terms, grads, stats, {'target': (target, moments)})


def project(params, stats, images, keep=None):
  """Projections of views whose patches `keep` are seen, all by default; each batch has its own moments."""
  n = len(images)
  keep = np.tile(np.arange(SIDE**2), (n, 1)) if keep is None else keep
  pixels = images.reshape(n, SIDE**2, -1)[np.arange(n)[:, None], keep]
  flat, into_encoder, moments = _layers.embed(
    params['encoder'], stats['encoder'], pixels.reshape(-1, pixels.shape[-1])
  )
  tokens, into_tokens = _layers.mix(flat.reshape(n, keep.shape[1], -1), keep)
  z, into_projector, last = _layers.perceptron(
    tokens[:, 0], params['projector'], stats['projector'], _layers.gelu
  )

  def pull(dz):
    d, projector = into_projector(dz)
    d_tokens = np.zeros_like(tokens)
    d_tokens[:, 0] = d
    return {'encoder': into_encoder(into_tokens(d_tokens).reshape(flat.shape)), 'projector': projector}

  return z, pull, {'encoder': moments, 'projector': last}


def even(q, iterations):
  """A matrix whose columns have equal sums, nearly, and whose rows sum to 1; of probabilities."""
  q = q / q.sum()
  for _ in range(iterations):
    q = q / q.sum(0, keepdims=True) / q.shape[1]
    q = q / q.sum(1, keepdims=True) / q.shape[0]
  return q * q.shape[0]


def update(params, stats, memory, *, step, steps, ema_decay=0.996, **settings):
  del stats, settings
  decay = ema_decay + (1 - ema_decay) * min(1, (step - 1) / (1.25 * steps))
  target, moments = memory['target']
  own = {part: params[part] for part in target}
  target = _layers.add(_layers.scale(decay, target), _layers.scale(1 - decay, own))
  return params, {**memory, 'target': (target, moments)}
