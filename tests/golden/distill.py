"""Hinton et al. (2015), section 2, and the regressor of Romero et al. (2015) on features of unit length.

The teacher is two functions of the images.  A moving one is a copy of the student's networks, by name, in
memory: its embeddings are normalized by its own running moments, and both are moving averages.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
BOTH = {'targets': 'both', 'logits_weight': 0.7, 'features_weight': 0.6}
CASES = {
  'soft targets': Case(loss=24.0544),
  'at a low temperature': Case(loss=1.95547, settings={'temperature': 0.5, 'logits_weight': 0.3}),
  'at a high one': Case(loss=168.208, settings={'temperature': 20.0, 'logits_weight': 0.3}),
  'features': Case(loss=4.34401, settings={'targets': 'features'}),
  'both, and no labels': Case(loss=16.3735, settings=BOTH | {'supervised': False, 'strong': True}),
  'a moving teacher': Case(loss=19.3285, settings=BOTH | {'moving': True, 'ema_decay': 0.8}),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled'}),
  'loss/logits': Flow({'encoder', 'head'}, {'unlabeled'}),
  'loss/features': Flow({'encoder', 'regressor'}, {'unlabeled'}),
}
OBSERVED = {'labeled', 'unlabeled'}
MEMORY = {'teacher'}
SETTINGS = {'targets': 'both', 'moving': True}
NUMBERS = {'temperature': 1.0, 'logits_weight': 0.5, 'features_weight': 0.5, 'ema_decay': 0.5}
CHANGES = {'teacher': {'method': 'supervised'}}


def objective(
  params,
  held,
  stats,
  memory,
  views,
  *,
  step,
  steps,
  teacher,
  targets='logits',
  supervised=True,
  strong=False,
  moving=False,
  temperature=4.0,
  logits_weight=1.0,
  features_weight=1.0,
  ema_decay=0.999,
):
  del held, step, steps, strong, ema_decay
  u = views['unlabeled']['image']
  x = views['labeled']['image'] if supervised else u[:0]
  n = len(x)
  features, into_encoder, moments = _layers.embed(params['encoder'], stats['encoder'], np.concatenate([x, u]))
  if moving:
    (weights, running) = memory['teacher']
    goal = u @ weights['encoder']['kernel']
    if running['encoder']:
      old = running['encoder']['batch_stats']
      goal = (goal - old['mean']) / np.sqrt(old['var'] + _layers.EPSILON)
    told = _layers.dense(goal, weights['head']['Dense_0'])[0]
  else:
    goal, told = teacher.encode(u), teacher.predict(u)
  terms, grads, pseudo = {}, {}, None
  if 'head' in params:
    logits, into_head = _layers.dense(features, params['head']['Dense_0'])
    none = np.zeros_like(logits)

    def classified(d):
      d, head = into_head(d)
      return {'encoder': into_encoder(d), 'head': {'Dense_0': head}}

  if supervised:
    terms['loss/supervised'], d = _layers.cross_entropy(logits[:n], views['labeled']['label'])
    grads['loss/supervised'] = classified(np.concatenate([d, none[n:]]))
  if targets != 'features':
    p, q = _layers.softmax(told / temperature), _layers.softmax(logits[n:] / temperature)
    factor = logits_weight * temperature**2
    terms['loss/logits'] = -factor * (p * np.log(q)).sum(-1).mean()
    d = factor * (q - p) / temperature / len(u)  # equation 2
    grads['loss/logits'] = classified(np.concatenate([none[:n], d]))
    belief = _layers.softmax(told)
    pseudo = belief.argmax(-1), belief.max(-1), np.ones(len(u))
  if targets != 'logits':
    mapped, into_regressor = _layers.dense(features[n:], params['regressor']['Dense_0'])
    mine, into_unit = _layers.unit(mapped)
    gap = mine - _layers.unit(goal)[0]
    terms['loss/features'] = features_weight * (gap**2).sum(-1).mean()
    d, regressor = into_regressor(into_unit(2 * features_weight * gap / len(u)))
    d = np.concatenate([np.zeros((n, d.shape[1])), d])
    grads['loss/features'] = {'encoder': into_encoder(d), 'regressor': {'Dense_0': regressor}}
  return Golden(terms, grads, {**stats, 'encoder': moments}, memory, pseudo)


def update(params, stats, memory, *, step, steps, moving=False, ema_decay=0.999, **settings):
  del step, steps, settings
  if not moving:
    return params, memory
  student = {name: params[name] for name in ('encoder', 'head')}, stats

  def follow(old, new):
    return _layers.add(_layers.scale(ema_decay, old), _layers.scale(1 - ema_decay, new))

  return params, {'teacher': tuple(map(follow, memory['teacher'], student))}
