"""Feng et al. (2020), equations 3 to 5: one view after the other, its nodes as dense matrices."""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
KIND = 'graph'
VIEWS = {'a1', 'a2', 'a3'}
CASES = {
  'as on Cora, with two views': Case(loss=1.28556, settings={'samples': 2}),
  'sharp and strong': Case(loss=2.09462, settings={'samples': 2, 'weight': 3.0, 'temperature': 0.1}),
  'not sharpened': Case(loss=1.21785, settings={'samples': 2, 'temperature': 1.0}),
  'three views': Case(loss=1.20116, settings={'samples': 3}),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, VIEWS),
  'loss/consistency': Flow({'encoder', 'head'}, VIEWS),
}
OBSERVED = VIEWS
MEMORY: set[str] = set()
SETTINGS = {'samples': 2}
NUMBERS = {'weight': 0.3, 'temperature': 0.9}
CHANGES = {
  'dataset': 'fake_graph',
  'net': {'name': 'propagated_mlp', 'widths': [16, 8], 'steps': 2, 'norm': 'batch'},
  'batch': {'whole': True},
  'augment__strong': 'drop_nodes(0.3)',
  'optimizer__lr': 0.02,  # at 0.1 rounding grows within five steps
}


def objective(params, held, stats, memory, views, *, step, steps, samples=4, weight=1.0, temperature=0.5):
  del step, steps
  labels, labeled = views['labeled']['label'], np.asarray(views['labeled']['image'].index)
  n, names = len(labels), [f'a{s + 1}' for s in range(samples)]
  seen = {name: inputs(views[name]['image'], labeled) for name in names}

  believed = 0.0
  for name in names:
    believed = believed + _layers.softmax(_layers.classify(held, stats, seen[name])[0][n:]) / samples
  target = believed ** (1 / temperature)
  target /= target.sum(1, keepdims=True)

  terms = {'loss/supervised': 0.0, 'loss/consistency': 0.0}
  grads: dict[str, list] = {term: [] for term in terms}
  moments = stats
  for name in names:
    logits, pull, _ = _layers.classify(params, stats, seen[name])
    moments = _layers.classify(params, moments, seen[name])[2]
    value, d_x = _layers.cross_entropy(logits[:n], labels)
    p = _layers.softmax(logits[n:])
    gap = p - target
    terms['loss/supervised'] += value / samples
    terms['loss/consistency'] += weight * (gap**2).sum() / len(p) / samples
    d_p = 2 * weight * gap / len(p) / samples
    d_u = p * (d_p - (d_p * p).sum(1, keepdims=True))
    grads['loss/supervised'].append(pull(np.concatenate([d_x / samples, 0 * d_u])))
    grads['loss/consistency'].append(pull(np.concatenate([0 * d_x, d_u])))
  pseudo = believed.argmax(1), believed.max(1), np.ones(len(believed))
  return Golden(terms, {k: _layers.add(*v) for k, v in grads.items()}, moments, memory, pseudo)


def inputs(nodes, labeled):
  """What the stub's kernel is multiplied by, (A + I) X: rows of the labeled nodes, then of the view's own."""
  graph = nodes.graph
  features, reach = np.zeros((graph.count, graph.width)), np.eye(graph.count)
  np.add.at(features, (np.asarray(graph.rows), np.asarray(graph.columns)), np.asarray(graph.values, float))
  np.add.at(reach, (np.asarray(graph.receivers), np.asarray(graph.senders)), np.asarray(graph.weights, float))
  return (reach @ features)[np.concatenate([labeled, np.asarray(nodes.index)])]
