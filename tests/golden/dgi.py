"""Veličković et al. (2019), equations 1 to 4: node after node, of the graph and of the shuffled one.

`draws` is the permutation of the features.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers, _nodes

VERSION = 1
KIND = 'graph'
CASES = {'as in the paper': Case(loss=0.991526)}
FLOWS = {'loss/discrimination': Flow({'encoder', 'discriminator'}, {'nodes'})}
OBSERVED = {'nodes'}
MEMORY: set[str] = set()
SETTINGS: dict[str, float] = {}
NUMBERS: dict[str, float] = {}
CHANGES = {'dataset': 'fake_graph', 'net': {'name': 'gcn', 'widths': [16, 8], 'norm': 'batch'}}
CHANGES['batch'] = {'whole': True}


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


def objective(params, held, stats, memory, views, *, step, steps, draws):
  del held, step, steps
  nodes, p = views['nodes']['image'], params['discriminator']
  features = _nodes.features_of(nodes)
  both = np.concatenate([_nodes.see(nodes, features), _nodes.see(nodes, features[draws['order']])])
  h, into_encoder, moments = _layers.embed(params['encoder'], stats['encoder'], both)
  n = len(h) // 2
  s = sigmoid(h[:n].mean(0))

  value, d_h, d_s = 0.0, np.zeros_like(h), np.zeros_like(s)
  grads = {'kernel': np.zeros_like(p['kernel']), 'bias': np.zeros_like(p['bias'])}
  for i, own in enumerate(h):
    real = i < n
    score = sigmoid(own @ p['kernel'] @ s + p['bias'][0])
    value -= np.log(score if real else 1 - score) / (2 * n)
    d = (score - real) / (2 * n)
    grads['kernel'] += d * np.outer(own, s)
    grads['bias'] += d
    d_h[i] += d * p['kernel'] @ s
    d_s += d * own @ p['kernel']
  d_h[:n] += d_s * s * (1 - s) / n
  grads = {'encoder': into_encoder(d_h), 'discriminator': grads}
  stats = {**stats, 'encoder': moments}
  return Golden({'loss/discrimination': value}, {'loss/discrimination': grads}, stats, memory)
