"""Li et al. (2021), after the authors' code: aligned and smoothed pseudo-labels, and a graph of them.

The memory holds aligned predictions that are not yet smoothed; a batch enters it after it was used, but
enters the marginal before.  Rows of the marginals that are zero are not filled.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
EVEN = np.full((3, 4), 0.25)
SKEW = np.array([[0.7, 0.1, 0.1, 0.1], [0.5, 0.3, 0.1, 0.1], [0.4, 0.2, 0.2, 0.2]])
NONE = np.zeros((3, 4))
BANK = _layers.unit(np.cos(np.arange(22 * 3).reshape(22, 3) * 1.7))[0]
PROBS = _layers.softmax(np.sin(np.arange(22 * 4).reshape(22, 4) * 2.3) * 4)
SMALL = {'out': 3, 'batches': 2, 'window': 3}
FULL = {'embeddings': BANK, 'probs': PROBS, 'marginals': EVEN}
SHARP = SMALL | {'threshold': 0.4, 'edge': 0.28}
CASES = {
  'the memory is not full': Case(loss=9.55155, settings=SHARP, step=2, memory=FULL | {'marginals': NONE}),
  'smoothed': Case(loss=9.7707, settings=SHARP, memory=FULL),
  'one class is believed in': Case(loss=9.82044, settings=SHARP, memory=FULL | {'marginals': SKEW}),
  'the memory alone decides': Case(loss=8.62447, settings=SHARP | {'smoothing': 0.0}, memory=FULL),
  'no edges, none is confident': Case(
    loss=16.384, settings=SMALL | {'threshold': 1.0, 'edge': 1.0, 'contrast': 2.0}, memory=FULL
  ),
  'all edges, all are used': Case(
    loss=5.68989,
    settings=SMALL | {'threshold': 0.0, 'edge': 0.0, 'weight': 0.5, 'temperature': 0.5},
    memory=FULL,
  ),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled'}),
  'loss/unsupervised': Flow({'encoder', 'head'}, {'strong'}),
  'loss/contrastive': Flow({'encoder', 'projector'}, {'strong', 'again'}),
}
OBSERVED = {'labeled', 'weak', 'strong', 'again'}
MEMORY = {'embeddings', 'probs', 'marginals'}
SETTINGS = {'threshold': 0.1, 'edge': 0.1, 'out': 8, 'batches': 1, 'window': 4}
NUMBERS = {
  'threshold': 0.99,
  'weight': 0.5,
  'contrast': 0.5,
  'edge': 0.9,
  'smoothing': 0.5,
  'temperature': 0.5,
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
  batches,
  window,
  out,
  threshold=0.95,
  weight=1.0,
  contrast=1.0,
  edge=0.8,
  smoothing=0.9,
  temperature=0.2,
):
  del steps, out, window
  x, w, s, again = (views[name]['image'] for name in ('labeled', 'weak', 'strong', 'again'))
  n, m, images = len(x), len(w), np.concatenate([x, w, s, again])
  logits, z, pull, after = see(params, stats, images)
  held_logits, held_z, *_ = see(held, stats, images)
  own, weak_z = _layers.softmax(held_logits[n : n + m]), held_z[n : n + m]

  aligned, marginals = align(own, memory['marginals'])
  q = aligned.copy()
  if step > batches:
    for b in range(m):
      near = _layers.softmax(memory['embeddings'] @ weak_z[b] / temperature)
      q[b] = smoothing * aligned[b] + (1 - smoothing) * near @ memory['probs']
  target, mask = q.argmax(-1), q.max(-1) >= threshold

  label = views['labeled']['label']
  labeled, d_x = _layers.cross_entropy(logits[:n], label)
  strong = logits[n + m : n + 2 * m]
  unlabeled = -(mask[:, None] * q * _layers.log_softmax(strong)).sum() / m
  d_s = mask[:, None] * (q.sum(-1, keepdims=True) * _layers.softmax(strong) - q) / m

  graph = np.zeros((m, m))
  for b in range(m):
    for j in range(m):
      graph[b, j] = 1 if b == j else q[b] @ q[j] if q[b] @ q[j] >= edge else 0
    graph[b] /= graph[b].sum()
  z_s, z_again = z[n + m : n + 2 * m], z[n + 2 * m :]
  scores = z_s @ z_again.T / temperature
  alike = -(graph * _layers.log_softmax(scores)).sum() / m
  d_scores = contrast * (_layers.softmax(scores) - graph) / m / temperature
  none, d_z = np.zeros_like(logits), np.zeros_like(z)
  d_z[n + m : n + 2 * m], d_z[n + 2 * m :] = d_scores @ z_again, d_scores.T @ z_s
  d_labeled, d_unlabeled = none.copy(), none.copy()
  d_labeled[:n], d_unlabeled[n + m : n + 2 * m] = d_x, weight * d_s

  terms = {
    'loss/supervised': labeled,
    'loss/unsupervised': weight * unlabeled,
    'loss/contrastive': contrast * alike,
  }
  grads = {
    'loss/supervised': pull(d_labeled, None),
    'loss/unsupervised': pull(d_unlabeled, None),
    'loss/contrastive': pull(None, d_z),
  }
  rows = batches * (n + m)
  one_hot = np.eye(q.shape[1])[label]
  memory = {
    'embeddings': np.concatenate([weak_z, held_z[:n], memory['embeddings']])[:rows],
    'probs': np.concatenate([aligned, one_hot, memory['probs']])[:rows],
    'marginals': marginals,
  }
  return Golden(terms, grads, after, memory, (target, q.max(-1), mask))


def see(params, stats, images):
  """Logits, unit embeddings, their pullbacks, and the moments."""
  features, into_encoder, moments = _layers.embed(params['encoder'], stats['encoder'], images)
  logits, into_head = _layers.dense(features, params['head']['Dense_0'])
  hidden, into_projector, _ = _layers.perceptron(features, params['projector'], stats['projector'])
  z, into_unit = _layers.unit(hidden)

  def pull(d_logits, d_z):
    if d_z is None:
      d, head = into_head(d_logits)
      return {'encoder': into_encoder(d), 'head': {'Dense_0': head}}
    d, projector = into_projector(into_unit(d_z))
    return {'encoder': into_encoder(d), 'projector': projector}

  return logits, z, pull, {**stats, 'encoder': moments}


def align(own, marginals):
  """Predictions divided by their mean over the batches remembered, this one among them; and these means."""
  marginals = np.concatenate([own.mean(0)[None], marginals])[: len(marginals)]
  shares = own / (np.mean([row for row in marginals if row.any()], 0) + 1e-6)
  return shares / shares.sum(-1, keepdims=True), marginals
