"""Xie et al. (2020), algorithm 1, with the selection of section 3.1 as weights of mean 1.

`belief` is the pseudo-label of each unlabeled image, `share` its weight; a pseudo-label is made once a stage.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
N, CLASSES = 240, 4
START = np.linspace(-3, 3, N * CLASSES).reshape(N, CLASSES) * [1, -2, 3, -1]
LABELED = {'belief': _layers.softmax(START), 'share': np.arange(N) % 3, 'stage': 1}
CASES = {
  'before any pseudo-label': Case(loss=1.84394, memory={k: 0 * LABELED[k] for k in ('belief', 'share')}),
  'with soft ones': Case(loss=3.39085, memory=LABELED),
  'with hard ones': Case(
    loss=2.47109,
    settings={'soft': False, 'weight': 0.4},
    memory=LABELED | {'belief': np.eye(CLASSES)[START.argmax(1)]},
  ),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled'}),
  'loss/unsupervised': Flow({'encoder', 'head'}, {'unlabeled'}),
}
OBSERVED = {'labeled', 'unlabeled'}
MEMORY = {'stage', 'belief', 'share'}
SETTINGS = {'threshold': 0.1}
NUMBERS = {'threshold': 0.9, 'weight': 0.5}
CHANGES = {'teacher': {'method': 'supervised'}, 'batch__unlabeled_ratio': 15}  # two steps an epoch


def objective(params, held, stats, memory, views, *, step, steps, teacher, weight=1.0, **settings):
  del held, step, steps, teacher, settings
  x, u = views['labeled'], views['unlabeled']
  logits, pull, after = _layers.classify(params, stats, np.concatenate([x['image'], u['image']]))
  n, m = len(x['image']), len(u['image'])
  belief, share = memory['belief'][u['index']], memory['share'][u['index']]
  labeled, d_x = _layers.cross_entropy(logits[:n], x['label'])
  log_probs = _layers.log_softmax(logits[n:])
  unlabeled = -(share * (belief * log_probs).sum(1)).mean()
  d_u = share[:, None] * (belief.sum(1, keepdims=True) * np.exp(log_probs) - belief) / m
  grads = {
    'loss/supervised': pull(np.concatenate([d_x, np.zeros_like(d_u)])),
    'loss/unsupervised': pull(np.concatenate([np.zeros_like(d_x), weight * d_u])),
  }
  terms = {'loss/supervised': labeled, 'loss/unsupervised': weight * unlabeled}
  return Golden(terms, grads, after, memory, (belief.argmax(1), belief.max(1), share > 0))


def refresh(
  params,
  stats,
  memory,
  images,
  labeled,
  *,
  step,
  steps,
  classes,
  teacher,
  stages=3,
  soft=True,
  balance=True,
  threshold=0.3,
  weight=1.0,
):
  del labeled, weight
  stage = min(step * stages // steps, stages - 1)
  if stage <= memory['stage']:
    return memory
  if memory['stage'] < 0:
    logits = teacher.predict(images)
  else:
    moments = stats['encoder']['batch_stats']
    features = images @ params['encoder']['kernel'] - moments['mean']
    features = features / np.sqrt(moments['var'] + _layers.EPSILON)
    logits = _layers.dense(features, params['head']['Dense_0'])[0]
  belief = _layers.softmax(logits)
  label, confidence = belief.argmax(1), belief.max(1)
  sure = confidence > threshold
  share = sure.astype(float)
  if balance:
    number = sure.sum() / classes
    for c in range(classes):
      members = [i for i in np.argsort(-confidence) if sure[i] and label[i] == c]
      taken = [i for rank, i in enumerate(members) if rank < number]
      share[members] = 0
      share[taken] = number / max(len(taken), 1)
  share = share / share.mean() if share.any() else share
  return {'stage': np.int32(stage), 'belief': belief if soft else np.eye(classes)[label], 'share': share}
