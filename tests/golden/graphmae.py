"""Hou et al. (2022), equation 2: the scaled cosine error of masked nodes, drawn by one layer of a graph.

`draws` are the masked nodes and those whose features the first of them are given.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers, _nodes

VERSION = 1
KIND = 'graph'
SURE = {'dropout': 0.0, 'attention_dropout': 0.0}  # nothing is dropped
CASES = {
  'half masked, cubed': Case(loss=2.24324, settings=SURE),
  'squared': Case(loss=1.70068, settings={**SURE, 'exponent': 2.0}),
  'most masked, half of them replaced': Case(
    loss=1.17202, settings={**SURE, 'masking': 0.7, 'replaced': 0.5, 'exponent': 1.0}
  ),
  'convolution, cubed': Case(loss=1.8427, settings={**SURE, 'decoder': 'gcn'}),
  'convolution, most masked, half of them replaced': Case(
    loss=1.15298, settings={**SURE, 'decoder': 'gcn', 'masking': 0.7, 'replaced': 0.5, 'exponent': 1.0}
  ),
}
FLOWS = {'loss/reconstruction': Flow({'encoder', 'decoder', 'mask_token'}, {'nodes'})}
OBSERVED = {'nodes'}
MEMORY: set[str] = set()
SETTINGS: dict[str, float] = {}
NUMBERS = {'exponent': 1.5}
CHANGES = {'dataset': 'fake_graph', 'net': {'name': 'gcn', 'widths': [16, 8], 'norm': 'batch'}}
CHANGES['batch'] = {'whole': True}


def objective(
  params, held, stats, memory, views, *, step, steps, draws, decoder='gat', exponent=3.0, **settings
):
  del held, step, steps
  assert not settings['dropout'] and not settings['attention_dropout']
  nodes, p = views['nodes']['image'], params['decoder']
  x, masked, others = _nodes.features_of(nodes), draws['masked'], draws['others']
  hidden = x.copy()
  hidden[masked[: len(others)]] = x[others]
  hidden[masked[len(others) :]] = params['mask_token']

  h, into_encoder, moments = _nodes.embed(params['encoder'], stats['encoder'], hidden, _nodes.reach_of(nodes))
  inner, into_first = _layers.dense(h, p['Dense_0'])
  visible = np.ones((len(x), 1))
  visible[masked] = 0
  if decoder == 'gat':
    spread, into_layer = _nodes.attend(visible * inner, p, _nodes.reach_of(nodes))
  else:
    links = _nodes.normalized(nodes)
    spread, into_layer = links @ (visible * inner), lambda d: (links.T @ d, None)
  z, into_last = _layers.dense(spread, p['Dense_1'])

  z_hat, pull_unit = _layers.unit(z)
  x_hat = x / np.linalg.norm(x, axis=-1, keepdims=True)
  errors = 1 - (x_hat * z_hat).sum(-1)
  value = np.mean([errors[i] ** exponent for i in masked])

  d = np.zeros_like(z)
  for i in masked:
    d[i] = -exponent * errors[i] ** (exponent - 1) * x_hat[i] / len(masked)
  d, last = into_last(pull_unit(d))
  d, layer = into_layer(d)
  d, first = into_first(visible * d)
  encoder, d_hidden = into_encoder(d)
  grads = {
    'encoder': encoder,
    'decoder': {'Dense_0': first, 'Dense_1': last, **(layer or {})},
    'mask_token': d_hidden[masked[len(others) :]].sum(0),
  }
  value = {'loss/reconstruction': value}
  return Golden(value, {'loss/reconstruction': grads}, {**stats, 'encoder': moments}, memory)
