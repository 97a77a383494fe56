"""Yoon et al. (2020), section 4.1; `draws` has the corrupted rows, and which of their columns differ."""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
CASES = {
  'as in the code': Case(loss=2.41039, settings={}),
  'much masked, other weight': Case(loss=0.99439, settings={'masking': 0.8, 'weight': 0.5}),
}
FLOWS = {
  'loss/mask': Flow({'encoder', 'mask'}, {'row'}),
  'loss/values': Flow({'encoder', 'values'}, {'row'}),
}
OBSERVED = {'row'}
MEMORY: set[str] = set()
SETTINGS: dict[str, float] = {}
NUMBERS = {'masking': 0.6, 'weight': 5.0}
CHANGES = {'dataset': 'fake_table'}


def objective(params, held, stats, memory, views, *, step, steps, draws, masking=0.3, weight=2.0):
  del held, step, steps, masking
  rows, changed = views['row']['image'], draws['changed']
  features, into_encoder, moments = _layers.embed(params['encoder'], stats['encoder'], draws['shown'])
  logits, into_mask = _layers.dense(features, params['mask']['Dense_0'])
  share = 1 / (1 + np.exp(-logits))
  entropy = -(changed * np.log(share) + (1 - changed) * np.log(1 - share)).mean()
  d_mask, mask = into_mask((share - changed) / changed.size)
  values, into_values = _layers.dense(features, params['values']['Dense_0'])
  d_values, restored = into_values(2 * weight * (values - rows) / rows.size)
  terms = {'loss/mask': entropy, 'loss/values': weight * ((values - rows) ** 2).mean()}
  grads = {
    'loss/mask': {'encoder': into_encoder(d_mask), 'mask': {'Dense_0': mask}},
    'loss/values': {'encoder': into_encoder(d_values), 'values': {'Dense_0': restored}},
  }
  return Golden(terms, grads, {**stats, 'encoder': moments}, memory)
