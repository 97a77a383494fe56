"""Baevski et al. (2022): smooth L1 between a linear head at masked patches and a teacher's last layers.

A patch is one pixel of the stub, and `draws` says which are masked.  The k-th of the stub's last K layers has
the features K + 1 − k times in each token.  The teacher sees every patch, by the moments that it has.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SIDE = 2
SMALL = {'block': 1, 'layers': 2, 'masking': 0.5}
CASES = {
  'two layers, a fast teacher': Case(loss=0.998265, settings=SMALL | {'ema_decay': 0.5}),
  'three layers, errors beyond beta': Case(loss=1.57207, settings=SMALL | {'layers': 3, 'beta': 0.5}),
  'most of an image': Case(loss=0.934295, settings=SMALL | {'masking': 0.8}),
}
FLOWS = {'loss/prediction': Flow({'encoder', 'head', 'mask_token'}, {'image'})}
OBSERVED: set[str] = set()
MEMORY = {'target'}
SETTINGS = {'block': 1, 'layers': 1, 'masking': 0.5}
NUMBERS = {'beta': 0.1, 'ema_decay': 0.5}
CHANGES = {'net': {'name': 'vit', 'dim': 8, 'depth': 1, 'heads': 2, 'init': 'xavier'}}


def objective(params, held, stats, memory, views, *, step, steps, draws, layers, beta=2.0, **settings):
  del held, step, steps
  images, mask = views['image']['image'], draws['mask']
  n, pixels = len(images), images.reshape(-1, images.shape[-1])
  assert (mask.sum(-1) <= np.floor(4 * settings['masking'])).all() and mask.any()

  embedded, into_encoder, moments = _layers.embed(params['encoder'], stats['encoder'], pixels)
  hidden = mask.reshape(-1, 1) > 0
  x = np.where(hidden, params['mask_token'], embedded).reshape(n, SIDE**2, -1)
  tokens, into_tokens = _layers.mix(x)
  flat = tokens[:, 1:].reshape(len(pixels), -1)
  drawn, into_head = _layers.dense(flat, params['head']['Dense_0'])

  teacher, old = memory['target']
  whole = as_evaluated(teacher['encoder'], old['encoder'], pixels).reshape(n, SIDE**2, -1)
  features = (_layers.PLACES[None, :, None] * whole).sum(1, keepdims=True)
  goal = normal(sum(normal(whole + k * features) for k in range(1, layers + 1)) / layers)

  wrong = drawn - goal.reshape(len(pixels), -1)
  count = mask.sum() * wrong.shape[-1]
  far = abs(wrong) > beta
  value = (hidden * np.where(far, abs(wrong) - beta / 2, wrong**2 / (2 * beta))).sum() / count
  d, head = into_head(hidden * np.where(far, np.sign(wrong), wrong / beta) / count)
  d = d.reshape(n, SIDE**2, -1)
  d = into_tokens(np.concatenate([0 * d[:, :1], d], 1)).reshape(len(pixels), -1)
  grads = {
    'encoder': into_encoder(~hidden * d),
    'head': {'Dense_0': head},
    'mask_token': (hidden * d).sum(0),
  }
  terms = {'loss/prediction': value}
  return Golden(terms, {'loss/prediction': grads}, {**stats, 'encoder': moments}, memory)


def normal(x):
  return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def as_evaluated(params, stats, pixels):
  """Embeddings normalized by the running moments, where there are any."""
  x = pixels @ params['kernel']
  if not stats:
    return x
  moments = stats['batch_stats']
  return (x - moments['mean']) / np.sqrt(moments['var'] + _layers.EPSILON)


def update(params, stats, memory, *, step, ema_decay=0.9998, **settings):
  del stats, step, settings
  target, moments = memory['target']
  own = {'encoder': params['encoder']}
  target = _layers.add(_layers.scale(ema_decay, target), _layers.scale(1 - ema_decay, own))
  return params, {**memory, 'target': (target, moments)}
