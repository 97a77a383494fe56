"""Iscen et al. (2019), with the scales of the authors' code: diffusion, certainty, class weights."""

import numpy as np

from golden import Case, Flow, Golden, Refresh, _graph, _layers

VERSION = 1
N, CLASSES = 240, 4
FIRST = {'label': np.zeros(N), 'certainty': np.zeros(N), 'balance': np.ones(CLASSES)}
LATER = {
  'label': np.arange(N) * 3 % 7 % CLASSES,
  'certainty': (np.arange(N) * 37 % 101) / 100,
  'balance': np.array([0.5, 2.0, 1.25, 0.8]),
}
CASES = {
  'labels only': Case(loss=1.84394, step=3, memory=FIRST),
  'with pseudo-labels': Case(loss=2.33622, step=12, memory=LATER),
  'weighed': Case(loss=1.87688, step=12, settings={'weight': 0.3}, memory=LATER),
}
REFRESHES = {
  'first stage': Refresh(value=5.92631, step=9),
  'second stage': Refresh(value=35.5797, step=10),
  'near ones, even': Refresh(value=6.27607, settings={'neighbors': 7, 'alpha': 0.5, 'power': 1.0}),
  'from the start': Refresh(value=14.2601, settings={'warmup': 0.0, 'neighbors': 20}, step=0),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled'}),
  'loss/unsupervised': Flow({'encoder', 'head'}, {'unlabeled'}),
}
OBSERVED = {'labeled', 'unlabeled'}
MEMORY = {'label', 'certainty', 'balance'}
SETTINGS = {'warmup': 0.01, 'neighbors': 239}  # all others: rounding cannot choose among them
NUMBERS = {'warmup': 0.05, 'alpha': 0.5, 'power': 1.0, 'weight': 0.5}
CHANGES = {'batch__unlabeled_ratio': 15}  # two steps an epoch


def objective(params, held, stats, memory, views, *, step, steps, weight=1.0, **diffusion):
  del held, step, steps, diffusion
  x, u = views['labeled']['image'], views['unlabeled']['image']
  y, at = views['labeled']['label'], views['unlabeled']['index']
  logits, pull, after = _layers.classify(params, stats, np.concatenate([x, u]))
  on_x, on_u = logits[: len(x)], logits[len(x) :]
  target = memory['label'][at].astype(int)
  omega, zeta = memory['certainty'][at], memory['balance']
  labeled, d_x = _layers.cross_entropy(on_x, y, zeta[y])
  unlabeled, d_u = _layers.cross_entropy(on_u, target, omega * zeta[target])
  return Golden(
    {'loss/supervised': labeled, 'loss/unsupervised': weight * unlabeled},
    {
      'loss/supervised': pull(np.concatenate([d_x, np.zeros_like(on_u)])),
      'loss/unsupervised': pull(np.concatenate([np.zeros_like(on_x), weight * d_u])),
    },
    after,
    memory,
    (target, omega, omega > 0),
  )


def refresh(
  params, stats, memory, images, labeled, *,
  step, steps, classes, warmup=0.5, neighbors=50, alpha=0.99, power=3.0, weight=1.0,
):  # fmt: skip
  del weight
  if step < warmup * steps:
    return memory
  moments = stats['encoder']['batch_stats']
  deviation = np.sqrt(moments['var'] + _layers.EPSILON)
  features = (images @ params['encoder']['kernel'] - moments['mean']) / deviation
  points, _ = _layers.unit(features)
  _, chosen = _graph.nearest(points, neighbors)
  one_way = np.where(chosen, np.maximum(points @ points.T, 0) ** power, 0)
  inverse = np.linalg.inv(np.eye(len(points)) - alpha * _graph.normalized(one_way + one_way.T))
  targets = _graph.one_hot(len(points), labeled, classes)
  beliefs = _graph.shares(np.maximum(inverse @ (targets / targets.sum(0)), 0))
  entropy = [-sum(p * np.log(p) for p in row if p > 0) for row in beliefs]
  omega, label = 1 - np.array(entropy) / np.log(classes), beliefs.argmax(1)
  label[labeled['index']] = labeled['label']
  omega = omega / omega.max()
  omega[labeled['index']] = 1
  count = np.array([max(1, (label == c).sum()) for c in range(classes)])
  return {'label': label, 'certainty': omega, 'balance': len(points) / classes / count}
