"""Fan et al. (2021), after USB's code: FixMatch, features pushed apart where a label is used, and rotations.

The features that are pushed apart are those of all places, side by side, under a linear map; those of the
weak view are not held.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers
from golden.rotation import turn

VERSION = 1
SIDE = 2
SMALL = {'out': 3}
LOW = SMALL | {'threshold': 0.4}
CASES = {
  'some are confident': Case(loss=4.058, settings=LOW),
  'all are used': Case(loss=5.14255, settings=SMALL | {'threshold': 0.0}),
  'none is confident': Case(loss=3.31775, settings=SMALL | {'threshold': 1.0}),
  'features alone': Case(loss=2.52684, settings=LOW | {'weight': 0.0, 'distance': 2.0, 'rotation': 0.0}),
  'orientations count most': Case(
    loss=6.44242, settings=LOW | {'weight': 0.5, 'distance': 0.1, 'rotation': 3.0}
  ),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled'}),
  'loss/unsupervised': Flow({'encoder', 'head'}, {'strong'}),
  'loss/distance': Flow({'encoder', 'distance'}, {'weak', 'strong'}),
  'loss/rotation': Flow({'encoder', 'rotation'}, {'upright'}),
}
OBSERVED = {'labeled', 'weak', 'strong', 'upright'}
MEMORY: set[str] = set()
SETTINGS = {'threshold': 0.1, 'out': 8}
NUMBERS = {'threshold': 0.9, 'weight': 0.5, 'distance': 0.5, 'rotation': 0.5}
CHANGES = {'net': {'name': 'convnet', 'width': 4}}


def objective(
  params,
  held,
  stats,
  memory,
  views,
  *,
  step,
  steps,
  out,
  threshold=0.95,
  weight=1.0,
  distance=1.0,
  rotation=1.0,
):
  del step, steps, out
  x, w, s, upright = (views[name]['image'] for name in ('labeled', 'weak', 'strong', 'upright'))
  n, m, turned = len(x), len(w), [upright[: len(x)]]
  for _ in range(3):
    turned.append(turn(turned[-1]))
  images = np.concatenate([x, w, s, *turned])
  features, places, pull, after = see(params, stats, images)
  logits, into_head = _layers.dense(features[: n + 2 * m], params['head']['Dense_0'])
  z, into_map = _layers.dense(places[n : n + 2 * m], params['distance']['Dense_0'])
  hidden = params['rotation'], stats['rotation']
  four, into_rotation, _ = _layers.perceptron(features[n + 2 * m :], *hidden)
  held_features = see(held, stats, images)[0]
  q = _layers.softmax(_layers.dense(held_features[n : n + m], held['head']['Dense_0'])[0])
  target, mask = q.argmax(-1), q.max(-1) >= threshold

  labeled, d_x = _layers.cross_entropy(logits[:n], views['labeled']['label'])
  unlabeled, d_s = _layers.cross_entropy(logits[n + m :], target, mask)
  turns, d_turns = _layers.cross_entropy(four, np.repeat(np.arange(4), n))
  alike, d_z = 0.0, np.zeros_like(z)
  unit, pull_unit = _layers.unit(z)
  for i in range(m):
    cosine = unit[i] @ unit[m + i]
    if mask[i] and cosine > 0:
      alike += cosine / m
      d_z[i], d_z[m + i] = unit[m + i] / m, unit[i] / m

  def of_features(d, first):
    rows = np.zeros_like(features)
    rows[first : first + len(d)] = d
    return pull(rows, np.zeros_like(places))

  def of_logits(d, first):
    rows = np.zeros_like(logits)
    rows[first : first + len(d)] = d
    d, head = into_head(rows)
    return {'encoder': of_features(d, 0), 'head': {'Dense_0': head}}

  d, kernel = into_map(distance * pull_unit(d_z))
  rows = np.zeros_like(places)
  rows[n : n + 2 * m] = d
  d, layers = into_rotation(rotation * d_turns)
  grads = {
    'loss/supervised': of_logits(d_x, 0),
    'loss/unsupervised': of_logits(weight * d_s, n + m),
    'loss/distance': {'encoder': pull(np.zeros_like(features), rows), 'distance': {'Dense_0': kernel}},
    'loss/rotation': {'encoder': of_features(d, n + 2 * m), 'rotation': layers},
  }
  terms = {
    'loss/supervised': labeled,
    'loss/unsupervised': weight * unlabeled,
    'loss/distance': distance * alike,
    'loss/rotation': rotation * turns,
  }
  return Golden(terms, grads, after, memory, (target, q.max(-1), mask))


def see(params, stats, images):
  """Features, those of places side by side, their common pullback, and the moments."""
  flat, into_encoder, moments = _layers.embed(
    params['encoder'], stats['encoder'], images.reshape(-1, images.shape[-1])
  )
  n, dim = len(images), flat.shape[-1]
  tokens, into_flat = _layers.mix(flat.reshape(n, SIDE**2, dim))

  def pull(d_features, d_places):
    d = np.concatenate([d_features[:, None], d_places.reshape(n, SIDE**2, dim)], 1)
    return into_encoder(into_flat(d).reshape(-1, dim))

  return tokens[:, 0], tokens[:, 1:].reshape(n, -1), pull, {**stats, 'encoder': moments}
