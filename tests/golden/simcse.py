"""Gao et al. (2021), equation 4, one text after the other; the encoder is an embedding, without dropout."""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
KIND = 'tokens'
CASES = {
  'temperature 0.05': Case(loss=0.351967),
  'temperature 1': Case(loss=1.19316, settings={'temperature': 1.0}),
}
FLOWS = {'loss/contrastive': Flow({'encoder', 'projector'}, {'text'})}
OBSERVED: set[str] = set()
MEMORY: set[str] = set()
SETTINGS: dict[str, float] = {}
NUMBERS = {'temperature': 0.5}
CHANGES = {
  'dataset': 'fake_tokens',
  'net': {'name': 'sequence', 'dim': 8, 'depth': 1, 'heads': 2, 'dropout': 0.1},
}


def objective(params, held, stats, memory, views, *, step, steps, temperature=0.05):
  del held, step, steps
  texts = views['text']['image'].reshape(len(views['text']['image']), -1)
  table, n = params['encoder']['kernel'], len(texts)
  share = np.array(
    [[(text == token).sum() / (text != 0).sum() for token in range(len(table))] for text in texts]
  )
  share[:, 0] = 0  # padding
  mapped, into_head = _layers.dense(share @ table, params['projector']['Dense_0'])
  bent = np.tanh(mapped)
  h, pull_unit = _layers.unit(bent)
  value, d = 0.0, np.zeros_like(h)
  for i in range(n):
    scores = h @ h[i] / temperature
    value -= _layers.log_softmax(scores)[i] / n
    pulled = (_layers.softmax(scores) - np.eye(n)[i]) / temperature / n
    d[i] += pulled @ h  # as the first pass
    d += np.outer(pulled, h[i])  # as the second passes
  d, head = into_head(pull_unit(d) * (1 - bent**2))
  grads = {'encoder': {'kernel': share.T @ d}, 'projector': {'Dense_0': head}}
  return Golden({'loss/contrastive': value}, {'loss/contrastive': grads}, stats, memory)
