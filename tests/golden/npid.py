"""Wu et al. (2018): the softmax over the memories of all images, image by image, and the memories' update."""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
CASES = {
  'temperature 0.07': Case(loss=10.5474, settings={'out': 3}),
  'temperature 0.5, slow memories': Case(loss=5.07687, settings={'out': 3, 'temperature': 0.5, 'decay': 0.9}),
  'memories are the latest embeddings': Case(loss=14.051, settings={'out': 4, 'decay': 0.0}),
}
FLOWS = {'loss/instance': Flow({'encoder', 'embedding'}, {'image'})}
OBSERVED = {'image'}
MEMORY = {'embeddings'}
SETTINGS = {'out': 8}
NUMBERS = {'temperature': 0.3, 'decay': 0.1}


def objective(params, held, stats, memory, views, *, step, steps, temperature=0.07, decay=0.5, **settings):
  del held, step, steps, settings
  image, index, bank = views['image']['image'], views['image']['index'], memory['embeddings']
  features, into_encoder, moments = _layers.embed(params['encoder'], stats['encoder'], image)
  z, into_head = _layers.dense(features, params['embedding']['Dense_0'])
  f, pull_unit = _layers.unit(z)
  n, value, d, after = len(f), 0.0, np.zeros_like(f), bank.copy()
  for i in range(n):
    scores = np.array([v @ f[i] for v in bank]) / temperature
    value -= _layers.log_softmax(scores)[index[i]] / n
    d[i] = (_layers.softmax(scores) @ bank - bank[index[i]]) / temperature / n
    mixed = decay * bank[index[i]] + (1 - decay) * f[i]
    after[index[i]] = mixed / np.linalg.norm(mixed)
  d, head = into_head(pull_unit(d))
  grads = {'encoder': into_encoder(d), 'embedding': {'Dense_0': head}}
  stats = {**stats, 'encoder': moments}
  return Golden({'loss/instance': value}, {'loss/instance': grads}, stats, {'embeddings': after})
