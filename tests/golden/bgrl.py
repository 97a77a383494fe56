"""Thakoor et al. (2022), section 2: predict the target network's features of each node in the other view.

Written with squares of differences between unit vectors; the paper's −2 cos is the square less 2.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers, _nodes

VERSION = 1
KIND = 'graph'
SMALL = {'hidden': 8}
CASES = {
  'decay 0.99': Case(loss=4.1167, settings=SMALL, rate=0.05),
  'decay 0.5': Case(loss=4.1167, settings=SMALL | {'ema_decay': 0.5}, rate=0.05),
}
FLOWS = {'loss/prediction': Flow({'encoder', 'predictor'}, {'a', 'b'})}
OBSERVED = {'a', 'b'}
MEMORY = {'target'}
SETTINGS = {'hidden': 16}
NUMBERS = {'ema_decay': 0.5}
CHANGES = {'dataset': 'fake_graph', 'net': {'name': 'gcn', 'widths': [16, 8], 'norm': 'batch'}}
CHANGES['batch'] = {'whole': True}


def predict(x, p):
  """Linear, PReLU, linear."""
  y, into_first = _layers.dense(x, p['Dense_0'])
  y, into_prelu = _nodes.prelu(y, p['PReLU_0'])
  y, into_last = _layers.dense(y, p['Dense_1'])

  def pull(dy):
    dy, last = into_last(dy)
    dy, slope = into_prelu(dy)
    dy, first = into_first(dy)
    return dy, {'Dense_0': first, 'PReLU_0': slope, 'Dense_1': last}

  return y, pull


def objective(params, held, stats, memory, views, *, step, steps, hidden, ema_decay=0.99):
  del held, step, steps, hidden, ema_decay
  target, moments = memory['target']
  seen = {name: _nodes.see(views[name]['image']) for name in ('a', 'b')}
  goals = {}
  for name in ('a', 'b'):
    x, _, own = _layers.embed(target['encoder'], moments['encoder'], seen[name])
    goals[name], _ = _layers.unit(x)
    moments = {**moments, 'encoder': own}

  value, grads = 0.0, []
  for name, other in (('a', 'b'), ('b', 'a')):
    x, into_encoder, own = _layers.embed(params['encoder'], stats['encoder'], seen[name])
    stats = {**stats, 'encoder': own}
    q, into_predictor = predict(x, params['predictor'])
    q_hat, pull_unit = _layers.unit(q)
    value += ((q_hat - goals[other]) ** 2).sum(-1).mean()
    d, predictor = into_predictor(pull_unit(2 * (q_hat - goals[other]) / len(q)))
    grads.append({'encoder': into_encoder(d), 'predictor': predictor})
  memory = {'target': (target, moments)}
  return Golden({'loss/prediction': value}, {'loss/prediction': _layers.add(*grads)}, stats, memory)


def update(params, stats, memory, *, step, steps, ema_decay=0.99, **settings):
  del stats, settings
  decay = 1 - (1 - ema_decay) * (np.cos(np.pi * min(step / steps, 1)) + 1) / 2
  target, moments = memory['target']
  online = {k: params[k] for k in target}
  target = _layers.add(_layers.scale(decay, target), _layers.scale(1 - decay, online))
  return params, {'target': (target, moments)}
