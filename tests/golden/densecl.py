"""Wang et al. (2021) on MoCo v2: queries of images against keys of images, of places against keys of places.

The positive of a place is the key of that place of the other view whose features, before the head, are most
like its own.  Queries see BatchNorm in groups of neighbors, keys in groups of every s-th image, as in MoCo.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SIDE = 2
SMALL = {'hidden': 8, 'out': 3, 'queue': 8, 'splits': 2}
CASES = {
  'two groups': Case(loss=3.61436, settings=SMALL),
  'dense alone, low temperature': Case(loss=17.6701, settings=SMALL | {'weight': 1.0, 'temperature': 0.05}),
  'nothing dense, fast keys': Case(loss=2.25588, settings=SMALL | {'weight': 0.0, 'ema_decay': 0.5}),
  'a short queue, global moments': Case(loss=3.5746, settings=SMALL | {'splits': 1, 'queue': 4}),
}
FLOWS = {
  'loss/contrastive': Flow({'encoder', 'projector'}, {'a'}),
  'loss/dense': Flow({'encoder', 'dense'}, {'a'}),
}
OBSERVED = {'a'}
MEMORY = {'target', 'queue', 'dense'}
SETTINGS = {'hidden': 16, 'out': 8, 'queue': 40, 'splits': 2}
NUMBERS = {'temperature': 0.5, 'ema_decay': 0.5, 'weight': 0.3}
CHANGES = {'net': {'name': 'convnet', 'width': 4}}


def objective(
  params, held, stats, memory, views, *, step, steps, splits, queue, weight=0.5, temperature=0.2, **settings
):
  del held, step, steps, settings
  n = len(views['a']['image'])
  near = [list(range(g, g + n // splits)) for g in range(0, n, n // splits)]
  dealt = [list(range(g, n, splits)) for g in range(splits)]
  (q, r, own), (pull_q, pull_r), after = see(params, stats, views['a']['image'], near)
  target, moments = memory['target']
  (k, t, other), _, moments = see(target, moments, views['b']['image'], dealt)
  mean, places = _layers.unit(t.mean(1))[0], t.shape[1]
  k, t = _layers.unit(k)[0], _layers.unit(t)[0]
  q, unit_q = _layers.unit(q)
  r, unit_r = _layers.unit(r)

  images, d_q = 0.0, np.zeros_like(q)
  for i in range(n):
    value, d_q[i] = contrast(q[i], k[i], memory['queue'], temperature)
    images += value / n
  dots, d_r = 0.0, np.zeros_like(r)
  for i in range(n):
    for p in range(places):
      likeness = [own[i, p] @ o / np.linalg.norm(own[i, p]) / np.linalg.norm(o) for o in other[i]]
      value, d_r[i, p] = contrast(r[i, p], t[i, np.argmax(likeness)], memory['dense'], temperature)
      dots += value / n / places

  memory = {
    'target': (target, moments),
    'queue': np.concatenate([k, memory['queue']])[:queue],
    'dense': np.concatenate([mean, memory['dense']])[:queue],
  }
  terms = {'loss/contrastive': (1 - weight) * images, 'loss/dense': weight * dots}
  grads = {
    'loss/contrastive': pull_q(unit_q((1 - weight) * d_q / n)),
    'loss/dense': pull_r(unit_r(weight * d_r / n / places)),
  }
  return Golden(terms, grads, after, memory)


def contrast(query, key, others, temperature):
  """MoCo's loss of one query, and its gradient in the query."""
  candidates = np.stack([key, *others])
  scores = candidates @ query / temperature
  value = np.log(np.exp(scores - scores.max()).sum()) + scores.max() - scores[0]
  return value, (_layers.softmax(scores) - np.eye(len(scores))[0]) @ candidates / temperature


def see(params, stats, images, groups):
  """Projections of images and places and the places' features; pullbacks of the projections; the moments."""
  n, dim = len(images), params['encoder']['kernel'].shape[1]
  tokens, pulls, moments = np.zeros((n, 1 + SIDE**2, dim)), [], []
  for rows in groups:
    pixels = images[rows].reshape(-1, images.shape[-1])
    flat, into_encoder, new = _layers.embed(params['encoder'], stats['encoder'], pixels)
    tokens[rows], into_flat = _layers.mix(flat.reshape(len(rows), SIDE**2, dim))
    pulls.append((rows, into_encoder, into_flat))
    moments.append(new)
  q, into_projector, _ = _layers.perceptron(tokens[:, 0], params['projector'], stats['projector'])
  r, into_dense, _ = _layers.perceptron(tokens[:, 1:].reshape(-1, dim), params['dense'], stats['dense'])

  def into(d):
    return _layers.add(*(encoder(flat(d[rows]).reshape(-1, dim)) for rows, encoder, flat in pulls))

  def pull_q(dq):
    d, projector = into_projector(dq)
    dense = np.zeros((n, SIDE**2, dim))
    return {'encoder': into(np.concatenate([d[:, None], dense], 1)), 'projector': projector}

  def pull_r(dr):
    d, dense = into_dense(dr.reshape(n * SIDE**2, -1))
    d = np.concatenate([np.zeros((n, 1, dim)), d.reshape(n, SIDE**2, dim)], 1)
    return {'encoder': into(d), 'dense': dense}

  encoder = _layers.scale(1 / len(groups), _layers.add(*moments))
  return (q, r.reshape(n, SIDE**2, -1), tokens[:, 1:]), (pull_q, pull_r), {**stats, 'encoder': encoder}


def update(params, stats, memory, *, step, steps, ema_decay=0.999, **settings):
  del stats, step, steps, settings
  target, moments = memory['target']
  target = _layers.add(_layers.scale(ema_decay, target), _layers.scale(1 - ema_decay, params))
  return params, {**memory, 'target': (target, moments)}
