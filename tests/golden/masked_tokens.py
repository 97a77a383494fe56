"""Devlin et al. (2019), the masked language model, place by place; the encoder is an embedding."""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
KIND = 'tokens'
CASES = {
  'as in the paper': Case(loss=5.01196, settings={}),
  'half of all places, all hidden': Case(loss=5.00712, settings={'rate': 0.5, 'mask': 1.0}),
  'every place, nothing hidden': Case(loss=7.04173, settings={'rate': 1.0, 'mask': 0.0, 'random': 0.5}),
}
FLOWS = {'loss/masked': Flow({'encoder', 'head'}, {'text'})}
OBSERVED: set[str] = set()
MEMORY: set[str] = set()
SETTINGS: dict[str, float] = {}
NUMBERS = {'rate': 0.6, 'mask': 0.2, 'random': 0.9}
CHANGES = {'dataset': 'fake_tokens', 'net': {'name': 'sequence', 'dim': 8, 'depth': 1, 'heads': 2}}


def objective(params, held, stats, memory, views, *, step, steps, draws, **settings):
  del held, step, steps, settings
  text = views['text']['image'].reshape(len(views['text']['image']), -1)
  table, head = params['encoder']['kernel'], params['head']['Dense_0']
  chosen = np.argwhere(draws['chosen'])
  value, d_table, d_head = 0.0, np.zeros_like(table), {k: np.zeros_like(v) for k, v in head.items()}
  for row, place in chosen:
    shown, token = draws['shown'][row, place], text[row, place]
    logits, pull = _layers.dense(table[[shown]], head)
    loss, d = _layers.cross_entropy(logits, [token])
    d, grads = pull(d / len(chosen))
    value += loss / len(chosen)
    d_table[shown] += d[0]
    d_head = _layers.add(d_head, grads)
  grads = {'encoder': {'kernel': d_table}, 'head': {'Dense_0': d_head}}
  return Golden({'loss/masked': value}, {'loss/masked': grads}, stats, memory)
