"""Yang et al. (2016), equation 1, with means in place of sums, edge by edge."""

import numpy as np

from golden import Case, Flow, Golden, _layers, _nodes

VERSION = 1
KIND = 'graph'
CASES = {
  'probabilities': Case(loss=0.961714),
  'weighed': Case(loss=0.896921, settings={'weight': 0.3}),
  'logits': Case(loss=10.7208, settings={'smooth': 'logits'}),
  'features': Case(loss=4.74107, settings={'smooth': 'features', 'weight': 0.5}),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled'}),
  'loss/unsupervised': Flow({'encoder', 'head'}, {'unlabeled'}),
}
OBSERVED = {'labeled', 'unlabeled'}
MEMORY: set[str] = set()
SETTINGS: dict[str, float] = {}
NUMBERS = {'weight': 0.5}
CHANGES = {'dataset': 'fake_graph', 'batch': {'whole': True}}


def objective(params, held, stats, memory, views, *, step, steps, smooth='probabilities', weight=1.0):
  del held, step, steps
  x, u = views['labeled']['image'], views['unlabeled']['image']
  seen = np.concatenate([_nodes.see(x), _nodes.see(u)])
  features, into_encoder, moments = _layers.embed(params['encoder'], stats['encoder'], seen)
  logits, into_head = _layers.dense(features, params['head']['Dense_0'])
  n = len(x.index)
  value, d_x = _layers.cross_entropy(logits[:n], views['labeled']['label'])

  f = {'probabilities': _layers.softmax(logits), 'logits': logits, 'features': features}[smooth][n:]
  adjacency = _nodes.reach_of(u) - np.eye(u.graph.count)
  adjacency = adjacency[np.ix_(u.index, u.index)]
  rough, d_f = 0.0, np.zeros_like(f)
  for i, j in zip(*np.nonzero(adjacency)):
    rough += ((f[i] - f[j]) ** 2).sum() / adjacency.sum()
    d_f[i] += 2 * (f[i] - f[j]) / adjacency.sum()
    d_f[j] -= 2 * (f[i] - f[j]) / adjacency.sum()

  def classified(d):
    d, head = into_head(d)
    return {'encoder': into_encoder(d), 'head': {'Dense_0': head}}

  if smooth == 'features':
    rough_grads = {'encoder': into_encoder(np.concatenate([np.zeros((n, f.shape[1])), weight * d_f]))}
  else:
    d = d_f if smooth == 'logits' else f * (d_f - (d_f * f).sum(1, keepdims=True))
    rough_grads = classified(np.concatenate([np.zeros_like(d_x), weight * d]))
  return Golden(
    {'loss/supervised': value, 'loss/unsupervised': weight * rough},
    {
      'loss/supervised': classified(np.concatenate([d_x, np.zeros_like(logits[n:])])),
      'loss/unsupervised': rough_grads,
    },
    {**stats, 'encoder': moments},
    memory,
  )
